"""Slow readers and slow senders (ROBUSTNESS A17): what they hold is bounded in
time and memory, and others do not notice.  Limits are short here; the defaults
are 30 s to write and 2 s between two reads, 30 s in all."""
import asyncio
import json
import os
import re
import socket
import threading
import time
import unittest

import openloop
from openloop import Caller, of, percentile, statuses
from rig import Provider, Rig, wait_until

READERS = 300 if "SB_LONG" in os.environ else 40
WRITE_S, READ_S = 6, 0.2
CHAT = "/accounts/acme-healthcare/chat/sales/animal_health"
STREAM = "/accounts/acme-healthcare/agents/sales/human_health/stream"
WORDS = 10000  # of an answer: a megabyte of events


def record(kind, body):
    """A FastCGI record."""
    return bytes([1, kind, 0, 1]) + len(body).to_bytes(2, "big") + \
        bytes(2) + body


class SlowPeerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = Rig("slow", env=cls.provider.env(), params={
            "threads": 1024, "chat_workers": 2, "write_timeout": f"{WRITE_S}s",
            "read_timeout": f"{int(READ_S * 1000)}ms",
            "provider_response_max": "16m"})
        cls.rig.run("account", "set-limit", "acme-healthcare",
                    "requests_per_hour", "unlimited")
        for agent, behaviour in (("human_health", f"words-{WORDS}"),
                                 ("animal_health", "slow-20")):
            cls.rig.configure(f"sales/{agent}", {
                "model_override": f"openai:mock-{behaviour}",
                "model_fallback": False})

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def chat(self):
        return Caller(self.rig.port, openloop.request(
            "POST", CHAT, dict(self.rig.auth(), **{
                "Content-Type": "application/json"}),
            json.dumps({"message": "hi"}).encode()))

    def fcgi(self, path, length):
        """The head of a request, as a web server would send it."""
        params = b"".join(
            bytes([len(k), len(v)]) + k + v for k, v in (
                (b"REQUEST_METHOD", b"POST"),
                (b"CONTENT_LENGTH", str(length).encode()),
                (b"CONTENT_TYPE", b"application/json"),
                (b"REQUEST_URI", path.encode()),
                (b"HTTP_AUTHORIZATION", f"Bearer {self.rig.key}".encode()),
                (b"REMOTE_ADDR", b"127.0.0.1")))
        return record(1, bytes([0, 1, 1, 0, 0, 0, 0, 0])) + \
            record(4, params) + record(4, b"")

    def busy(self):
        """Request threads of the chat workers that serve."""
        text = self.rig.get("/metrics").body.decode()
        return sum(int(float(n)) for n in re.findall(
            r"^sb_threads_busy(?:\{[^}]*\})? (\S+)", text, re.M))

    def memory(self):
        total = 0
        for pid in self.rig.workers():
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += int(re.search(r"^Pss:\s+(\d+)", f.read(),
                                       re.M).group(1)) * 1024
        return total

    def written(self):
        """Bytes that the chat workers have written so far, to anybody."""
        total = 0
        for pid in self.rig.workers():
            with open(f"/proc/{pid}/io") as f:
                total += int(re.search(r"^wchar: (\d+)", f.read(),
                                       re.M).group(1))
        return total

    def stuck(self):
        """Does hardly anything go out any more?"""
        before = self.written()
        time.sleep(0.3)
        return self.written() - before < 50_000

    def paced(self, seconds):
        c = self.chat()
        asyncio.run(c.paced(20, seconds))
        self.assertEqual(statuses(c.samples), {200})
        return percentile(c.samples, 0.99)

    def test_slow_readers(self):
        """At our own socket, as a web server that stands still for its client:
        between the two, buffers of kernel and web server hold megabytes."""
        floor = self.paced(3)
        before = self.memory()
        readers = []
        began = time.monotonic()
        try:
            for _ in range(READERS):
                s = socket.socket(socket.AF_UNIX)
                s.connect(self.rig.path("run", "chat.sock"))
                body = json.dumps({"message": "talk"}).encode()
                s.sendall(self.fcgi(STREAM, len(body)) + record(5, body) +
                          record(5, b""))
                readers.append(s)
            wait_until(lambda: self.busy() >= READERS, 10,
                       "they are being served")
            wait_until(self.stuck, 30, "their buffers are full")
            self.assertGreaterEqual(self.busy(), READERS * 0.9)
            peak = self.memory()
            p99 = self.paced(2)
            wait_until(lambda: self.busy() <= 2, 30, "their threads are free")
            took = time.monotonic() - began
        finally:
            for s in readers:
                s.close()
        # The thread itself and 256 KiB.
        self.assertLessEqual((peak - before) / READERS, (256 + 96) * 1024)
        self.assertLessEqual(took, 2 * WRITE_S + 15)
        self.assertLessEqual(p99, 2 * floor + 100)
        if "SB_SAY" in os.environ:
            print("readers", READERS, "KiB each",
                  (peak - before) / READERS / 1024, "freed after", took,
                  "p99", p99, "floor", floor, flush=True)

    def test_slow_senders_through_nginx(self):
        """nginx holds a body until it is whole: no thread of ours waits."""
        floor = self.paced(3)
        head = openloop.request("POST", CHAT, dict(self.rig.auth(), **{
            "Content-Type": "application/json"}), b"x" * 1000)[:-1000]
        senders = []
        for _ in range(READERS):
            s = socket.create_connection(("127.0.0.1", self.rig.port))
            s.sendall(head + b"{")
            senders.append(s)
        over = threading.Event()

        def drip():
            while not over.wait(0.3):
                for s in senders:
                    s.sendall(b" ")
        t = threading.Thread(target=drip)
        t.start()
        try:
            p99 = self.paced(3)
            self.assertLessEqual(self.busy(), 4)
        finally:
            over.set()
            t.join()
            for s in senders:
                s.close()
        self.assertLessEqual(p99, 2 * floor + 100)

    def test_slow_senders_at_the_socket(self):
        """A body that drips into our own socket is given up in 15 times the
        longest pause."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(READ_S / 2)
        s.connect(self.rig.path("run", "chat.sock"))
        s.sendall(self.fcgi(CHAT, 60000))
        began, answer = time.monotonic(), b""
        while time.monotonic() < began + 30:
            try:
                s.sendall(record(5, b" "))
                part = s.recv(4096)
                if not part:
                    break
                answer += part
            except TimeoutError:
                continue
            except OSError:
                break
        took = time.monotonic() - began
        s.close()
        self.assertIn(b"408", answer)
        self.assertLess(took, 15 * READ_S + 5)
        wait_until(lambda: self.busy() == 0, 5, "its thread is free")


if __name__ == "__main__":
    unittest.main()
