"""The shared configuration cache: DESIGN 4, ROBUSTNESS B8 and the part of A4
that concerns it.  The cluster is this file's own, since it is stopped."""
import json
import os
import re
import signal
import subprocess
import threading
import time
import unittest

from rig import NOBODY, SOURCE, Floor, Provider, Rig, wait_until

PGTEMP = os.path.join(SOURCE, "tests", "lib", "pgtemp")
ECHO = {"model_override": "openai:mock-echo", "model_fallback": False}


class Cluster:
    """A PostgreSQL that may be stopped; the environment of rigs points to
    it while it is there."""

    def __init__(self):
        out = subprocess.run([PGTEMP, "start"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
        self.was = {}
        for name, value in re.findall(r"(SB_TEST_PG\w*)=('[^']*'|\S+)", out):
            self.was[name] = os.environ.get(name)
            os.environ[name] = value.strip("';")
        self.dir = os.environ["SB_TEST_PG_DIR"]

    def __call__(self, verb):
        subprocess.run([PGTEMP, verb, self.dir], check=True,
                       stdout=subprocess.DEVNULL)

    def close(self):
        self("stop")
        for name, value in self.was.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class CacheTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.floor = Floor()
        cls.cluster = Cluster()
        cls.provider = Provider()
        cls.rig = Rig("cache", env=cls.provider.env(),
                      params={"chat_workers": 4, "threads": 64})
        cls.rig.configure("sales/human_health", ECHO)

    @classmethod
    def tearDownClass(cls):
        cls.floor.stop()
        cls.rig.close()
        cls.provider.close()
        cls.cluster.close()

    def metric(self, name):
        page = self.rig.get("/metrics").body.decode()
        found = re.findall(r"^%s(?:\{[^}]*\})? (\d+)$" % name, page, re.M)
        self.assertTrue(found, name)
        return sum(map(int, found))

    def mark(self, text):
        """Configure the agent; the moment at which that was committed."""
        self.rig.run("agent", "configure", "acme-healthcare",
                     "sales/human_health", "-", stdin=json.dumps(
                         dict(ECHO, system_prompt_override=text)))
        return time.monotonic()

    def sees(self, text):
        """Do turns follow the configuration with this mark?"""
        for _ in range(8):  # some worker, and another
            reply = self.rig.chat(message="hi")
            self.assertEqual(reply.status, 200, reply)
            if text not in json.dumps(self.provider.last()):
                return False
        return True

    def reads(self):
        """Transactions of the chat workers since the last call, each as its
        statements, without those that are upkeep."""
        with open(os.path.join(self.cluster.dir, "log"),
                  errors="replace") as f:
            f.seek(self.read_to)
            text = f.read()
            self.read_to = f.tell()
        open_, done = {}, []
        for pid, statement in re.findall(
                r"SBLOG sb_chat (\d+) .*?(?:execute [^:]*|statement): (.*)",
                text):
            if statement.startswith("BEGIN"):
                open_[pid] = []
                done.append(open_[pid])
            elif not re.match(r"COMMIT|SET LOCAL", statement):
                open_.setdefault(pid, []).append(statement)
        return [t for t in done if t and not re.search(
            r"gate\.(agents_used|keys_used|prices|most_used|agent_names|epochs)", t[0])]

    # -- a turn's reads ----------------------------------------------------

    def test_reads_of_a_turn(self):
        """A new session reads nothing, a continued one reads once."""
        rig = self.rig
        rig.sql("alter system set log_line_prefix = 'SBLOG %u %p '",
                role="postgres")
        rig.sql("alter system set log_statement = 'all'", role="postgres")
        rig.sql("select pg_reload_conf()", role="postgres")
        try:
            self.read_to = 0
            # globex has neither products nor documents any more
            rig.sql("delete from chunks c using accounts a where "
                    "a.id = c.account_id and a.slug = 'globex'")
            rig.sql("delete from documents d using accounts a where "
                    "a.id = d.account_id and a.slug = 'globex'")
            rig.sql("delete from products p using accounts a where "
                    "a.id = p.account_id and a.slug = 'globex'")

            def ask(message, **kw):
                reply = rig.chat("sales/widgets", message, account="globex",
                                 key=rig.globex_key, **kw)
                self.assertEqual(reply.status, 200, reply)
                return reply.json

            def warmed():
                """Every worker has all it needs."""
                self.reads()
                for n in range(16):
                    ask(f"Do you sell boots number {n}?")
                return not self.reads()
            wait_until(warmed, 20, "turns of new sessions read nothing")
            for n in range(10):
                first = ask(f"Is there a blue lamp number {n}?")
            self.assertEqual(self.reads(), [])
            for n in range(10):
                ask(f"And a red one {n}?", session_key=first["session_key"])
            reads = self.reads()
            self.assertLessEqual(len(reads), 10, reads)

            # With products: the same question is searched once a worker.
            for n in range(24):
                rig.chat(message="Do you have a blood pressure monitor?")
            self.reads()
            for n in range(24):
                rig.chat(message="Do you have a blood pressure monitor?")
            reads = self.reads()
            self.assertLessEqual(len(reads), 4, reads)
            # ... and again once there is something new.
            rig.sql("insert into products (account_id, id, name, description)"
                    " select id, gen_random_uuid(), 'Flux capacitor', "
                    "'For time travel.' from accounts where "
                    "slug = 'acme-healthcare'")
            rig.configure("sales/animal_health",
                          {"model_override": "builtin:concierge"})

            def found():
                return "Flux capacitor" in rig.chat(
                    "sales/animal_health",
                    "Do you have a flux capacitor?").json["reply"]
            wait_until(found, 5, "what is new is found")
        finally:
            rig.sql("alter system reset log_statement", role="postgres")
            rig.sql("select pg_reload_conf()", role="postgres")

    # -- changes -----------------------------------------------------------

    def test_propagation(self):
        """Live in all workers, within the budget (generous here)."""
        worst = 0
        for n in range(5):
            self.mark(f"PROP{n}")
            said = self.rig.cli("config", "propagation", "acme-healthcare")
            self.assertEqual(said["live"], said["workers"])
            self.assertEqual(said["workers"], 5)  # 4 chat, 1 admin
            worst = max(worst, said["ms"])
            self.assertTrue(self.sees(f"PROP{n}"))
        self.assertLess(worst, 1000)
        print(f"live in all workers after at most {worst} ms")
        text = self.rig.run("config", "propagation", "acme-healthcare").stdout
        self.assertRegex(text, r"^live in 5/5 workers, \d+ ms\n$")
        done = self.rig.run("config", "propagation", "nobody", check=False)
        self.assertEqual(done.returncode, 1)

    def test_epoch_header(self):
        """Answers made from an account's configuration say which."""
        rig = self.rig
        (epoch,), = rig.sql("select config_epoch from accounts where "
                            "slug = 'acme-healthcare'")
        wait_until(lambda: rig.chat(message="hi").headers.get(
            "x-config-epoch") == epoch, 5, "the epoch of the account")
        path = "/accounts/acme-healthcare/chat/sales/human_health"
        for reply in (
                rig.get(f"/accounts/acme-healthcare/turns/{NOBODY}",
                        headers=rig.auth()),
                rig.request("OPTIONS", path, headers={
                    "Origin": "http://127.0.0.1:5",
                    "Access-Control-Request-Method": "POST"})):
            self.assertEqual(reply.headers.get("x-config-epoch"), epoch,
                             reply)
        stream = rig.stream()
        self.assertEqual(stream.headers.get("x-config-epoch"), epoch)
        stream.all()
        for path in ("/readyz", "/api/v1/openapi.json"):
            self.assertNotIn("x-config-epoch", rig.get(path).headers)

    def test_listener_is_cut_off(self):
        """Nobody hears of changes: they are seen within two seconds."""
        rig = self.rig
        self.assertTrue(self.mark("BEFORE") > 0)
        wait_until(lambda: self.sees("BEFORE"), 5, "heard")
        checks = self.metric("sb_cache_checks_total")
        rig.sql("alter role sb_job nologin", role="postgres")
        try:
            rig.sql("select pg_terminate_backend(pid) from pg_stat_activity "
                    "where usename = 'sb_job'", role="postgres")
            wait_until(lambda: rig.get("/readyz").status == 503, 10,
                       "the listener hears nothing")
            key = rig.cli("key", "create", "acme-healthcare", "--kind", "api",
                          "--name", "cut", "--role", "account_owner")
            wait_until(lambda: rig.chat(key=key["key"]).status == 200, 5,
                       "a new key works")
            for n in range(3):
                done = self.mark(f"CUT{n}")
                wait_until(lambda: self.sees(f"CUT{n}"), 10,
                           "the change is seen")
                self.assertLess(time.monotonic() - done,
                                self.floor.limit(2, done))
            rig.run("key", "revoke", "acme-healthcare", key["id"])
            done = time.monotonic()
            wait_until(lambda: all(rig.chat(key=key["key"]).status == 401
                                   for _ in range(8)), 10, "revoked")
            self.assertLess(time.monotonic() - done,
                            self.floor.limit(2, done))
        finally:
            rig.sql("alter role sb_job login", role="postgres")
        wait_until(rig.ready, 10, "the listener hears again")
        self.assertGreater(self.metric("sb_cache_checks_total"), checks)
        done = self.mark("AFTER")
        wait_until(lambda: self.sees("AFTER"), 5, "heard again")

    def test_listener_is_killed(self):
        for n in range(3):
            pid, = self.rig.workers("listener")
            os.kill(pid, signal.SIGKILL)
            done = self.mark(f"KILL{n}")
            wait_until(lambda: self.sees(f"KILL{n}"), 10,
                       "the change is seen")
            self.assertLess(time.monotonic() - done,
                            self.floor.limit(2, done))
            wait_until(lambda: self.rig.ready() and
                       self.rig.workers("listener"), 10, "another listener")

    def test_database_away(self):
        """What is cached answers: key, account and agent are found, and a
        model is asked, without the database."""
        rig = self.rig
        rig.configure("sales/human_health", {
            "model_override": "builtin:concierge"})
        rig.configure("sales/animal_health", ECHO)
        for _ in range(24):
            rig.chat(message="hello")
            rig.chat("sales/animal_health", message="hello")
        asked = self.provider.stats()
        self.cluster("down")
        try:
            away = time.monotonic()
            wait_until(lambda: time.monotonic() - away > 1.5, 5,
                       "nobody has heard for a second")
            for n in range(2):
                stream = rig.stream(message=f"Do you sell a hat {n}?")
                self.assertEqual(stream.status, 200)
                told = stream.all()
                text = "".join(d["text"] for e, _, d, _ in told
                               if e == "delta")
                self.assertIn("cannot look anything up", text)
                self.assertLess([at for e, _, _, at in told
                                 if e == "delta"][0], 2)
            self.assertIn("search_failed", rig.log())
            stream = rig.stream("sales/animal_health", message="Any hats?")
            self.assertEqual(stream.status, 200)
            stream.all()
            self.assertNotEqual(self.provider.stats(), asked)
            self.assertIn("cannot be searched",
                          json.dumps(self.provider.last()))
            # what is not cached says so at once
            began = time.monotonic()
            reply = rig.chat("sales/widgets", account="globex",
                             key="sb_live_" + "A" * 43)
            self.assertEqual(reply.status, 503)
            self.assertIn("retry-after", reply.headers)
            self.assertLess(time.monotonic() - began,
                            self.floor.limit(2, began))
            self.assertGreater(self.metric("sb_cache_stale_total"), 0)
        finally:
            self.cluster("up")
        wait_until(rig.ready, 10, "the database is back")
        wait_until(lambda: rig.chat(message="hi").status == 200, 10,
                   "turns are stored again")
        wait_until(lambda: "cannot look anything up" not in rig.chat(
            message="Do you sell a hat?").json["reply"], 10,
            "searches are made again")
        rig.configure("sales/human_health", ECHO)

    # -- whose it is -------------------------------------------------------

    def test_poisoning(self):
        """B8: the same names and prefixes in two accounts, all at once, cold,
        warm and hot, and while they change: never the other's."""
        rig = self.rig
        accounts = ("twin-one", "twin-two")
        keys = {}
        for slug in accounts:
            rig.run("account", "create", slug, "--tier", "enterprise")
            rig.run("agent", "create", slug, "sales/same")
            rig.run("agent", "configure", slug, "sales/same", "-",
                    stdin=json.dumps(dict(
                        ECHO, system_prompt_override=f"I AM {slug}")))
            key = rig.cli("key", "create", slug, "--kind", "api", "--name",
                          "same", "--role", "account_owner")["key"]
            keys[slug] = key
        # a key that shares its first 64 bytes with nobody's is no key
        bad, wrong, lock = [], [], threading.Lock()
        stop = threading.Event()

        def ask(slug):
            other = accounts[1 - accounts.index(slug)]
            while not stop.is_set():
                good = rig.chat("sales/same", "hi", account=slug,
                                key=keys[slug])
                cross = rig.chat("sales/same", "hi", account=other,
                                 key=keys[slug])
                near = rig.chat("sales/same", "hi", account=slug,
                                key=keys[slug][:-1] +
                                ("A" if keys[slug][-1] != "A" else "E"))
                with lock:
                    if good.status == 200:
                        seen.append((slug, good.json["turn_id"]))
                    else:
                        bad.append(good)
                    if cross.status not in (404, 502, 503) or \
                            near.status not in (401, 502, 503):
                        wrong.append((cross, near))
        seen = []
        threads = [threading.Thread(target=ask, args=(accounts[n % 2],))
                   for n in range(8)]
        for t in threads:
            t.start()
        for n in range(6):
            for slug in accounts:
                rig.run("agent", "configure", slug, "sales/same", "-",
                        stdin=json.dumps(dict(
                            ECHO, system_prompt_override=f"I AM {slug} {n}")))
        for pid in rig.workers("chat worker")[:2]:
            os.kill(pid, signal.SIGKILL)  # they come again, with a warm tier
        time.sleep(1)
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])
        self.assertGreater(len(seen), 50)
        # requests of a killed worker may fail, and nothing else
        self.assertLessEqual(len(bad), 8, bad)
        for reply in bad:
            self.assertIn(reply.status, (502, 503), reply)

        def whose():
            """The account of every turn, once all are out of journals."""
            rows = rig.sql(
                "select a.slug, t.id from turns t join accounts a on "
                "a.id = t.account_id where t.instance_name = 'same'")
            found = {turn: slug for slug, turn in rows}
            return found if all(t in found for _, t in seen) else None
        found = wait_until(whose, 20, "every answered turn is stored")
        for slug, turn in seen:
            self.assertEqual(found[turn], slug)
        # each sees its own configuration, by whatever worker
        for slug in accounts:
            for _ in range(8):
                self.assertEqual(rig.chat("sales/same", "hi", account=slug,
                                          key=keys[slug]).status, 200)
                self.assertIn(f"I AM {slug} 5",
                              json.dumps(self.provider.last()))

    # -- the warm tier -----------------------------------------------------

    def test_a_new_worker_starts_warm(self):
        """What others have read a respawned worker does not read again, and
        a damaged file is made anew."""
        rig = self.rig
        for _ in range(24):
            self.assertEqual(rig.chat(message="hi").status, 200)
        wait_until(lambda: all(r["entries"] > 0
                               for r in rig.cli("cache", "stats")["data"]
                               if r["tier"] == "warm"), 10, "rows are shared")
        cold = self.metric("sb_cache_cold_total")
        for pid in rig.workers("chat worker"):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: rig.ready() and
                   len(rig.workers("chat worker")) == 4, 10, "workers again")
        for _ in range(24):
            self.assertEqual(rig.chat(message="hi").status, 200)
        self.assertEqual(self.metric("sb_cache_cold_total"), cold)
        with open(rig.path("run", "cache", "data.mdb"), "r+b") as f:
            f.write(os.urandom(8192))
        for pid in rig.workers("chat worker"):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: rig.ready() and
                   len(rig.workers("chat worker")) == 4, 10, "workers again")
        for _ in range(24):
            self.assertEqual(rig.chat(message="hi").status, 200)

    def test_stats_and_preload(self):
        rig = self.rig
        rows = rig.cli("cache", "stats")["data"]
        self.assertEqual([(r["tier"], r["kind"]) for r in rows], [
            ("hot", "account"), ("hot", "key"), ("hot", "spec"),
            ("hot", "credential"), ("hot", "search"), ("warm", "account"),
            ("warm", "key"), ("warm", "spec"), ("warm", "credential"),
            ("cold", "all")])
        for _ in range(10):
            rig.chat(message="hi")
        hot = [r for r in rows if r["tier"] == "hot" and r["kind"] == "spec"]
        wait_until(lambda: [r for r in rig.cli("cache", "stats")["data"]
                            if r["kind"] == "spec"][0]["hits"] >
                   hot[0]["hits"], 5, "hits are counted")
        self.assertRegex(rig.run("cache", "stats").stdout, r"TIER +KIND")
        # What was used is there before anybody asks.
        rig.sql("select gate.sum_rollups()", role="sb_job")
        rig.stop("switchboardd")
        rig.start_server()
        wait_until(rig.ready, 10, "ready")
        wait_until(lambda: rig.log().count('"preloaded"') >= 4, 10,
                   "each worker has read ahead")
        cold = self.metric("sb_cache_cold_total")
        for _ in range(24):
            self.assertEqual(rig.chat(message="hi").status, 200)
        # the key alone was not known
        self.assertLessEqual(self.metric("sb_cache_cold_total") - cold, 4)

    def test_used_once_a_minute(self):
        """last_used_at is not written with each turn."""
        rig = self.rig
        before = rig.sql("select n_tup_upd from pg_stat_user_tables where "
                         "relname = 'agent_instances'", role="postgres")
        for _ in range(50):
            rig.chat(message="hi")
        after = rig.sql("select n_tup_upd from pg_stat_user_tables where "
                        "relname = 'agent_instances'", role="postgres")
        self.assertLessEqual(int(after[0][0]) - int(before[0][0]), 20)


if __name__ == "__main__":
    unittest.main()
