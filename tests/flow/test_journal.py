"""PostgreSQL away, stalled or short of connections (ROBUSTNESS A4, A6, A7,
A19): what is acknowledged is there exactly once in the end."""
import os
import re
import signal
import subprocess
import threading
import time
import unittest
import uuid

from rig import HERE_PGTEMP, Floor, Provider, Rig, wait_until

PARAMS = {"chat_workers": 2, "threads": 64}


class Callers:
    """Threads that post numbered messages, each in a session of its own."""

    def __init__(self, rig, n):
        self.rig, self.stop = rig, threading.Event()
        self.name = uuid.uuid4()
        self.acknowledged, self.refused, self.slowest = [], [], 0
        self.took = []  # (begun, seconds)
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(i,),
                                         daemon=True) for i in range(n)]
        for t in self.threads:
            t.start()

    def run(self, who):
        n = 0
        while not self.stop.is_set():
            n += 1
            text = f"numbered {self.name}-{who}-{n}"
            began = time.monotonic()
            try:
                reply = self.rig.chat(message=text)
            except OSError:
                continue
            with self.lock:
                self.took.append((began, time.monotonic() - began))
                self.slowest = max(self.slowest, self.took[-1][1])
                if reply.status == 200:
                    self.acknowledged.append(text)
                else:
                    self.refused.append(reply)

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join()


class JournalTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        out = subprocess.run([HERE_PGTEMP, "start"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
        cls.cluster = dict(re.findall(r"(SB_TEST_PG\w*)='([^']*)'", out))
        cls.before = {k: os.environ.get(k) for k in cls.cluster}
        os.environ.update(cls.cluster)
        try:
            cls.provider = Provider()
            cls.rig = Rig("journal", env=cls.provider.env(), params=PARAMS)
            cls.rig.configure("sales/human_health", {
                "model_override": "openai:mock-echo",
                "model_fallback": False})
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        for name in ("rig", "provider"):
            if hasattr(cls, name):
                getattr(cls, name).close()
        cls.pg("stop", cls.cluster["SB_TEST_PG_DIR"])
        for k, v in cls.before.items():
            os.environ.pop(k) if v is None else os.environ.update({k: v})

    @classmethod
    def pg(cls, *verb):
        subprocess.run([HERE_PGTEMP, *verb], check=True,
                       stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                       timeout=90)

    def setUp(self):
        self.floor = Floor()
        self.addCleanup(self.floor.stop)
        # every worker knows the agent
        for _ in range(20):
            self.assertEqual(self.rig.chat(message="warm").status, 200)

    def journals(self):
        try:
            return [f for f in os.listdir(self.rig.path("state", "journal"))
                    if f.endswith(".journal")]
        except FileNotFoundError:
            return []

    def settled(self):
        wait_until(lambda: not self.journals(), 20, "the journals are empty")

    def exactly_once(self, messages):
        """Every message is there once, and the roll-ups count all turns."""
        self.settled()
        rows = [r[0] for r in self.rig.sql(
            "select user_text from turns where user_text like 'numbered %'")]
        self.assertEqual(len(rows), len(set(rows)))
        self.assertEqual(set(messages) - set(rows), set())
        self.assertEqual(*self.rig.sql(
            "select count(*), (select sum(requests) from usage_rollups where "
            "grain = 5) from turns")[0])
        self.assertFalse(os.path.exists(
            self.rig.path("state", "dead-letters.jsonl")))

    def within(self, seconds, began, what):
        """${what} began then, and is over: it took no more than that."""
        took = time.monotonic() - began
        print(f"{what} {took:.2f} s", end=", ", flush=True)
        self.assertLess(took, self.floor.limit(seconds, began), what)

    def metric(self, name):
        text = self.rig.get("/metrics").body.decode()
        return float(re.search(rf"^{name} (\S+)$", text, re.M).group(1))

    def test_restart_three_times(self):
        """A4: cached agents answer throughout."""
        first = time.monotonic()
        callers = Callers(self.rig, 8)
        self.addCleanup(callers.stop.set)
        for _ in range(3):
            time.sleep(0.5)
            self.pg("down")
            n = len(callers.acknowledged)
            wait_until(lambda: len(callers.acknowledged) > n + 20, 10,
                       "turns are answered without a database")
            self.pg("up")
            began = time.monotonic()
            self.settled()
            self.within(2, began, "recovered")
        time.sleep(0.5)
        callers.end()
        for reply in callers.refused:
            self.assertEqual(reply.status, 503, reply)
            self.assertIn("retry-after", reply.headers)
        self.assertLess(len(callers.refused),
                        len(callers.acknowledged) // 10)
        print(f"slowest {callers.slowest:.2f} s", end=", ")
        self.assertLess(callers.slowest, self.floor.limit(2, first))
        self.exactly_once(callers.acknowledged)
        most = 2 * (8 + 1) * 2 + 5
        self.assertLessEqual(int(self.rig.sql(
            "select count(*) from pg_stat_activity where usename like "
            "'sb_%'")[0][0]), most)

    def test_what_needs_the_database(self):
        """Away: what cannot do without it says so, fast, and how long."""
        key = self.rig.chat(message="first").json["session_key"]
        self.pg("down")
        try:
            wait_until(lambda: self.rig.get("/readyz").status == 503, 10,
                       "it is noticed")
            self.assertEqual(self.rig.get("/healthz").status, 200)
            for ask in (lambda: self.rig.chat(message="more",
                                              session_key=key),
                        lambda: self.rig.chat("digital_expert/product_expert",
                                              message="concierge"),
                        lambda: self.rig.chat(message="named",
                                              session_key="my-own")):
                began = time.monotonic()
                reply = ask()
                self.assertEqual(reply.status, 503, reply)
                self.assertIn("retry-after", reply.headers)
                self.within(2, began, "refused")
            fresh = self.rig.chat(message="numbered fresh")
            self.assertEqual(fresh.status, 200)
            wait_until(lambda: "journal" in self.rig.get("/readyz")
                       .json["detail"], 10, "the journal is told of")
            self.assertGreater(self.metric("sb_journal_bytes"), 0)
            # the session of a turn that lies in the journal: not without it
            reply = self.rig.chat(message="and then?",
                                  session_key=fresh.json["session_key"])
            self.assertEqual(reply.status, 503)
        finally:
            self.pg("up")

        def continued():
            return self.rig.chat(message="and then?",
                                 session_key=fresh.json["session_key"])
        reply = continued()
        while reply.status == 503:
            self.assertIn("retry-after", reply.headers)
            time.sleep(0.02)
            reply = continued()
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.json["session_key"], fresh.json["session_key"])
        said = self.rig.get("/accounts/acme-healthcare/sessions/"
                            f"{fresh.json['session_key']}/messages",
                            headers=self.rig.auth()).json["data"]
        self.assertEqual([m["content"] for m in said if m["role"] == "user"],
                         ["numbered fresh", "and then?"])
        self.exactly_once(["numbered fresh"])
        wait_until(lambda: self.rig.get("/readyz").status == 200, 10, "ready")

    def test_workers_die_meanwhile(self):
        """kill -9 of a worker, then SIGTERM of all, with a journal."""
        self.pg("down")
        try:
            callers = Callers(self.rig, 4)
            wait_until(lambda: self.journals() and
                       len(callers.acknowledged) > 20, 10, "it is written")
            for pid in self.rig.workers():
                os.kill(pid, signal.SIGKILL)
            callers.end()
            messages = callers.acknowledged
            self.assertEqual(self.rig.stop("switchboardd"), 0)
            self.assertTrue(self.journals())
            self.assertFalse(os.path.exists(
                self.rig.path("state", "dead-letters.jsonl")))
        finally:
            self.pg("up")
        self.rig.start_server()
        wait_until(self.rig.ready, 15, "it is up again")
        self.exactly_once(messages)

    def test_keys_and_streams(self):
        """A turn with a key ends while PostgreSQL is away, and its worker
        dies: its answer is the answer.  A new key is refused; a stream is read
        on without a database."""
        def ask(key, message):
            return self.rig.chat(message=message, headers=dict(
                self.rig.auth(), **{"Idempotency-Key": key}))
        first = []
        asked = threading.Thread(target=lambda: first.append(
            ask("ends-away", "keyed [[do:paced-60x50]]")))
        asked.start()
        wait_until(lambda: self.provider.stats()["answering"] == 1, 5,
                   "it runs, so it has its key")
        self.pg("down")
        try:
            asked.join()
            self.assertEqual(first[0].status, 200, first)
            for key in ("ends-away", "another"):
                reply = ask(key, "keyed [[do:paced-60x50]]")
                self.assertEqual(reply.status, 503, reply)
                self.assertIn("retry-after", reply.headers)
            stream = self.rig.stream(message="streamed [[do:paced-20x20]]")
            source = stream.events()
            events = [next(source) for _ in range(4)]
            stream.close()
            turn = events[0][2]["turn_id"]
            for _ in range(2):  # while it runs, and when it has ended
                rest = self.rig.resume(turn, events[-1][1])
                told = events + rest.all()
                rest.close()
                self.assertEqual(told[-1][0], "done")
                self.assertEqual(
                    "".join(e[2]["text"] for e in told if e[0] == "delta"),
                    next(e[2]["reply"] for e in told if e[0] == "message"))
            for pid in self.rig.workers():
                os.kill(pid, signal.SIGKILL)
        finally:
            self.pg("up")

        def again():
            reply = ask("ends-away", "keyed [[do:paced-60x50]]")
            return reply.status == 200 and reply
        reply = wait_until(again, 20, "its answer can be had")
        self.assertEqual(reply.body, first[0].body)
        self.settled()
        self.assertEqual(self.rig.sql(
            "select status, count(*) from turns where user_text like 'keyed %'"
            " group by status"), [["completed", "1"]])

    def test_full(self):
        """The limit: refused before a provider is asked, and an alarm."""
        rig = Rig("full", env=self.provider.env(),
                  params=dict(PARAMS, journal_max="1m"))
        self.addCleanup(rig.close)
        rig.configure("sales/human_health", {
            "model_override": "openai:mock-echo", "model_fallback": False})
        for _ in range(20):
            self.assertEqual(rig.chat(message="warm").status, 200)
        big = "x" * 8000
        self.pg("down")
        try:
            sent = 0
            while sent < 400 and rig.chat(message=big).status == 200:
                sent += 1
            self.assertIn(sent, range(50, 200))
            wait_until(lambda: all(rig.chat(message=big).status == 503
                                   for _ in range(8)), 10,
                       "every worker refuses")
            self.provider.reset()
            began = time.monotonic()
            reply = rig.chat(message=big)
            self.assertLess(time.monotonic() - began, 0.5)
            self.assertEqual(reply.status, 503)
            self.assertIn("retry-after", reply.headers)
            self.assertEqual(self.provider.stats()["calls"], 0)
            wait_until(lambda: "journal" in rig.get("/readyz")
                       .json["detail"], 10, "/readyz tells")
            doctor = subprocess.run(
                [rig.path("bin", "switchboard"), "-c", rig.conf, "doctor"],
                stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
            self.assertRegex(doctor.stdout, r"journals .* bytes wait")
        finally:
            self.pg("up")
        wait_until(lambda: rig.chat(message="small").status == 200, 5,
                   "turns are taken again")
        wait_until(lambda: not os.listdir(rig.path("state", "journal")), 20,
                   "all is stored")
        self.assertGreaterEqual(int(rig.sql(
            "select count(*) from turns where length(user_text) = 8000")
            [0][0]), sent)

    def test_no_connections(self):
        """A7: the cluster gives none: no storm, and 503 where one is
        needed."""
        key = self.rig.chat(message="first").json["session_key"]
        name = self.rig.sql("select current_database()")[0][0]
        log = os.path.join(self.cluster["SB_TEST_PG_DIR"], "log")

        def refused():
            with open(log, errors="replace") as f:
                return f.read().count("too many connections")

        def limit(n):
            self.rig.sql(f"alter database {name} connection limit {n}",
                         role="postgres")
        limit(0)
        try:
            self.rig.sql("select count(pg_terminate_backend(pid)) from "
                         "pg_stat_activity where usename like 'sb_%'",
                         role="postgres")
            callers = Callers(self.rig, 4)
            wait_until(lambda: len(callers.acknowledged) > 20, 20,
                       "turns are answered")
            before, began = refused(), time.monotonic()
            for _ in range(3):
                asked = time.monotonic()
                reply = self.rig.chat(message="more", session_key=key)
                self.assertEqual(reply.status, 503, reply)
                self.assertIn("retry-after", reply.headers)
                self.within(2, asked, "refused")
            rate = (refused() - before) / (time.monotonic() - began)
            print(f"{rate:.1f} attempts a second", end=", ")
            # as many a second as there could be connections, at most
            self.assertLess(rate, 2 * (8 + 2) + 10)
            callers.end()
        finally:
            limit(-1)
        self.exactly_once(callers.acknowledged)

    def test_all_in_use(self):
        """A7: fifty callers more than connections, and none comes back:
        503 after two seconds each, no storm of new connections, and all is
        well when the lock goes."""
        keys = [self.rig.chat(message="first").json["session_key"]
                for _ in range(self.pool() + 50)]
        replies, lock = [], threading.Lock()

        def ask(key):
            began = time.monotonic()
            reply = self.rig.chat(message="more", session_key=key)
            with lock:
                replies.append((reply, time.monotonic() - began))
        locker = subprocess.Popen(
            ["psql", "-X", "-q", f"{self.rig.conninfo} user=sb_owner", "-c",
             "begin; lock table data.sessions in access exclusive mode; "
             "select pg_sleep(30)"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: self.rig.sql(
                "select count(*) from pg_locks where mode = "
                "'AccessExclusiveLock' and relation = "
                "'data.sessions'::regclass")[0][0] == "1", 10, "it is locked")
            began = time.monotonic()
            threads = [threading.Thread(target=ask, args=(k,)) for k in keys]
            for t in threads:
                t.start()
            most = 0
            while any(t.is_alive() for t in threads):
                most = max(most, int(self.rig.sql(
                    "select count(*) from pg_stat_activity where usename = "
                    "'sb_chat'", role="postgres")[0][0]))
            for t in threads:
                t.join()
        finally:
            locker.kill()
            locker.wait()
            self.rig.sql("select count(pg_terminate_backend(pid)) from "
                         "pg_stat_activity where query like '%pg_sleep(30)'",
                         role="postgres")
        self.assertEqual(len(replies), len(keys))
        for reply, _ in replies:
            self.assertEqual(reply.status, 503, reply)
            self.assertIn("retry-after", reply.headers)
        slowest = max(took for _, took in replies)
        print(f"slowest {slowest:.2f} s, {most} connections", end=" ")
        self.assertLess(slowest, self.floor.limit(2.5, began))
        # One that was given up may be seen until the cluster notices.
        self.assertLessEqual(most, self.pool() * 3 // 2)
        for key in keys[:5]:
            self.assertEqual(self.rig.chat(message="more", session_key=key)
                             .status, 200)

    def pool(self):
        """Connections that all chat workers may have."""
        return PARAMS["chat_workers"] * 6

    def test_stall(self):
        """A6: a table is locked for long; who is asked goes on."""
        seconds, started = 20, time.monotonic()
        lock = subprocess.Popen(
            ["psql", "-X", "-q", f"{self.rig.conninfo} user=sb_owner", "-c",
             "begin; lock table data.turns in access exclusive mode; "
             f"select pg_sleep({seconds}); commit"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        callers = Callers(self.rig, 4)
        self.addCleanup(callers.stop.set)
        health = []
        while lock.poll() is None:
            began = time.monotonic()
            self.assertEqual(self.rig.get("/healthz").status, 200)
            health.append(time.monotonic() - began)
            time.sleep(0.05)
        self.assertEqual(lock.returncode, 0)
        released = time.monotonic()
        time.sleep(3)
        callers.end()
        ended = time.monotonic()
        self.settled()
        self.within(2, ended, "journals stored")
        # Whoever asks a second after it waits for no lock.
        late = [took for began, took in callers.took if began > released + 1]
        self.assertGreater(len(late), 20)
        print(f"health {max(health) * 1000:.0f} ms, slowest "
              f"{callers.slowest:.2f} s, after it {max(late):.2f} s, "
              f"{len(callers.acknowledged)} turns, floor "
              f"{self.floor.limit(0, started):.2f} s", end=" ")
        self.assertLess(max(late), self.floor.limit(0.5, released))
        self.assertEqual(callers.refused, [])
        self.assertLess(callers.slowest, self.floor.limit(2, started))
        self.assertGreater(len(callers.acknowledged), 20 * seconds)
        self.assertLess(max(health), self.floor.limit(0.05, started))
        self.exactly_once(callers.acknowledged)


if __name__ == "__main__":
    unittest.main()
