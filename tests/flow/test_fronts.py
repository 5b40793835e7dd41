"""What must hold behind either web server, nginx and Apache, with the files
that are shipped in etc/: streams, hang-ups (A16), reloads (A22), spellings of
a path (D7), smuggling (D16), who the client is, and what each answers itself.
One installation, both before it."""
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

from rig import Provider, Rig, wait_until

PATH = "/accounts/acme-healthcare/chat/sales/human_health"
WIDGET_PER_MINUTE = 7
provider = rig = None


def setUpModule():
    global provider, rig
    provider = Provider()
    rig = Rig("fronts", env=provider.env(), params={
        "heartbeat": "1s", "threads": 256,
        "widget_per_minute": WIDGET_PER_MINUTE})
    rig.add_front("apache")
    with open(rig.path("static", "widget.js"), "w") as f:
        f.write("/* ünïcödé */\n")
    rig.run("account", "set-limit", "acme-healthcare", "requests_per_hour",
            "unlimited")


def tearDownModule():
    rig.close()
    provider.close()


class Behind:
    """The tests; a class below says which web server."""

    def setUp(self):
        self.front = next(f for f in rig.fronts if f.name == self.name)
        rig.port = self.front.port

    def use(self, model):
        rig.configure("sales/human_health", {"model_override": model,
                                             "model_fallback": False})

    # Chat and streams ---------------------------------------------------

    def test_turn(self):
        self.use("openai:mock-echo")
        message = f"through {self.name}: ünïcödé"
        reply = rig.chat(message=message)
        self.assertEqual(reply.status, 200, reply)
        self.assertIn(message, reply.json["reply"])
        self.assertRegex(reply.headers["x-request-id"],
                         r"^[A-Za-z0-9._-]{8,64}$")
        reply = rig.chat(message="hi", headers=dict(
            rig.auth(), **{"X-Request-Id": "my-own-id.0001"}))
        self.assertEqual(reply.headers["x-request-id"], "my-own-id.0001")
        for bad in ("short", 'quote"d-and-long', "x" * 65, "a b c d e f"):
            reply = rig.chat(message="hi", headers=dict(
                rig.auth(), **{"X-Request-Id": bad}))
            self.assertNotEqual(reply.headers["x-request-id"], bad)
            self.assertRegex(reply.headers["x-request-id"],
                             r"^[A-Za-z0-9._-]{8,64}$")
        # A body in chunks has no length; the answer is the same.
        c = rig.connect()
        c.request("POST", PATH, iter([b'{"message":', b'"in two"}']), dict(
            rig.auth(), **{"Content-Type": "application/json",
                           "Transfer-Encoding": "chunked"}),
                  encode_chunked=True)
        self.assertEqual(c.getresponse().status, 200)
        c.close()

    def test_first_delta_while_the_model_talks(self):
        self.use("openai:mock-paced-20x100")
        stream = rig.stream(message="slowly")
        events = stream.all()
        stream.close()
        deltas = [e for e in events if e[0] == "delta"]
        self.assertGreaterEqual(len(deltas), 10)
        self.assertEqual(events[-1][0], "done")
        whole = events[-1][3]
        self.assertGreater(whole, 1.5)
        self.assertLess(deltas[0][3], whole / 3)
        # Not in lumps: none waits for the ones behind it.
        gaps = [b[3] - a[3] for a, b in zip(deltas, deltas[1:])]
        self.assertLess(max(gaps), 1)

    def test_heartbeats(self):
        self.use("openai:mock-slow-first-2500")
        stream = rig.stream(message="wait for it")
        stream.all()
        stream.close()
        self.assertGreaterEqual(stream.comments, 2)

    def test_a_stream_goes_on(self):
        """Cut off, and read on while it runs and when it has ended."""
        self.use("openai:mock-paced-30x40")
        stream = rig.stream(message="cut off")
        source = stream.events()
        events = [next(source) for _ in range(5)]
        stream.close()
        turn = events[0][2]["turn_id"]
        for most in (8, 1000):
            stream = rig.resume(turn, events[-1][1])
            self.assertEqual(stream.status, 200)
            for event in stream.events():
                events.append(event)
                most -= 1
                if most == 0:
                    break
            stream.close()
        self.assertEqual(events[-1][0], "done")
        self.assertEqual("".join(e[2]["text"] for e in events
                                 if e[0] == "delta"),
                         next(e[2]["reply"] for e in events
                              if e[0] == "message"))
        stream = rig.resume(turn, events[-1][1])
        self.assertEqual(stream.status, 204)
        stream.close()

    # A16 ----------------------------------------------------------------

    def handles(self):
        return sum(len(os.listdir(f"/proc/{pid}/fd"))
                   for pid in rig.workers())

    def hang_up(self, read_first):
        stream = rig.stream(message="hang up")
        events = stream.events()
        next(events)
        if read_first:
            next(events)
        stream.close()

    def hang_ups(self, n, read_first, within):
        for _ in range(n // 20):
            threads = [threading.Thread(target=self.hang_up,
                                        args=(read_first,))
                       for _ in range(20)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
        wait_until(lambda: provider.stats()["answering"] == 0, within,
                   "upstream connections of hung-up readers are closed")
        wait_until(lambda: rig.sql("select count(*) from turns_open")
                   == [["0"]], 5, "no turn is left open")

    def test_hang_ups(self):
        """Apache notices by failed writes only: by the deltas while the model
        talks, by two heartbeats while it is silent."""
        self.use("openai:mock-paced-500x50")
        self.hang_ups(20, True, 10)
        before = self.handles()
        self.hang_ups(500, True, 5)
        self.use("openai:mock-slow-first-20000")
        self.hang_ups(20, False, 5 if self.name == "apache" else 2)
        wait_until(lambda: self.handles() <= before + 10, 10,
                   f"descriptors came back to about {before}")
        (n,), = rig.sql("select count(*) from turns where user_text = "
                        "'hang up' and status <> 'cancelled'")
        self.assertEqual(n, "0")

    # A22 ----------------------------------------------------------------

    def test_reloads_under_load(self):
        self.use("openai:mock-echo")
        bad, done, stop = [], [0], threading.Event()
        lock = threading.Lock()

        def call():
            c = rig.connect()
            while not stop.is_set():
                try:
                    reply = rig.chat(message="reload", connection=c)
                    problem = None if reply.status == 200 else reply
                except (OSError, http.client.HTTPException) as e:
                    problem = e
                    c.close()
                    c = rig.connect()
                with lock:
                    done[0] += problem is None
                    if problem is not None:
                        bad.append(problem)
            c.close()
        threads = [threading.Thread(target=call) for _ in range(8)]
        for t in threads:
            t.start()
        for _ in range(int(os.environ.get("SB_RELOADS", 6))):
            before = set(rig.workers())
            os.kill(rig.master, signal.SIGHUP)
            wait_until(lambda: len(set(rig.workers()) - before) >= 2, 10,
                       "a new generation")
            time.sleep(0.3)
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(bad, [])
        self.assertGreater(done[0], 50)
        if self.name == "apache":  # which keeps no connection for later
            wait_until(lambda: len(rig.workers()) == 2, 10,
                       "old workers have gone")

    # D7 -----------------------------------------------------------------

    @staticmethod
    def spellings():
        """Sixty other ways to write PATH."""
        parts = PATH[1:].split("/")
        out = []
        for i, part in enumerate(parts):
            for other in ("%" + "%02x" % ord(part[0]) + part[1:],
                          "%" + "%02X" % ord(part[-1]), part.upper(),
                          part + "%20", part + "%00", part + ";x=1",
                          "./" + part, "x/../" + part, "x/%2e%2e/" + part,
                          "/" + part):
                out.append("/" + "/".join(parts[:i] + [other] +
                                          parts[i + 1:]))
        for a, b in (("/chat/", "/chat%2f"), ("/chat/", "/chat%2F"),
                     ("/chat/", "/chat%5c"), ("/chat/", "/chat\\"),
                     ("/chat/", "/chat%252f"), ("/chat/", "/chat/..;/chat/"),
                     ("/accounts", "//accounts"), ("/accounts", "/%2faccounts")):
            out.append(PATH.replace(a, b))
        return out + [PATH + "/", PATH + "/.", PATH + "/..", PATH + "%0a",
                      PATH + "%ff", PATH + "%23", PATH + "%3f"]

    def raw(self, data, seconds=5):
        """All that comes back for raw bytes."""
        s = socket.create_connection(("127.0.0.1", rig.port), 5)
        s.settimeout(seconds)
        got = b""
        try:
            s.sendall(data)
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                got += piece
        except OSError:
            pass
        s.close()
        return got

    def http(self, *headers, body=b"", method="POST", path=PATH, key=True):
        head = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close",
                "Content-Type: application/json", *headers]
        if key:
            head.append(f"Authorization: Bearer {rig.key}")
        return self.raw("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    def test_spellings_of_a_path(self):
        """One spelling is right; no other is served, with a key or without,
        and each refusal has the one form."""
        self.use("builtin:concierge")
        body = b'{"message":"hi"}'
        got = self.http("Content-Length: 16", body=body)
        self.assertEqual(got[9:12], b"200")
        paths = self.spellings()
        self.assertGreaterEqual(len(paths), 60)
        for path in paths:
            for key in (True, False):
                got = self.http("Content-Length: 16", body=body, path=path,
                                key=key)
                self.assertIn(got[9:12], (b"400", b"404", b"401")
                              if not key else (b"400", b"404"), path)
                self.assertIn(b"application/problem+json", got, path)
        for path in ("/HEALTHZ", "/healthz/", "/healthz/x", "/metrics%20",
                     "/./metrics/x", "/api/V1/openapi.json",
                     "/API/v1/openapi.json", "/api//v1/openapi.json",
                     "/accounts/x/../../metrics", "/static/../metrics",
                     "/static/%2e%2e/etc/switchboard.conf",
                     "/static/..%2fetc/switchboard.conf"):
            got = self.http(path=path, method="GET", key=False)
            self.assertIn(got[9:12], (b"400", b"401", b"403", b"404"), path)

    # D16 ----------------------------------------------------------------

    def test_smuggling(self):
        self.use("openai:mock-echo")
        good = b'{"message":"hi"}'
        for headers, body in (
                (("Content-Length: 16", "Content-Length: 17"), good + b"x"),
                (("Content-Length: +16",), good),
                (("Content-Length: 0x10",), good),
                (("Content-Length: 16, 16",), good),
                (("Content-Length : 16",), good),
                (("Transfer-Encoding: chunked, identity",), good),
                (("Transfer-Encoding: xchunked",), good),
                (("Transfer-Encoding: identity, chunked, x",), good)):
            got = self.http(*headers, body=body)
            self.assertRegex(got[:20], rb"^HTTP/1.1 (400|501)", headers)
        # Both lengths: refused, or (Apache) the chunks count, the length is
        # forgotten and nothing else is read from that connection.
        evil = (b"10\r\n" + good + b"\r\n0\r\n\r\n"
                b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        got = self.raw(
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
            f"{rig.key}\r\nContent-Type: application/json\r\n"
            "Content-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n"
            .encode() + evil)
        self.assertEqual(got.count(b"HTTP/1.1 "), 1, got)
        self.assertRegex(got[:20], rb"^HTTP/1.1 400" if self.name == "nginx"
                         else rb"^HTTP/1.1 (200|400)")
        got = self.http(f"Content-Length: {len(good)}", body=good +
                        b"GET /evil HTTP/1.1\r\n\r\n")
        self.assertEqual(got.count(b"HTTP/1.1 "), 1)
        # Lines that end in a bare line feed: one request, or none.
        got = self.raw(f"POST {PATH} HTTP/1.1\nHost: x\nConnection: close\n"
                       f"Authorization: Bearer {rig.key}\nContent-Type: "
                       "application/json\nContent-Length: 16\n\n".encode() +
                       good)
        self.assertEqual(got.count(b"HTTP/1.1 "), 1)
        self.assertRegex(got[:20], rb"^HTTP/1.1 (400|200)")

    # Who ----------------------------------------------------------------

    def test_identity_headers_are_scrubbed(self):
        """None of them reaches the application under any spelling."""
        seen = []
        listener = socket.socket(socket.AF_UNIX)
        path = rig.path("run", f"probe-{self.name}.sock")
        listener.bind(path)
        os.chmod(path, 0o666)
        listener.listen(8)
        front = rig.add_front(self.name, edit=lambda _, text: text.replace(
            rig.path("run", "chat.sock"), path))

        def record():
            s, _ = listener.accept()
            s.settimeout(5)
            got = b""
            while b"CONTENT_LENGTH" not in got or b"HTTP_HOST" not in got:
                piece = s.recv(65536)
                if not piece:
                    break
                got += piece
            seen.append(got)
            s.close()
        names = ["X-Remote-User", "x-remote-user", "X-REMOTE-USER",
                 "Remote-User", "X-Forwarded-User", "X-Forwarded-Email",
                 "X-Auth-Request-User", "X-Authenticated-User",
                 "X-WebAuth-User", "X-SSL-Client-S-DN", "OIDC-Claim-Sub",
                 "Proxy", "X_Remote_User", "REMOTE_USER", "X.Remote.User",
                 "SB-Front-Secret", "SB_Front_Secret", "SB-Front-User",
                 "SB-Front-Subject", "sb-front-issuer", "SB_FRONT_USER"]
        rig.port = front.port
        t = threading.Thread(target=record)
        t.start()
        self.http("Content-Length: 16", *[f"{n}: mallory{i}"
                                          for i, n in enumerate(names)],
                  *[f"{n}: mallory-twice" for n in names],
                  "X-Kept: honest", body=b'{"message":"hi"}')
        t.join()
        listener.close()
        front.stop()
        self.assertIn(b"honest", seen[0])
        self.assertIn(rig.key.encode(), seen[0])  # Authorization is passed
        self.assertNotIn(b"mallory", seen[0])

    def widget(self, address):
        return rig.request("POST", PATH, {"message": "hi"}, {
            "X-Widget-Key": rig.widget_key, "Origin": "http://localhost",
            "X-Forwarded-For": address}).status

    def test_client_address(self):
        self.use("builtin:concierge")
        n = {"nginx": 1, "apache": 2}[self.name]
        # We stand at a trusted address: what we say of others counts, and of
        # a chain only what our own proxy added.
        got = [self.widget(f"203.0.113.{n}") for _ in range(9)]
        self.assertEqual(got, [200] * WIDGET_PER_MINUTE + [429] * 2)
        self.assertEqual(self.widget(f"198.51.100.9, 203.0.113.{n}"), 429)
        self.assertEqual(self.widget(f"203.0.113.{n + 10}"), 200)

    # Files --------------------------------------------------------------

    def test_files(self):
        for method in ("GET", "HEAD"):
            reply = rig.request(method, "/widget.js")
            self.assertEqual(reply.status, 200)
            self.assertEqual(reply.headers["content-type"],
                             "text/javascript; charset=utf-8")
            self.assertEqual(reply.headers["x-content-type-options"],
                             "nosniff")
            self.assertRegex(reply.headers["x-request-id"],
                             r"^[A-Za-z0-9._-]{8,64}$")
            self.assertEqual(reply.headers["content-length"], "18")
        self.assertIn(rig.get("/static/").status, (403, 404))

    # F12 ----------------------------------------------------------------

    def test_tls(self):
        """The shipped virtual host: TLS 1.2 and up, forward secrecy, HSTS
        on every answer, nothing in the clear."""
        pem = rig.path("etc", f"tls-{self.name}.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-keyout", pem, "-out", pem + ".crt", "-days", "2", "-subj",
             "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        front = rig.add_front(
            self.name, edit=lambda f, text: f.add_tls(text, pem + ".crt", pem))

        def shake(*options):
            """The protocol and suite agreed on, or None."""
            done = subprocess.run(
                ["openssl", "s_client", "-connect",
                 f"127.0.0.1:{front.tls_port}", "-servername", "localhost",
                 "-CAfile", pem + ".crt", "-verify_return_error", *options],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, timeout=10)
            got = re.search(r"^New, (\S+), Cipher is (\S+)", done.stdout, re.M)
            return None if got is None or got.group(2) == "(NONE)" \
                else got.group(2)
        self.assertIn("GCM", shake("-tls1_3"))
        self.assertRegex(shake("-tls1_2"), "^ECDHE-RSA-.*(GCM|POLY1305)")
        for options in (
                ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
                ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
                ("-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"),
                ("-tls1_2", "-cipher", "SHA1:SHA256:SHA384:@SECLEVEL=0"),
                ("-tls1_2", "-cipher", "kDHE:@SECLEVEL=0"),
                ("-tls1_2", "-cipher", "aNULL:eNULL:@SECLEVEL=0")):
            self.assertIsNone(shake(*options), options)
        context = ssl.create_default_context(cafile=pem + ".crt")

        def ask(method, path, body=None, **headers):
            c = http.client.HTTPSConnection("localhost", front.tls_port,
                                            timeout=20, context=context)
            c.request(method, path, body, headers)
            r = c.getresponse()
            r.read()
            c.close()
            return r
        self.use("builtin:concierge")
        for method, path, status in (
                ("POST", PATH, 200), ("GET", "/healthz", 200),
                ("GET", "/widget.js", 200), ("GET", "/static/none", 404),
                ("GET", "/accounts/none", 404), ("TRACE", "/", 405)):
            r = ask(method, path, '{"message":"hi"}' if method == "POST"
                    else None, Authorization=f"Bearer {rig.key}",
                    **{"Content-Type": "application/json"})
            self.assertEqual(r.status, status, path)
            self.assertEqual(r.getheader("strict-transport-security"),
                             "max-age=31536000", path)
        # In the clear: no such promise, and on that name nothing but the way.
        self.assertNotIn("strict-transport-security",
                         rig.get("/healthz").headers)
        rig.port = front.plain_port
        reply = rig.request("POST", PATH + "?a=b", {"message": "hi"},
                            rig.auth())
        self.assertEqual(reply.status, 308)
        self.assertEqual(reply.headers["location"],
                         f"https://localhost{PATH}?a=b")
        front.stop()

    # What the web server says itself ------------------------------------

    def own_answer(self, got, *statuses):
        head, _, body = got.partition(b"\r\n\r\n")
        self.assertIn(head[9:12].decode(), statuses, got[:300])
        head = head.decode("latin-1").lower()
        self.assertIn("content-type: application/problem+json", head)
        if "transfer-encoding: chunked" in head:
            body = body.split(b"\r\n", 1)[1].rsplit(b"\r\n0\r\n", 1)[0]
        problem = json.loads(body)
        self.assertEqual(sorted(problem), ["detail", "request_id", "status",
                                           "title", "type"])
        self.assertRegex(problem["type"], "^/problems/[a-z-]+$")
        self.assertIn(str(problem["status"]), statuses)
        sent = re.search(r"^x-request-id: (\S+)\r?$", head, re.M)
        self.assertEqual(sent.group(1), problem["request_id"].lower())
        self.assertGreaterEqual(len(problem["request_id"]), 8)
        return head

    def test_own_answers(self):
        close = "Host: x\r\nConnection: close\r\n"
        for request, *statuses in (
                (f"GET /x HTTP/1.1\r\nHost x\r\n{close}", "400"),
                (f"GET /{'a' * 100000} HTTP/1.1\r\n{close}", "414"),
                (f"GET / HTTP/1.1\r\n{close}X: {'a' * 66000}\r\n", "400",
                 "431"),
                (f"GET / HTTP/1.1\r\n{close}" + "Cookie: a=b\r\n" * 9000,
                 "400", "431"),
                (f"TRACE / HTTP/1.1\r\n{close}", "405"),
                (f"GET /static/nothing HTTP/1.1\r\n{close}", "404"),
                (f"GET / HTPT/1.1\r\n{close}", "400", "505")):
            self.own_answer(self.raw(request.encode() + b"\r\n"), *statuses)
        reply = rig.request("POST", PATH, "x" * (3 << 20), rig.auth())
        self.assertEqual(reply.status, 413)
        self.assertEqual(reply.headers["content-type"],
                         "application/problem+json")

    # OpenAI's format ----------------------------------------------------

    V1 = "/accounts/acme-healthcare/v1"

    def openai_error(self, reply, *statuses):
        """An error of the web server's own, as OpenAI's libraries read it."""
        self.assertIn(reply.status, statuses, reply)
        self.assertEqual(reply.headers["content-type"], "application/json")
        error = reply.json["error"]
        self.assertEqual(sorted(reply.json), ["error"])
        self.assertEqual(sorted(error), ["code", "message", "param", "type"])
        self.assertRegex(reply.headers["x-request-id"],
                         r"^[A-Za-z0-9._-]{8,64}$")
        return error

    def test_openai(self):
        self.use("openai:mock-words-5")
        ask = {"model": "sales/human_health", "stream": True, "messages": [
            {"role": "user", "content": "Hello"}]}
        reply = rig.request("POST", self.V1 + "/chat/completions", ask,
                            rig.auth())
        self.assertEqual(reply.status, 200, reply)
        self.assertTrue(reply.body.endswith(b"data: [DONE]\n\n"), reply)
        for name in ("sales/human_health", "sales%2Fhuman_health"):
            reply = rig.get(f"{self.V1}/models/{name}", headers=rig.auth())
            self.assertEqual(reply.json["id"], "sales/human_health", reply)
        self.openai_error(rig.get(self.V1 + "/models"), 401)
        self.openai_error(rig.get(self.V1 + "/none", headers=rig.auth()), 404)
        error = self.openai_error(rig.request(
            "POST", self.V1 + "/chat/completions", "x" * (3 << 20),
            rig.auth()), 413)
        self.assertEqual(error["code"], "request_too_large")
        for path in ("/accounts%2facme-healthcare/v1/models",
                     "/accounts/acme-healthcare%2fv1/models",
                     "/accounts/acme-healthcare/v1%2fmodels/sales/x",
                     "/accounts/acme-healthcare/v1/models%2fsales/x"):
            self.assertEqual(rig.get(path, headers=rig.auth()).status, 404)

    def test_server_away(self):
        """Stopped, and started again: clear answers, and no wait after it."""
        self.use("builtin:concierge")
        rig.stop("switchboardd", signal.SIGTERM)
        try:
            for path in ("/healthz", "/api/docs", PATH):
                got = self.http("Content-Length: 16", path=path,
                                body=b'{"message":"hi"}')
                head = self.own_answer(got, "502", "503")
                if got[9:12] == b"503":
                    self.assertIn("retry-after: ", head)
            self.openai_error(rig.get(self.V1 + "/models"), 502, 503)
        finally:
            rig.start_server()
        wait_until(lambda: rig.chat(message="back").status == 200, 5,
                   "answers, without a back-off of the web server")


class NginxTest(Behind, unittest.TestCase):
    name = "nginx"


class ApacheTest(Behind, unittest.TestCase):
    name = "apache"

    def test_request_id_in_any_order_of_modules(self):
        """Where modules are loaded by the alphabet, setenvif comes first."""
        def swap(_, text):
            lines = {n: re.search(rf"^LoadModule {n}_module .*$", text,
                                  re.M).group(0)
                     for n in ("unique_id", "setenvif")}
            text = text.replace(lines["setenvif"], "")
            return text.replace(lines["unique_id"], lines["setenvif"] + "\n" +
                                lines["unique_id"])
        front = rig.add_front("apache", edit=swap)
        rig.port = front.port
        for path in ("/static/none", "/x%2fy", "/a%00b"):
            self.own_answer(self.http(path=path, method="GET"), "404")
        ids = {rig.get("/healthz").headers["x-request-id"] for _ in range(9)}
        self.assertEqual(len(ids), 9)
        front.stop()


if __name__ == "__main__":
    unittest.main()
