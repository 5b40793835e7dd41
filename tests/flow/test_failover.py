"""Two clusters, one following the other: the standby takes over (A5), and
meanwhile serves reads that tolerate lag."""
import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time
import unittest

from rig import SOURCE, Floor, Provider, Rig, wait_until

PGTEMP = os.path.join(SOURCE, "tests", "lib", "pgtemp")


def pgtemp(*argv):
    return subprocess.run([PGTEMP, *argv], check=True, text=True,
                          stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).stdout.strip()


class TwoClusters(Rig):
    """An installation on a primary of its own, ${old}, and a standby ${new};
    ${connect}(old, new, dbname) gives parameters of the configuration."""

    def __init__(self, connect, **kw):
        self.make = connect
        self.old = self.new = None
        super().__init__("failover", **kw)

    def _database(self):
        started = pgtemp("start")
        self.old = re.search(r"SB_TEST_PG_DIR='([^']*)'", started).group(1)
        kept = os.environ.get("SB_TEST_PG")
        os.environ["SB_TEST_PG"] = (f"host={self.old} port=5432 "
                                    "user=postgres dbname=postgres")
        try:
            super()._database()
        finally:
            os.environ.pop("SB_TEST_PG")
            if kept is not None:
                os.environ["SB_TEST_PG"] = kept
        self.new = pgtemp("standby", self.old)
        dbname = re.search(r"dbname=(\S+)", self.conninfo).group(1)
        self.params.update(self.make(self.old, self.new, dbname))

    def at(self, directory):
        """Ask this cluster from now on."""
        self.conninfo = re.sub(r"host=\S+", f"host={directory}",
                               self.conninfo)

    def synchronous(self):
        """No commit is acknowledged that the standby has not."""
        self.sql("alter system set synchronous_standby_names = 'standby'",
                 role="postgres")
        self.sql("select pg_reload_conf()", role="postgres")
        wait_until(lambda: self.sql(
            "select sync_state from pg_stat_replication", role="postgres")
            == [["sync"]], 10, "the standby is synchronous")

    def close(self):
        super().close()
        for directory in (self.new, self.old):
            if directory is not None and os.path.isdir(directory):
                pgtemp("stop", directory)


class Callers:
    """Threads that talk all the time; what was acknowledged, and when."""

    def __init__(self, rig, n=8):
        self.rig, self.stop_it, self.acked = rig, threading.Event(), []
        self.threads = [threading.Thread(target=self.call, args=(i,))
                        for i in range(n)]
        for t in self.threads:
            t.start()

    def call(self, i):
        c, k = self.rig.connect(), 0
        while not self.stop_it.is_set():
            k += 1
            try:
                reply = self.rig.chat(message=f"failover {i}-{k}",
                                      connection=c)
            except (OSError, http.client.HTTPException):
                c.close()
                c = self.rig.connect()
                continue
            if reply.status == 200:
                self.acked.append((time.monotonic(), reply.json["turn_id"]))
            elif reply.status != 503:
                raise AssertionError(reply)
        c.close()

    def since(self, t):
        return [a for a in list(self.acked) if a[0] > t]

    def stop(self):
        self.stop_it.set()
        for t in self.threads:
            t.join()


def turns(rig):
    """How many are stored."""
    return int(rig.sql("select count(*) from turns")[0][0])


class FailoverTest(unittest.TestCase):
    def setUp(self):
        self.provider = Provider()
        self.addCleanup(self.provider.close)
        self.floor = Floor()
        self.addCleanup(self.floor.stop)

    def rig_for(self, connect, **params):
        rig = TwoClusters(connect, env=self.provider.env(),
                          params=dict(params, threads=64))
        self.addCleanup(rig.close)
        rig.run("account", "set-limit", "acme-healthcare",
                "requests_per_hour", "unlimited")
        return rig

    def take_over(self, end_primary):
        """The standby is promoted and then the primary ended by
        ${end_primary}(directory): seconds until turns are stored again."""
        rig = self.rig_for(lambda old, new, dbname: {
            "database_url": f'"host={old},{new} port=5432,5432 '
            f'dbname={dbname} target_session_attrs=read-write"'})
        rig.configure("sales/human_health", {
            "model_override": "openai:mock-echo", "model_fallback": False})
        rig.synchronous()
        callers = Callers(rig)
        try:
            began = time.monotonic()
            wait_until(lambda: len(callers.since(began)) > 50, 20,
                       "turns are stored")
            pgtemp("promote", rig.new)
            end_primary(rig.old)
            ended = time.monotonic()
            rig.at(rig.new)
            before = turns(rig)
            wait_until(lambda: turns(rig) > before, 15,
                       "the new primary gets turns")
            resumed = time.monotonic()
            wait_until(lambda: len(callers.since(resumed)) > 50, 20,
                       "and goes on getting them")
        finally:
            callers.stop()
        # Changes reach the workers, by the operator's command too.
        rig.configure("sales/human_health", {
            "model_override": "builtin:concierge"})
        self.assertEqual(rig.chat(message="who?").json["model"],
                         "builtin:concierge")
        acked = [turn for _, turn in callers.acked]
        self.assertEqual(len(acked), len(set(acked)))

        def all_there():
            have = {r[0] for r in rig.sql("select id from turns")}
            return not set(acked) - have
        wait_until(all_there, 10, "every acknowledged turn is there")
        return rig, resumed - ended

    def test_standby_takes_over(self):
        began = time.monotonic()
        rig, seconds = self.take_over(lambda old: pgtemp("down", old))
        print(f"{seconds:.1f} s", end=" ")
        self.assertLess(seconds, self.floor.limit(5, began))
        # Started again and looked at, the old primary has nothing that the
        # new one lacks: no write went there unheard.
        new = {r[0] for r in rig.sql("select id from turns")}
        pgtemp("up", rig.old)
        rig.at(rig.old)
        old = {r[0] for r in rig.sql("select id from turns")}
        self.assertEqual(old - new, set())
        self.assertGreater(len(new), len(old))

    @unittest.skipUnless(os.environ.get("SB_LONG"), "by hand: SB_LONG=1")
    def test_standby_takes_over_from_a_silent_primary(self):
        """Its machine has died: connections stay open and say nothing."""
        stopped = []

        def freeze(old):
            with open(os.path.join(old, "data", "postmaster.pid")) as f:
                master = int(f.readline())
            for pid in [master] + [int(p) for p in subprocess.run(
                    ["ps", "--ppid", str(master), "-o", "pid="],
                    stdout=subprocess.PIPE, text=True).stdout.split()]:
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
        try:
            _, seconds = self.take_over(freeze)
            print(f"{seconds:.1f} s", end=" ")
            self.assertLess(seconds, 10)
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def doctor(self, rig):
        """How the doctor finds the standby."""
        rows = json.loads(rig.run("doctor", "--json", check=False).stdout)
        return next(r["state"] for r in rows["data"]
                    if r["check"] == "replica")

    def counter(self, rig, name):
        text = rig.get("/metrics").body.decode()
        return int(float(re.search(rf"^{name} (\S+)$", text, re.M).group(1)))

    def test_replica_serves_reads_that_tolerate_lag(self):
        rig = self.rig_for(lambda old, new, dbname: {
            "database_replica": f'"host={new} port=5432 dbname={dbname}"'})
        rig.configure("sales/human_health", {
            "model_override": "builtin:concierge"})

        def used():
            """How often workers began to use the standby."""
            return rig.log().count('"replica_used"')

        def requests():
            rows = rig.cli("usage", "acme-healthcare")["data"]
            return sum(r["requests"] for r in rows)

        def logged():
            with open(os.path.join(rig.new, "log")) as f:
                return f.read().count("connection authorized: user=sb_admin")
        wait_until(lambda: used() >= 3, 10, "all workers use the standby")

        def preloaded():
            """New workers ask what is most used."""
            before = set(rig.workers())
            os.kill(rig.master, signal.SIGHUP)
            wait_until(lambda: len(set(rig.workers()) - before) >= 2, 10,
                       "a new generation")
            return self.counter(rig, "sb_db_replica_reads_total") > 0
        wait_until(preloaded, 15, "the standby has told a worker")
        self.assertEqual(self.doctor(rig), "ok")
        self.assertEqual(rig.chat(message="stethoscope?").status, 200)
        before = logged()
        wait_until(lambda: requests() == 1, 10, "the turn is counted")
        self.assertGreater(logged(), before)
        # A conversation goes on from the primary, however old the standby is,
        # and sums come from it when the lag is beyond what is allowed.
        rig.at(rig.new)
        rig.sql("select pg_wal_replay_pause()", role="postgres")
        rig.at(rig.old)
        first = rig.chat(message="I have a Labrador").json["session_key"]
        rig.chat(message="and a Siamese", session_key=first)
        listed = rig.get("/accounts/acme-healthcare/sessions/"
                         f"{first}/messages", headers=rig.auth()).json["data"]
        self.assertEqual(len(listed), 4)
        wait_until(lambda: requests() == 3, 5, "the primary answers")
        self.assertEqual(self.doctor(rig), "warn")
        wait_until(lambda: "it lags" in rig.log(), 5, "the log says so")
        before = used()
        rig.at(rig.new)
        rig.sql("select pg_wal_replay_resume()", role="postgres")
        rig.at(rig.old)
        wait_until(lambda: used() > before, 5, "the standby is used again")
        pgtemp("down", rig.new)
        for _ in range(10):
            self.assertEqual(rig.chat(message="stethoscope?").status, 200)
        wait_until(lambda: requests() == 13, 5, "the primary answers")
        self.assertEqual(self.doctor(rig), "fail")
        before = used()
        pgtemp("up", rig.new)
        wait_until(lambda: used() > before, 10, "it is used again")


if __name__ == "__main__":
    unittest.main()
