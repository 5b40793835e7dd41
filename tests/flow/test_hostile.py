"""Hostile input from outside: ROBUSTNESS D2, D3, D6, D7, D16, D17."""
import json
import os
import random
import re
import socket
import struct
import threading
import time
import unittest

from rig import SOURCE, Floor, Rig, wait_until

PATH = "/accounts/acme-healthcare/chat/sales/human_health"
CONTRACTS = os.environ.get("SB_CONTRACTS") or os.path.join(
    SOURCE, "..", "shared", "contracts")


class HostileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = Rig("hostile", params={"threads": 128})
        cls.rig.configure("sales/human_health", {
            "model_override": "builtin:concierge"})

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def post(self, body):
        return self.rig.request("POST", PATH, body, self.rig.auth())

    # D2 -----------------------------------------------------------------

    def nested(self, depth):
        # {"message": ..., "metadata": {"a": [[...]]}}: depth of the whole
        inner = "[" * (depth - 2) + "]" * (depth - 2)
        return '{"message":"hi","metadata":{"a":%s}}' % inner

    def test_depth(self):
        self.assertEqual(self.post(self.nested(32)).status, 200)
        for depth in (33, 65, 1025, 10000):
            reply = self.post(self.nested(depth))
            self.assertEqual(reply.status, 400, depth)
            self.assertRegex(reply.json["detail"], r"line 1, column \d+")

    def test_nodes(self):
        def body(nodes):
            # root, message, metadata, the array, then its numbers
            return '{"message":"hi","metadata":{"a":[%s]}}' % ",".join(
                "1" * 1 for _ in range(nodes - 4))
        # 8 KiB is the limit of metadata; nodes are counted before that
        self.assertIn(self.post(body(4000)).status, (200, 422))
        self.assertIn(self.post(body(10000)).status, (200, 422))
        self.assertEqual(self.post(body(10001)).status, 400)

    def test_bytes(self):
        for body in (b'{"message":"a\x00b"}', b'{"message":"a\\u0000b"}',
                     b'{"message":"\xff\xfe"}', b'{"message":"\xc0\xaf"}',
                     b'{"message":"\\ud800"}', b'\xef\xbb\xbf{"message":"a"}',
                     b'{"message":1e400}', b'{"message":"a"} x', b'',
                     b'{"message":"a","message":"b"}', b'{', b'[]', b'"a"',
                     b'{"message":"a",}', b"{'message':'a'}", b'nul'):
            reply = self.post(body)
            self.assertIn(reply.status, (400, 422), body)
            self.assertEqual(reply.headers["content-type"],
                             "application/problem+json", body)

    def test_sizes(self):
        self.assertEqual(self.post('{"message":"%s"}' % ("k" * 66000)).status,
                         413)
        reply = self.post('{"%s":1}' % ("k" * (1 << 20)))
        self.assertEqual(reply.status, 413)
        reply = self.post("x" * (3 << 20))  # nginx's own answer
        self.assertEqual(reply.status, 413)
        self.assertEqual(reply.headers["content-type"],
                         "application/problem+json")
        self.assertEqual(reply.json["status"], 413)

    def test_worst_bodies_at_once(self):
        worst = '{"message":"hi","metadata":{"a":[%s]}}' % ",".join(
            ["{}"] * 9990)

        def rss():
            return sum(int(open(f"/proc/{p}/statm").read().split()[1]) * 4096
                       for p in self.rig.workers())
        before, peak = rss(), [0]
        stop = threading.Event()

        def watch():
            while not stop.is_set():
                peak[0] = max(peak[0], rss())
                stop.wait(0.02)
        w = threading.Thread(target=watch)
        w.start()
        threads = [threading.Thread(target=lambda: [
            self.post(worst) for _ in range(5)]) for _ in range(64)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        stop.set()
        w.join()
        self.assertLess(peak[0] - before, 200 << 20)

    # D6 -----------------------------------------------------------------

    def test_nothing_adds_a_header_or_a_log_line(self):
        strings = ["a%0d%0aX-Evil:%201", "a%0aX-Evil:1", "%E5%98%8D%E5%98%8A",
                   "a%00b", "%0d%0a%0d%0a<script>"]
        before = self.rig.log().count("\n")
        for s in strings:
            for path in (f"/accounts/{s}/chat/sales/x",
                         f"/accounts/acme-healthcare/turns/{s}",
                         f"/accounts/acme-healthcare/sessions/{s}/messages",
                         f"/problems/{s}", f"/healthz?x={s}"):
                reply = self.rig.get(path, headers=self.rig.auth())
                self.assertNotIn("x-evil", reply.headers, path)
        for value in ("abc\tdef-ghi-jkl", "x" * 65, "short", "aaaaaaaa;bbb",
                      "ünïcödé-value".encode().decode("latin-1")):
            reply = self.rig.request("POST", PATH, {"message": "hi"}, dict(
                self.rig.auth(), **{"X-Request-Id": value}))
            self.assertNotEqual(reply.headers["x-request-id"], value)
            self.assertRegex(reply.headers["x-request-id"],
                             r"^[A-Za-z0-9._-]{8,64}$")
        log = wait_until(lambda: self.rig.log() if self.rig.log().count("\n")
                         > before else None, 5, "log lines")
        for line in log.splitlines():
            json.loads(line)

    # D7 -----------------------------------------------------------------

    def test_spellings_of_a_path(self):
        for path in ("/accounts/acme-healthcare/chat/sales/human%5fhealth",
                     "/ACCOUNTS/acme-healthcare/chat/sales/human_health",
                     "/accounts/acme-healthcare/chat/sales/human_health/",
                     "/accounts//acme-healthcare/chat/sales/human_health",
                     "/accounts/acme-healthcare/chat/sales/./human_health",
                     "/accounts/acme-healthcare/chat/x/../sales/human_health",
                     "/accounts/acme-healthcare/chat/sales\\human_health",
                     "/accounts/acme-healthcare/chat%2fsales/human_health",
                     "/accounts/acme-healthcare/chat/sales/human_health%00",
                     "/accounts/acme-healthcare/chat/sales/human_health;a",
                     "/accounts/%61cme-healthcare/chat/sales/human_health"):
            reply = self.rig.request("POST", path, {"message": "hi"},
                                     self.rig.auth())
            self.assertIn(reply.status, (400, 404), path)

    # D16, D17 -----------------------------------------------------------

    def raw(self, data):
        """What the server answers to raw bytes (its status, all bytes)."""
        s = socket.create_connection(("127.0.0.1", self.rig.port), 5)
        s.sendall(data)
        s.settimeout(5)
        got = b""
        try:
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                got += piece
        except TimeoutError:
            pass
        s.close()
        return got

    def http(self, *headers, body=b"", method="POST"):
        head = [f"{method} {PATH} HTTP/1.1", "Host: x", "Connection: close",
                f"Authorization: Bearer {self.rig.key}",
                "Content-Type: application/json", *headers]
        return self.raw("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    def test_smuggling(self):
        good = b'{"message":"hi"}'
        for headers, body in (
                (("Content-Length: 16", "Transfer-Encoding: chunked"),
                 b"10\r\n" + good + b"\r\n0\r\n\r\n"),
                (("Content-Length: 16", "Content-Length: 17"), good + b"x"),
                (("Content-Length: +16",), good),
                (("Content-Length: 16, 16",), good),
                (("Transfer-Encoding: chunked, identity",), good),
                (("Transfer-Encoding: xchunked",), good)):
            got = self.http(*headers, body=body)
            self.assertRegex(got[:20], rb"^HTTP/1.1 (400|501)", headers)
        got = self.http("Transfer-Encoding: chunked",
                        body=b"10;ext=1\r\n" + good + b"\r\n0\r\n\r\n")
        self.assertRegex(got[:20], rb"^HTTP/1.1 (200|400)")
        # Two requests in one: the second is answered as itself, no more.
        got = self.http(f"Content-Length: {len(good)}", body=good +
                        b"GET /evil HTTP/1.1\r\n\r\n")
        self.assertEqual(got.count(b"HTTP/1.1 "), 1)

    def test_many_and_large(self):
        reply = self.rig.get("/accounts/acme-healthcare/sessions/none/messages"
                             "?limit=5&limit=900&" + "&".join(
                                 f"p{i}=1" for i in range(400)),
                             headers=self.rig.auth())
        self.assertIn(reply.status, (404, 414))
        got = self.http("X-Big: " + "a" * 65536)
        self.assertRegex(got[:20], rb"^HTTP/1.1 (400|431)")
        got = self.http("Cookie: " + "a" * (1 << 20))
        self.assertRegex(got[:20], rb"^HTTP/1.1 (400|431)")
        got = self.raw(b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x"
                       b"\r\nConnection: close\r\n\r\n")
        self.assertRegex(got[:20], rb"^HTTP/1.1 414")
        reply = self.rig.request("POST", PATH, {"message": "hi"}, dict(
            self.rig.auth(), **{"X-HTTP-Method-Override": "DELETE"}))
        self.assertEqual(reply.status, 200)
        for method in ("PUT", "PATCH", "TRACE", "PROPFIND"):
            reply = self.rig.request(method, PATH, {"message": "hi"},
                                     self.rig.auth())
            self.assertEqual(reply.status, 405, method)
        self.assertEqual(self.rig.request("PUT", PATH, {},
                                          self.rig.auth()).headers["allow"],
                         "POST")

    def test_identity_headers_are_scrubbed(self):
        for name in ("X-Remote-User", "Remote-User", "REMOTE_USER", "Proxy",
                     "X-Forwarded-User", "x-remote_user"):
            reply = self.rig.request("POST", PATH, {"message": "hi"},
                                     {name: "admin"})
            self.assertEqual(reply.status, 401, name)

    # D3 -----------------------------------------------------------------

    @staticmethod
    def record(kind, data, ident=1):
        return struct.pack("!BBHHBB", 1, kind, ident, len(data), 0, 0) + data

    def fcgi(self, params, body=b""):
        enc = b""
        for k, v in params:
            for s in (k, v):
                enc += (bytes([len(s)]) if len(s) < 128
                        else struct.pack("!I", len(s) | 1 << 31))
            enc += k + v
        out = self.record(1, struct.pack("!HB5x", 1, 1))
        for i in range(0, len(enc), 60000):
            out += self.record(4, enc[i:i + 60000])
        out += self.record(4, b"")
        if body:
            out += self.record(5, body)
        return out + self.record(5, b"")

    def test_fastcgi_mutants(self):
        """Bytes that no web server sends: no crash in our code; the one
        abort known of libfcgi is answered by a new worker within a second."""
        rng = random.Random(20261122)
        good = self.fcgi([(b"REQUEST_METHOD", b"POST"),
                          (b"REQUEST_URI", PATH.encode()),
                          (b"CONTENT_LENGTH", b"16"),
                          (b"CONTENT_TYPE", b"application/json"),
                          (b"REMOTE_ADDR", b"127.0.0.1"),
                          (b"HTTP_AUTHORIZATION",
                           b"Bearer " + self.rig.key.encode())],
                         b'{"message":"hi"}')
        path = self.rig.path("run", "chat.sock")
        for i in range(int(os.environ.get("SB_MUTANTS", 3000))):
            mutant = bytearray(good)
            for _ in range(rng.randint(1, 6)):
                at = rng.randrange(len(mutant))
                mutant[at] = rng.choice((0, 255, 128, rng.randrange(256)))
            if rng.random() < 0.3:
                del mutant[rng.randrange(len(mutant)):]
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(5)
            try:
                s.connect(path)
                s.sendall(mutant)
                if i % 10 == 0:
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
            except OSError:
                pass
            s.close()

        def answers():
            try:
                return self.post({"message": "alive"}).status == 200
            except OSError:
                return False
        wait_until(answers, 5, "chat is answered after the mutants")
        # libfcgi's own assertion may end a worker; nothing of ours may.
        self.assertEqual([d for d in self.deaths() if d.get("signal") != "6"], [])

    def deaths(self, since=0):
        """What the log says about workers that died, from a byte on."""
        with open(self.rig.path("log", "switchboard.log"), "rb") as f:
            f.seek(since)
            events = [json.loads(line) for line in f if line.endswith(b"\n")]
        return [e for e in events if e.get("event") == "worker_died"]

    def test_the_known_abort(self):
        """libfcgi before 2.4.5 ends the whole process on one message of 32
        bytes (ROBUSTNESS 1); then another worker stands there in a second."""
        floor = Floor()
        self.addCleanup(floor.stop)
        before = set(self.rig.workers())
        since = os.path.getsize(self.rig.path("log", "switchboard.log"))
        message = self.record(1, struct.pack("!HB5x", 1, 0)) + self.record(
            4, struct.pack("!II", 0xc0000000, 0xc0000000))
        self.assertEqual(len(message), 32)
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(5)
        s.connect(self.rig.path("run", "chat.sock"))
        s.sendall(message)
        s.shutdown(socket.SHUT_WR)
        try:
            self.assertEqual(s.recv(1), b"")
        except ConnectionError:
            pass
        s.close()
        ended = time.monotonic()
        while not self.deaths(since) and \
                time.monotonic() - ended < floor.limit(1, ended):
            time.sleep(0.02)
        if self.deaths(since):
            now = wait_until(lambda: set(self.rig.workers()) - before and
                             set(self.rig.workers()), 5, "a new worker")
            took = time.monotonic() - ended
            print(f"{took:.2f} s", end=" ")
            self.assertLess(took, floor.limit(1, ended))
            self.assertEqual([(int(d["child"]), d["signal"])
                              for d in self.deaths(since)],
                             [(pid, "6") for pid in before - now])
        else:
            self.assertEqual(set(self.rig.workers()), before)
        self.assertEqual(self.post({"message": "alive"}).status, 200)

    def test_odd_parameters(self):
        """First match wins, by exact name; NUL and "=" in names are inert."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(5)
        s.connect(self.rig.path("run", "chat.sock"))
        s.sendall(self.fcgi([
            (b"REQUEST_METHOD", b"GET"), (b"REQUEST_METHOD", b"DELETE"),
            (b"REQUEST_URI", b"/accounts/acme-healthcare/turns/x"),
            (b"HTTP_AUTHORIZATION=Bearer " + self.rig.key.encode(), b""),
            (b"HTTP_AUTHORIZATION\0", b"Bearer " + self.rig.key.encode())]))
        got = b""
        try:
            while b"request_id" not in got:
                piece = s.recv(65536)
                if not piece:
                    break
                got += piece
        except TimeoutError:
            pass
        s.close()
        self.assertRegex(got, rb"Status: 401")

    def test_openapi(self):
        doc = self.rig.get("/api/v1/openapi.json")
        self.assertEqual(doc.status, 200)
        doc = doc.json
        self.assertEqual(doc["openapi"][:4], "3.1.")
        self.assertIn("/accounts/{slug}/chat/{agent_type}/{instance_name}",
                      doc["paths"])
        seen = set()
        for path, item in doc["paths"].items():
            names = set(re.findall(r"{(\w+)}", path))
            for method, op in item.items():
                if method == "parameters":
                    continue
                self.assertNotIn(op["operationId"], seen)
                seen.add(op["operationId"])
                given = {p["name"] for p in op.get("parameters", [])
                         if p.get("in") == "path"}
                self.assertEqual(names, given, path)
                self.assertTrue(op["responses"])
                self.assertTrue(op["summary"])
        text = json.dumps(doc)
        for ref in re.findall(r'"\$ref": "#/([^"]+)"', text):
            at = doc
            for part in ref.split("/"):
                at = at[part]

    def test_docs_and_problem_pages(self):
        page = self.rig.get("/api/docs")
        self.assertEqual(page.status, 200)
        self.assertIn("text/html", page.headers["content-type"])
        problem = self.rig.get(PATH).json
        page = self.rig.get(problem["type"])
        self.assertEqual(page.status, 200)

    def test_metrics_text(self):
        reply = self.rig.get("/metrics")
        self.assertEqual(reply.status, 200)
        self.assertTrue(reply.headers["content-type"].startswith(
            "text/plain; version=0.0.4"))
        types, samples = {}, {}
        for line in reply.body.decode().splitlines():
            if line.startswith("# TYPE "):
                name, kind = line.split()[2:4]
                self.assertNotIn(name, types)
                types[name] = kind
            elif not line.startswith("#") and line:
                m = re.match(r'^([a-z_]+)(\{(?:\w+="[^"]*",?)*\})? (\S+)$', line)
                self.assertTrue(m, line)
                float(m.group(3))
                samples.setdefault(m.group(1), []).append(line)
        for name in ("sb_http_requests_total", "sb_threads_busy",
                     "sb_db_connections", "sb_writer_pieces_total",
                     "sb_http_request_duration_seconds"):
            self.assertIn(name, types)


if __name__ == "__main__":
    unittest.main()
