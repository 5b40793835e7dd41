"""The storm: everything that can break breaks while 64 clients talk.

A random chat worker is killed every 5 s, the configuration is reloaded every
20 s, PostgreSQL is restarted three times in immediate mode, and 5 of 100
answers of the model provider are faults.  Each client posts numbered messages,
each until it is acknowledged.  SB_LONG: seconds (60; 600 for the real storm).
"""
import collections
import concurrent.futures
import http.client
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import unittest
import uuid

from rig import SLOWER, SOURCE, Floor, Provider, Rig, wait_until

SECONDS = float(os.environ.get("SB_LONG", 60))
WARM = 5  # seconds of calm in which all threads get their heaps and stacks
CLIENTS = 64
PGTEMP = os.path.join(SOURCE, "tests", "lib", "pgtemp")

Failure = collections.namedtuple("Failure", "begun ended status type retry")


class Cluster:
    """A PostgreSQL cluster of its own, for it is going to be restarted."""

    def __init__(self):
        out = subprocess.run([PGTEMP, "start"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
        self.dir = re.search(r"SB_TEST_PG_DIR='([^']*)'", out).group(1)
        os.environ["SB_TEST_PG"] = re.search(
            r"SB_TEST_PG='([^']*)'", out).group(1)

    def restart(self):
        """When it went, and when it accepted connections again."""
        began = time.monotonic()
        subprocess.run([PGTEMP, "restart", "immediate", self.dir],
                       check=True, stdout=subprocess.DEVNULL)
        return began, time.monotonic()

    def stop(self):
        subprocess.run([PGTEMP, "stop", self.dir], check=True,
                       stdout=subprocess.DEVNULL)


class Client(threading.Thread):
    """Posts its messages one after the other in a session of its own."""

    def __init__(self, rig, number):
        super().__init__()
        self.rig, self.number = rig, number
        self.enough, self.give_up = threading.Event(), threading.Event()
        self.acknowledged = []  # (message, turn id)
        self.failures, self.wrong = [], []
        self.connection = rig.connect()

    def post(self, message, key):
        """The answer's JSON, or None and one more failure."""
        begun, status, kind, retry = time.monotonic(), 0, "", None
        try:
            reply = self.rig.chat(
                message=message, session_key=f"storm-{self.number}",
                connection=self.connection,
                headers=dict(self.rig.auth(), **{"Idempotency-Key": key}))
            if reply.status == 200:
                return reply.json
            status, kind = reply.status, reply.json["type"]
            retry = reply.headers.get("retry-after")
        except (OSError, http.client.HTTPException) as e:
            kind = repr(e)
            self.connection.close()
            self.connection = self.rig.connect()
        self.failures.append(Failure(begun, time.monotonic(), status, kind,
                                     retry))
        return None

    def run(self):
        n = 0
        while not self.enough.is_set():
            n += 1
            message, key = f"storm {self.number}-{n}", str(uuid.uuid4())
            got = self.post(message, key)
            while got is None and not self.give_up.wait(0.1):
                got = self.post(message, key)
            if got is None:
                return
            if got["reply"].strip() != message:
                self.wrong.append((message, got["reply"]))
            self.acknowledged.append((message, got["turn_id"]))
        self.connection.close()


def pss(pid):
    """Bytes of memory of a process, shared pages by their share."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            return int(re.search(r"^Pss: +(\d+)", f.read(), re.M).group(1)) \
                << 10
    except (OSError, AttributeError):
        return 0


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class StormTest(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster()
        self.addCleanup(self.cluster.stop)
        self.provider = Provider("--forget")
        self.addCleanup(self.provider.close)
        self.rig = rig = Rig("storm", env=self.provider.env(), params={
            "threads": 256, "chat_workers": 2})
        self.addCleanup(rig.close)
        rig.run("account", "set-limit", "acme-healthcare",
                "requests_per_hour", "unlimited")
        rig.configure("sales/human_health", {
            "model_override": "openai:mock-echo-flaky-5",
            "model_fallback": False})
        self.kills, self.outages = [], []  # (from, until)
        self.floor = Floor()
        self.addCleanup(self.floor.stop)
        self.rng = random.Random(20261122)

    # -- what is done -----------------------------------------------------

    def kill(self):
        victim = self.rng.choice(wait_until(self.rig.workers, 5, "a worker"))
        began = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: not os.path.exists(f"/proc/{victim}"), 10, "gone")
        self.kills.append((began, time.monotonic()))

    def restart(self):
        self.outages.append(self.cluster.restart())

    def reload(self):
        os.kill(self.rig.master, signal.SIGHUP)

    def storm(self):
        """Do it all at its time; nothing holds up the rest."""
        plan = [(t, self.kill) for t in range(5, int(SECONDS), 5)]
        plan += [(t, self.reload) for t in range(12, int(SECONDS), 20)]
        plan += [(SECONDS * i / 4 + 1, self.restart) for i in (1, 2, 3)]
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            running = []
            for at, act in sorted(plan, key=lambda p: p[0]):
                time.sleep(max(0, began + at - time.monotonic()))
                running.append(pool.submit(act))
            time.sleep(max(0, began + SECONDS - time.monotonic()))
            for act in running:
                act.result()

    # -- what must hold ---------------------------------------------------

    def windows(self):
        """How long each outage lasted, and what it was given to recover."""
        return [(round(back - began, 2),
                 round(self.floor.limit(2, began), 2))
                for began, back in self.outages]

    def when(self, failure):
        """Tenths of a second after the last outage's end."""
        return min((round(failure.begun - back, 1)
                    for began, back in self.outages
                    if failure.begun >= began), default=None)

    def excused(self, failure):
        """Why a request was allowed to fail."""
        if failure.type.startswith("/problems/upstream"):
            return "provider"
        for began, gone in self.kills:
            if failure.status == 502 and failure.begun <= gone and \
                    failure.ended >= began:
                return "kill"
        for began, back in self.outages:
            until = back + self.floor.limit(2, began)
            if failure.status == 503 and failure.retry and \
                    failure.begun <= until and failure.ended >= began:
                return "outage"
        return None

    def processes(self):
        """pid → state and role of the server's processes."""
        out = subprocess.run(
            ["ps", "--ppid", str(self.rig.master), "-o", "pid=,stat=,args="],
            stdout=subprocess.PIPE, text=True).stdout
        return {int(line.split()[0]): line.split(None, 1)[1]
                for line in out.splitlines()}

    def measure(self):
        """Role → [(bytes, descriptors)] of the server's processes."""
        found = collections.defaultdict(list)
        for pid, what in self.processes().items():
            role = re.search(r"switchboardd: (\w+)", what).group(1)
            found[role].append((pss(pid), descriptors(pid)))
        found["master"].append((pss(self.rig.master),
                                descriptors(self.rig.master)))
        return found

    def connections(self):
        """(role, state) → how many, of the database's connections."""
        return collections.Counter(tuple(r) for r in self.rig.sql(
            "select usename, state from pg_stat_activity where datname = "
            "current_database() and usename <> current_user", "postgres"))

    def quiet(self):
        """The clients are silent: all that was begun has ended."""
        rig, processes = self.rig, len(self.calm)
        wait_until(lambda: len(self.processes()) == processes, 60,
                   "old workers have gone, new ones stand there")
        wait_until(lambda: rig.sql("select count(*) from turns_open") ==
                   [["0"]], 60, "no turn is left open")
        wait_until(lambda: self.provider.stats()["answering"] == 0, 30,
                   "nobody asks the provider")

    def check_messages(self, clients):
        rows = {r[0]: r[1:] for r in self.rig.sql(
            "select id, user_text, reply_text, status, session_id from turns "
            "where user_text like 'storm %'")}
        (count,), = self.rig.sql("select count(*) from turns where user_text "
                                 "like 'storm %'")
        self.assertEqual(int(count), len(rows))
        done = collections.Counter(r[0] for r in rows.values()
                                   if r[2] == "completed")
        sessions = set()
        for c in clients:
            self.assertEqual(c.wrong, [])
            for message, turn in c.acknowledged:
                self.assertIn(turn, rows, message)
                user, reply, status, session = rows[turn]
                self.assertEqual((user, reply.strip(), status),
                                 (message, message, "completed"))
                sessions.add((c.number, session))
            turns = [turn for _, turn in c.acknowledged]
            self.assertEqual(turns, sorted(turns), "out of order")
        self.assertEqual(len(sessions), len(clients))
        (requests,), = self.rig.sql(
            "select sum(requests) from usage_rollups where grain = 5 and "
            "model like '%flaky%' or grain = 5 and model = ''")
        (turns,), = self.rig.sql("select count(*) from turns")
        self.assertEqual(requests, turns, "a sum was taken twice, or lost")
        self.assertEqual([m for m, n in done.items() if n > 1], [])

    def check_failures(self, failures):
        """No error outside the windows; the database's absence is answered
        at once, and the provider's faults are not more than it made."""
        why = collections.Counter(self.excused(f) for f in failures)
        bad = collections.Counter(
            (f.status, f.type, self.when(f)) for f in failures
            if not self.excused(f))
        self.assertEqual(dict(bad), {}, f"windows: {self.windows()}")
        self.assertEqual([f for f in failures if f.status == 503 and
                          f.ended - f.begun > 5], [])
        self.assertLessEqual(why["provider"],
                             self.provider.stats()["calls"] / 20 + 1)
        return why

    def check_rest(self, before, after):
        """No zombie, no connection left over, memory flat."""
        self.assertEqual([w for w in self.processes().values()
                          if w.startswith("Z")], [])
        for role in before:
            self.assertEqual(len(after[role]), len(before[role]), role)
            for memory, files in after[role]:
                # What grows slowly for ever is bench/soak's to find.
                self.assertLess(memory, max(b[0] for b in before[role]) +
                                (4 << 20) * SLOWER, role)
                # Clients are not shared evenly between workers, and each
                # keeps up to provider_warm connections that are idle.
                self.assertLessEqual(files, max(
                    b[1] for b in before[role]) + CLIENTS, role)
        wait_until(lambda: all(state == "idle"
                               for _, state in self.connections()), 10,
                   "all connections are idle")
        self.assertLessEqual(sum(self.connections().values()),
                             7 * len(self.processes()))
        self.assertLessEqual(self.provider.stats()["connections_open"], 64)

    def clients(self, first=0):
        """So many that talk from now on."""
        clients = [Client(self.rig, first + i) for i in range(CLIENTS)]
        for c in clients:
            self.addCleanup(c.give_up.set)
            self.addCleanup(c.enough.set)
            c.start()
        return clients

    def end(self, clients):
        for c in clients:
            c.enough.set()
        for c in clients:
            c.join(60)
        self.assertEqual([c.number for c in clients if c.is_alive()], [])
        self.quiet()

    def test_storm(self):
        self.calm = self.processes()
        warm = self.clients()
        time.sleep(WARM)
        self.end(warm)
        before = self.measure()
        clients = self.clients(CLIENTS)
        self.storm()
        self.end(clients)
        clients += warm
        self.rig.stop("nginx", signal.SIGQUIT)  # with its kept connections
        after = self.measure()
        why = self.check_failures([f for c in clients for f in c.failures])
        self.check_messages(clients)
        print(f"{sum(len(c.acknowledged) for c in clients)} acknowledged, "
              f"failures {dict(why)}, {len(self.kills)} kills, "
              f"{len(self.outages)} outages of "
              f"{', '.join(f'{b - a:.2f}' for a, b in self.outages)} s, "
              f"(bytes, descriptors) {dict(before)} → "
              f"{dict(after)}; {dict(self.connections())}", file=sys.stderr)
        self.check_rest(before, after)


if __name__ == "__main__":
    unittest.main()
