"""switchboard simulate llm: what it says is what a provider would."""
import base64
import http.client
import json
import os
import socket
import struct
import subprocess
import time
import unittest

from rig import BUILD, Provider

OPENAI = "/v1/chat/completions"
ANTHROPIC = "/v1/messages"


class Reply:
    def __init__(self, r):
        self.status = r.status
        self.headers = {k.lower(): v for k, v in r.getheaders()}
        self.text = r.read().decode()
        self.json = None
        if self.headers.get("content-type") == "application/json":
            self.json = json.loads(self.text)


class SimulateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider("--key", "sk-gone=401")

    @classmethod
    def tearDownClass(cls):
        cls.provider.close()

    def setUp(self):
        self.provider.reset()

    def ask(self, path, key, body=None, method="POST", headers=None):
        """One request, as either vendor's client would make it."""
        sent = {"Content-Type": "application/json"}
        if path.startswith(ANTHROPIC) or headers:
            sent.update({"x-api-key": key, "anthropic-version": "2023-06-01"})
        else:
            sent["Authorization"] = "Bearer " + key
        c = http.client.HTTPConnection("127.0.0.1", self.provider.port,
                                       timeout=10)
        c.request(method, path, json.dumps(body) if body else None, sent)
        reply = Reply(c.getresponse())
        c.close()
        return reply

    def chat(self, path=OPENAI, key="sk-a", model="mock", **more):
        return self.ask(path, key, {"model": model, "max_tokens": 100,
                                    "messages": [{"role": "user",
                                                  "content": "hello"}],
                                    **more})

    def bill(self, key):
        return self.provider.stats()["billing"][key]

    def test_limits(self):
        """Requests and tokens are counted, told in headers, and refused."""
        for path, prefix in ((OPENAI, "x-ratelimit-remaining-"),
                             (ANTHROPIC, "anthropic-ratelimit-")):
            key = "sk-" + prefix
            self.provider.control(key, rpm=3, tpm=1000)
            left = []
            for _ in range(3):
                r = self.chat(path, key)
                self.assertEqual(r.status, 200, r.text)
                h = r.headers
                left.append(
                    (h["x-ratelimit-remaining-requests"],
                     h["x-ratelimit-remaining-tokens"]) if path == OPENAI else
                    (h["anthropic-ratelimit-requests-remaining"],
                     h["anthropic-ratelimit-tokens-remaining"]))
            self.assertEqual([int(n) for n, _ in left], [2, 1, 0], path)
            # 28 tokens each; what refills meanwhile is a few.
            for i, (_, n) in enumerate(left):
                self.assertAlmostEqual(int(n), 1000 - 28 * (i + 1), delta=20)
            r = self.chat(path, key)
            self.assertEqual(r.status, 429, r.text)
            self.assertTrue(18 <= int(r.headers["retry-after"]) <= 20,
                            r.headers)
            if path == OPENAI:
                self.assertEqual(r.json["error"]["code"],
                                 "rate_limit_exceeded")
                self.assertRegex(r.headers["x-ratelimit-reset-requests"],
                                 r"^(\d+m\d+|\d+\.\d+)s$")
                self.assertTrue(
                    18000 < int(r.headers["retry-after-ms"]) <= 20001)
            else:
                self.assertEqual(r.json["error"]["type"], "rate_limit_error")
                self.assertRegex(
                    r.headers["anthropic-ratelimit-requests-reset"],
                    r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
            # Whoever waits as told is let in again.
            self.provider.control(key, rpm=600)
            for _ in range(600):
                if self.chat(path, key).status == 429:
                    break
            self.provider.control(key, tpm=0)
            time.sleep(0.12)
            self.assertEqual(self.chat(path, key).status, 200)

    def test_tokens_of_input(self):
        """Of Anthropic cached input does not count; a call that does not fit
        is refused with the limit's name."""
        self.provider.control("sk-ant", itpm=100)
        for _ in range(5):
            r = self.chat(ANTHROPIC, "sk-ant", "mock-usage-1000x1-cached-980")
            self.assertEqual(r.status, 200, r.text)
        r = self.chat(ANTHROPIC, "sk-ant", "mock-usage-1000x1-cached-980")
        self.assertEqual(r.status, 429)
        self.assertIn("input tokens per min", r.json["error"]["message"])
        self.provider.control("sk-oai", tpm=100)
        r = self.chat(key="sk-oai", model="mock-usage-1000x1")
        self.assertEqual((r.status, r.json["error"]["type"]),
                         (429, "tokens"))

    def test_plans(self):
        """A key's plan: set, counted down, unset; * stands for the others."""
        self.provider.control("sk-a", plan="status-429-retry-3", times=2)
        self.provider.control("*", plan="529")
        self.assertEqual(
            [self.chat(key=k).status for k in ("sk-a", "sk-a", "sk-a", "b")],
            [429, 429, 529, 529])
        self.provider.control("*", plan="")
        self.assertEqual(self.chat(key="sk-a").status, 200)
        self.provider.control("sk-a", plan="429-retry-3")
        self.assertEqual(self.chat(key="sk-a").headers["retry-after"], "3")
        for wrong in ({"key": "k", "plan": "nonsense"}, {"key": ""},
                      {"key": "*", "rpm": 5}, {"key": "k", "rpm": "x"}, []):
            r = self.ask("/_control", "", wrong or [1])
            self.assertEqual(r.status, 400, wrong)
            self.assertIn("error", r.json)

    def test_errors(self):
        """Status, type and code as each vendor documents them."""
        openai = {"401": ("invalid_request_error", "invalid_api_key"),
                  "404": ("invalid_request_error", "model_not_found"),
                  "429": ("requests", "rate_limit_exceeded"),
                  "quota": ("insufficient_quota", "insufficient_quota"),
                  "credit": ("insufficient_quota",
                             "credit_balance_exhausted"),
                  "500": ("server_error", None)}
        for plan, (kind, code) in openai.items():
            r = self.chat(model="mock-" + plan)
            self.assertEqual(r.status, int(plan) if plan.isdigit() else 429)
            self.assertEqual(set(r.json["error"]),
                             {"message", "type", "param", "code"})
            self.assertEqual((r.json["error"]["type"],
                              r.json["error"]["code"]), (kind, code))
        anthropic = {"400": "invalid_request_error",
                     "401": "authentication_error", "402": "billing_error",
                     "403": "permission_error", "404": "not_found_error",
                     "413": "request_too_large", "429": "rate_limit_error",
                     "500": "api_error", "504": "timeout_error",
                     "529": "overloaded_error", "quota": "billing_error"}
        for plan, kind in anthropic.items():
            r = self.chat(ANTHROPIC, model="mock-" + plan)
            self.assertEqual(r.status, int(plan) if plan.isdigit() else 402)
            self.assertEqual(r.json["error"]["type"], kind)
            self.assertEqual(r.json["request_id"], r.headers["request-id"])
        r = self.chat(model="mock-529-noretry")
        self.assertEqual(r.headers["x-should-retry"], "false")
        self.assertEqual(self.chat(model="mock-nonsense").status, 400)
        self.assertEqual(self.ask("/v1/nothing", "k", {}).status, 404)

    def test_bill(self):
        """Whole answers are billed exactly, broken ones apart, refused not."""
        usage = "usage-100x40-cached-30"
        self.chat(model="mock-" + usage)
        self.chat(model="mock-words-4-" + usage, stream=True)
        self.chat(model="mock-500-" + usage)
        for fault in ("cut-2", "error-2"):
            try:
                self.chat(model=f"mock-words-4-{fault}-" + usage, stream=True)
            except (http.client.HTTPException, ConnectionError):
                self.assertEqual(fault, "cut-2")
        self.assertEqual(self.bill("sk-a"), {
            "whole": {"calls": 2, "input_tokens": 200,
                      "cached_input_tokens": 60, "output_tokens": 80},
            "broken": {"calls": 2, "input_tokens": 200,
                       "cached_input_tokens": 60, "output_tokens": 40},
            "refused": 1, "limits": {}})

    def test_models(self):
        openai = self.ask("/v1/models", "k", method="GET").json
        self.assertEqual(openai["object"], "list")
        ids = [m["id"] for m in openai["data"]]
        self.assertEqual({m["object"] for m in openai["data"]}, {"model"})
        anthropic = self.ask("/v1/models", "k", method="GET",
                             headers=True).json
        self.assertEqual([m["id"] for m in anthropic["data"]], ids)
        self.assertEqual({m["type"] for m in anthropic["data"]}, {"model"})
        self.assertEqual((anthropic["has_more"], anthropic["last_id"]),
                         (False, ids[-1]))
        self.assertEqual(self.ask("/v1/models/" + ids[0], "k",
                                  method="GET").json["id"], ids[0])
        self.assertEqual(self.ask("/v1/models/none", "k",
                                  method="GET").status, 404)
        for name in ids:
            self.assertEqual(self.chat(model=name).status, 200, name)

    def test_embeddings(self):
        """The same text has the same vector, of length one; texts that share
        words lie nearer; base64 holds the same numbers."""
        def embed(texts, **more):
            r = self.ask("/v1/embeddings", "k",
                         {"model": "embed-mock", "input": texts, **more})
            self.assertEqual(r.status, 200, r.text)
            self.assertEqual([d["index"] for d in r.json["data"]],
                             list(range(len(r.json["data"]))))
            return [d["embedding"] for d in r.json["data"]]

        def dot(a, b):
            return sum(x * y for x, y in zip(a, b))

        texts = ["the cat sat", "the cat ran", "blue sky above"]
        a, b, c = embed(texts)
        self.assertEqual(len(a), 256)
        self.assertAlmostEqual(dot(a, a), 1, places=5)
        self.assertGreater(dot(a, b), dot(a, c) + 0.3)
        self.assertEqual(embed("the cat sat")[0], a)
        for got, want in zip(embed(texts, encoding_format="base64"),
                             (a, b, c)):
            raw = base64.b64decode(got, validate=True)
            for x, y in zip(struct.unpack(f"<{len(raw) // 4}f", raw), want):
                self.assertAlmostEqual(x, y, places=6)
        self.assertEqual(len(embed([[1, 2, 3], [4]], dimensions=7)[1]), 7)
        for wrong in ("", [], [""], {"a": 1}):
            r = self.ask("/v1/embeddings", "k", {"model": "e", "input": wrong})
            self.assertEqual(r.status, 400, wrong)

    def test_command(self):
        """Options are checked, words listed; keys of the command line hold;
        it ends at once when told to."""
        def run(*args):
            return subprocess.run(
                [os.path.join(BUILD, "switchboard"), "simulate", "llm", *args],
                capture_output=True, text=True, timeout=30)

        words = json.loads(run("--words", "--json").stdout)["data"]
        self.assertIn("paced", [w["word"] for w in words])
        for args in (("--port", "70000"), ("--rpm", "x"), ("--key", "sk-a"),
                     ("--key", "sk-a=nonsense"), ("--threads", "0")):
            r = run(*args)
            self.assertEqual((r.returncode, r.stdout), (2, ""), args)
            self.assertIn(args[0], r.stderr)
        r = run("--port", str(self.provider.port))
        self.assertEqual(r.returncode, 1)
        self.assertRegex(r.stderr, r"listening on 127\.0\.0\.1:\d+")
        own = Provider("--key", "sk-gone=401", "--rpm", "1", "--threads", "2")
        try:
            other, self.provider = self.provider, own
            self.assertEqual(self.chat(key="sk-gone").status, 401)
            self.assertEqual([self.chat(key="sk-a").status for _ in range(2)],
                             [200, 429])
        finally:
            self.provider = other
            own.close()
        self.assertEqual(own.child.returncode, 0)
        # Only on the address it was given: no other of this host answers.
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", self.provider.port), 5)


if __name__ == "__main__":
    unittest.main()
