"""Processes: kills, drains, reloads under load (ROBUSTNESS A1, A2, A3)."""
import collections
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

from rig import Floor, Provider, Rig, wait_until


def alive(pid):
    """Not ended; one that only waits to be reaped has."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Load:
    """Callers in threads, each with a kept connection, until stopped.

    While ${go} is not set no request is begun; ${waiting} says, by caller,
    whether an answer is being waited for.
    """

    def __init__(self, rig, callers=8):
        self.rig, self.stop_it = rig, threading.Event()
        self.go, self.waiting = threading.Event(), [False] * callers
        self.go.set()
        self.ok, self.bad, self.lock = [], [], threading.Lock()
        self.threads = [threading.Thread(target=self.call, args=(i,))
                        for i in range(callers)]
        for t in self.threads:
            t.start()

    def call(self, i):
        c, n = self.rig.connect(), 0
        while not self.stop_it.is_set():
            n += 1
            text = f"load {i}-{n}-{os.getpid()}"
            self.waiting[i] = self.go.wait()
            now = time.monotonic()
            try:
                reply = self.rig.chat(message=text, connection=c)
                problem = None if reply.status == 200 else reply
            except (OSError, http.client.HTTPException) as e:
                problem = e
                c.close()
                c = self.rig.connect()
            self.waiting[i] = False
            with self.lock:
                if problem is None:
                    self.ok.append((now, reply.json["turn_id"]))
                else:
                    self.bad.append((now, problem))
        c.close()

    def stop(self):
        self.stop_it.set()
        for t in self.threads:
            t.join()


class ProcessTest(unittest.TestCase):
    def setUp(self):
        self.provider = Provider()
        self.rig = Rig("processes", env=self.provider.env(), params={
            "threads": 256, "chat_workers": 2, "heartbeat": "300ms"})
        self.rig.run("account", "set-limit", "acme-healthcare",
                     "requests_per_hour", "unlimited")
        self.rig.configure("sales/human_health", {
            "model_override": "openai:mock-echo", "model_fallback": False})

    def tearDown(self):
        self.rig.close()
        self.provider.close()

    def stored_once(self, load):
        """Every acknowledged turn stands there exactly once."""
        ids = [turn for _, turn in load.ok]
        self.assertEqual(len(ids), len(set(ids)))
        have = {r[0] for r in self.rig.sql("select id from turns")}
        self.assertEqual([i for i in ids if i not in have], [])
        (n,), = self.rig.sql("select count(*) from turns")
        self.assertEqual(int(n), len(have))

    def kill(self, load, count):
        """Kill a worker; how many requests it had in hand when all others
        were answered (None: not to be counted), when it was gone, and how
        long another took to stand in its place."""
        before = set(self.rig.workers())
        victim = sorted(before)[0]
        waiting = None
        if count:
            os.kill(victim, signal.SIGSTOP)
            load.go.clear()
            since = time.monotonic()
            while time.monotonic() - since < 0.5:
                if waiting != sum(load.waiting):
                    waiting, since = sum(load.waiting), time.monotonic()
                time.sleep(0.01)
        began = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: not os.path.exists(f"/proc/{victim}"), 5, "gone")
        gone = time.monotonic()
        load.go.set()
        wait_until(lambda: len(set(self.rig.workers()) -
                               (before - {victim})) >= 1, 10,
                   "another worker stands in its place")
        return waiting, gone, time.monotonic() - began

    def test_worker_killed(self):
        """A1: what a killed worker had in hand fails and nothing else does.

        With every other kill the victim is stopped first and the callers wait
        until the other workers have answered, so that what is left is what it
        had in hand: at most that many fail.  In between the kill comes
        unprepared; the kernel takes some milliseconds to close the sockets of
        what dies, and what the web server hands over until then is lost too,
        so every request that fails was begun before the worker was gone.
        SB_LONG=60 for the size of ROBUSTNESS."""
        floor = Floor()
        self.addCleanup(floor.stop)
        load = Load(self.rig, 32)
        self.addCleanup(load.stop)
        end = time.monotonic() + float(os.environ.get("SB_LONG", 12))
        kills, respawn = [], 0
        while time.monotonic() < end - 2:
            time.sleep(4)
            failed = len(load.bad)
            in_hand, gone, took = self.kill(load, len(kills) % 2 == 0)
            time.sleep(1)
            with load.lock:
                bad = load.bad[failed:]
            kills.append((in_hand, len(bad)))
            respawn = max(respawn, took)
            self.assertLess(took, floor.limit(1, gone))
            if in_hand is not None:
                self.assertLessEqual(len(bad), in_hand)
            self.assertEqual([b for b in bad if b[0] > gone], [])
            self.assertEqual({getattr(b[1], "status", b[1]) for b in bad} -
                             {502}, set())
        time.sleep(1)
        load.stop()
        self.assertEqual(len(load.bad), sum(n for _, n in kills))
        self.assertGreater(len(load.ok), 100)
        self.stored_once(load)
        print(f"answered {len(load.ok)}, in hand and failed, by kill: {kills}"
              f", respawn at most {respawn:.2f} s", file=sys.stderr)

    def test_killed_workers_turns_are_marked(self):
        rig = self.rig
        # One turn alone goes another way to the database than many.
        rig.configure("sales/human_health", {
            "model_override": "openai:mock-paced-20x50",
            "model_fallback": False})
        stream = rig.stream(message="alone")
        wait_until(lambda: rig.sql("select count(*) from turns_open")
                   == [["1"]], 5, "a slow turn is written down as running")
        self.assertEqual(stream.all()[-1][0], "done")
        stream.close()
        self.assertEqual(rig.sql("select status from turns"), [["completed"]])
        self.assertNotIn('"writer_failed"', rig.log())
        rig.configure("sales/human_health", {
            "model_override": "openai:mock-paced-300x100",
            "model_fallback": False})
        streams = [rig.stream(message="killed") for _ in range(6)]
        turns = [next(s.events())[2]["turn_id"] for s in streams]
        wait_until(lambda: rig.sql("select count(*) from turns_open")
                   == [["6"]], 5, "they are written down as running")
        for pid in rig.workers():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: rig.sql(
            "select count(*) from turns where status = 'failed' and id in ("
            + ",".join(f"'{t}'" for t in turns) + ")") == [["6"]], 60,
            "turns of a killed worker are marked failed within a minute")
        self.assertEqual(rig.sql("select count(*) from turns_open"), [["0"]])
        for s in streams:
            s.close()

    def test_twenty_reloads_under_load(self):
        load = Load(self.rig, 8)
        stream_events = []

        def long_stream():
            stream = self.rig.stream(agent="sales/animal_health",
                                     message="through it all")
            stream_events.extend(e[0] for e in stream.all())
            stream.close()
        self.rig.configure("sales/animal_health", {
            "model_override": "openai:mock-paced-100x150",
            "model_fallback": False})
        t = threading.Thread(target=long_stream)
        t.start()
        began = time.monotonic()
        for i in range(20):
            os.kill(self.rig.master, signal.SIGHUP)
            time.sleep(max(0, began + (i + 1) * 0.9 - time.monotonic()))
        t.join()
        load.stop()
        self.assertEqual(load.bad, [])
        self.assertGreater(len(load.ok), 100)
        self.assertEqual(stream_events[-1], "done")
        self.stored_once(load)
        wait_until(lambda: len(self.rig.workers()) <= 4, 40,
                   "old workers have gone")

    def test_bad_configuration_keeps_the_old(self):
        before = set(self.rig.workers())
        self.rig.write_config(threads="many")
        os.kill(self.rig.master, signal.SIGHUP)
        wait_until(lambda: "threads" in self.rig.log() and
                   ":" in self.rig.log(), 5, "the log names the line")
        self.assertEqual(self.rig.chat(message="still").status, 200)
        self.assertEqual(set(self.rig.workers()), before)
        done = subprocess.run(
            [self.rig.path("bin", "switchboardd"), "-t", "-c",
             self.rig.conf], stderr=subprocess.PIPE, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"switchboard\.conf:\d+: threads")

    def test_bad_template_keeps_the_old(self):
        path = self.rig.path("etc", "agent_templates", "sales.yaml")
        with open(path) as f:
            good = f.read()
        with open(path, "w") as f:
            f.write("agent_type: sales\nversion: [\n")
        old = set(self.rig.workers())
        os.kill(self.rig.master, signal.SIGHUP)
        wait_until(lambda: set(self.rig.workers()) - old, 10, "new workers")
        wait_until(lambda: "sales.yaml:" in self.rig.log(), 10,
                   "the log names file and line")
        self.assertEqual(self.rig.chat(message="still").status, 200)
        with open(path, "w") as f:
            f.write(good)

    def test_term_when_idle(self):
        began = time.monotonic()
        self.assertEqual(self.rig.stop("switchboardd"), 0)
        self.assertLess(time.monotonic() - began, 3)

    def test_term_with_streams(self):
        rig = self.rig
        rig.stop("switchboardd")
        rig.write_config(drain_limit="3s")
        rig.start_server()
        wait_until(rig.ready, 10, "ready")
        rig.configure("sales/human_health", {
            "model_override": "openai:mock-paced-1000x100",
            "model_fallback": False})
        lasts = []

        def one():
            stream = rig.stream(message="drain")
            names = [e[0] for e in stream.events()]
            lasts.append(names[-1] if names else None)
            stream.close()
        threads = [threading.Thread(target=one) for _ in range(100)]
        for t in threads:
            t.start()
        wait_until(lambda: self.provider.stats()["answering"] >= 100, 15,
                   "100 streams run")
        began = time.monotonic()
        code = rig.stop("switchboardd")
        for t in threads:
            t.join()
        self.assertEqual(code, 0)
        self.assertLess(time.monotonic() - began, 15)
        self.assertEqual(collections.Counter(lasts),
                         collections.Counter({"done": 100}))
        self.assertEqual(rig.sql("select count(*) from turns where user_text"
                                 " = 'drain'"), [["100"]])

    def test_master_killed(self):
        """A2: workers end with their master within 2 s, streams or not; one
        that is started at once takes the same sockets."""
        rig = self.rig
        rig.configure("sales/animal_health", {
            "model_override": "openai:mock-paced-300x100",
            "model_fallback": False})
        stream = rig.stream(agent="sales/animal_health", message="orphaned")
        next(stream.events())
        workers = rig.workers("")
        floor = Floor()
        self.addCleanup(floor.stop)
        killed = time.monotonic()
        rig.stop("switchboardd", signal.SIGKILL)
        rig.start_server()

        def answers():
            try:
                return rig.chat(message="again").status == 200
            except (OSError, http.client.HTTPException):
                return False
        wait_until(answers, 5, "a new master serves")
        outage = time.monotonic() - killed
        wait_until(lambda: not any(map(alive, workers)), 5,
                   "workers ended with their master")
        gone = time.monotonic() - killed
        stream.close()
        print(f"outage {outage:.2f} s, workers gone after {gone:.2f} s",
              end=" ")
        self.assertLess(outage, floor.limit(3, killed))
        self.assertLess(gone, floor.limit(2, killed))
        # Whichever worker takes it: none that has no database yet answers
        # while another one is ready.
        wait_until(rig.ready, 5, "ready")
        for _ in range(40):
            self.assertEqual(rig.chat(message="again").status, 200)

    def test_health_while_all_threads_are_busy(self):
        rig = self.rig
        rig.stop("switchboardd")
        rig.write_config(threads="4", threads_spare="1", chat_workers="1")
        rig.start_server()
        wait_until(rig.ready, 10, "ready")
        rig.configure("sales/human_health", {
            "model_override": "openai:mock-paced-100x100",
            "model_fallback": False})
        streams = [rig.stream(message="busy") for _ in range(4)]
        for s in streams:
            next(s.events())
        began = time.monotonic()
        self.assertEqual(rig.get("/healthz").status, 200)
        self.assertLess(time.monotonic() - began, 1)
        reply = rig.chat(message="one too many")
        self.assertEqual(reply.status, 503)
        self.assertGreaterEqual(int(reply.headers["retry-after"]), 1)
        text = rig.get("/metrics").body.decode()
        self.assertIn("sb_threads_busy", text)
        for s in streams:
            s.close()

    def test_logs_are_opened_again(self):
        log = self.rig.path("log", "switchboard.log")
        os.rename(log, log + ".1")
        os.kill(self.rig.master, signal.SIGUSR1)
        wait_until(lambda: os.path.exists(log), 5, "a new log file")

        def written_by_a_worker():
            self.rig.chat(message="one more line")
            return "chat worker" in self.rig.log()
        wait_until(written_by_a_worker, 5, "workers write to the new file")

    def test_sockets(self):
        for name in ("chat.sock", "admin.sock", "health.sock"):
            st = os.stat(self.rig.path("run", name))
            self.assertEqual(st.st_mode & 0o7777, 0o660, name)
        st = os.stat(self.rig.path("run"))
        self.assertEqual(st.st_mode & 0o777, 0o750)

    def test_half_open_connections_hold_no_thread(self):
        """Idle and half-open FastCGI connections: others are served."""
        idle = []
        for i in range(100):
            s = socket.socket(socket.AF_UNIX)
            s.connect(self.rig.path("run", "chat.sock"))
            if i % 2:
                s.send(b"\x01\x01\x00\x01\x00\x08")  # half a header
            idle.append(s)
        began = time.monotonic()
        self.assertEqual(self.rig.chat(message="through").status, 200)
        self.assertLess(time.monotonic() - began, 3)
        for s in idle:
            s.close()


if __name__ == "__main__":
    unittest.main()
