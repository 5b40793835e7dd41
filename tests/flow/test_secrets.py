"""Canary secrets and message bodies are nowhere but where they belong:
ROBUSTNESS F1, F2, F11."""
import base64
import json
import os
import unittest
import urllib.parse

from manage import Caller
from rig import Provider, Rig
from test_identity import LOGIN, PASSWORD
from test_second_factor import FACTOR, code, now

OPENAI = "sk-canary-OPENAI-7f3a9c2e51d84b06"
ANTHROPIC = "sk-ant-canary-ANTHROPIC-0b9d8e7f6a5c"
BODY = "the-body-of-a-visitor-4471"


def spellings(secret):
    """The ways a secret may hide: raw, base64 at three offsets, hex, ..."""
    raw = secret.encode()
    out = {raw, raw.hex().encode(), urllib.parse.quote(secret).encode(),
           json.dumps(secret).encode().strip(b'"')}
    for pad in range(3):
        coded = base64.b64encode(b"x" * pad + raw)
        out.add(coded[4 if pad else 0:-4])
    return out


class SecretTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        env = dict(cls.provider.env(), OPENAI_API_KEY=OPENAI,
                   ANTHROPIC_API_KEY=ANTHROPIC)
        cls.rig = Rig("secrets", env=env, params={
            "log_level": "debug", "provider_first_byte": "500ms"})
        rig = cls.rig
        cls.replies = []
        for model in ("openai:mock-echo", "anthropic:mock-echo",
                      "openai:mock-401", "openai:mock-stall",
                      "anthropic:mock-500", "openai:mock-cut-after-3"):
            rig.configure("sales/human_health", {
                "model_override": model, "model_fallback": False})
            cls.replies.append(rig.chat(message=BODY + " ada@example.com"))
            stream = rig.stream(message=BODY)
            cls.replies += [json.dumps(e[2]).encode()
                            for e in stream.all()] if stream.status == 200 \
                else []
            stream.close()
        for bad in (rig.key[:-3], rig.key + "x", "Bearer " + rig.key):
            cls.replies.append(rig.chat(message=BODY, key=bad))
        cls.replies.append(rig.get("/metrics"))
        cls.replies.append(rig.get("/api/v1/openapi.json"))

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def secrets(self):
        with open(self.rig.path("etc", "master.key")) as f:
            master = f.read().strip()
        return {"provider key": OPENAI, "other provider key": ANTHROPIC,
                "API key": self.rig.key, "master key": master}

    def files(self):
        """What was written: logs, state, run directory."""
        out = {}
        for d in ("log", "state", "run", "tmp"):
            for base, _, names in os.walk(self.rig.path(d)):
                for n in names:
                    p = os.path.join(base, n)
                    if os.path.isfile(p):
                        with open(p, "rb") as f:
                            out[p] = f.read()
        return out

    def assert_nowhere(self, places, secrets):
        for what, secret in secrets.items():
            for s in spellings(secret):
                for where, text in places.items():
                    self.assertNotIn(s, text, f"{what} in {where}")

    def test_logs_and_replies(self):
        places = self.files()
        self.assertTrue(any(len(v) > 500 for v in places.values()))
        for i, r in enumerate(self.replies):
            places[f"reply {i}"] = r if isinstance(r, bytes) else \
                r.body + json.dumps(r.headers).encode()
        self.assert_nowhere(places, self.secrets())

    def test_the_process_table(self):
        places = {}
        for pid in [self.rig.master] + self.rig.workers(""):
            for name in ("environ", "cmdline"):
                try:
                    with open(f"/proc/{pid}/{name}", "rb") as f:
                        places[f"{pid} {name}"] = f.read()
                except PermissionError:
                    continue
        self.assertTrue(places)
        self.assert_nowhere(places, self.secrets())

    def test_no_core(self):
        for pid in [self.rig.master] + self.rig.workers(""):
            with open(f"/proc/{pid}/limits") as f:
                core = next(x for x in f if x.startswith("Max core file"))
            self.assertEqual(core.split()[4], "0")
            # Not dumpable: what the kernel shows of it is root's alone.
            with open(f"/proc/{pid}/status") as f:
                user = next(x for x in f if x.startswith("Uid:")).split()[1]
            if user != "0":
                self.assertEqual(os.stat(f"/proc/{pid}/environ").st_uid, 0)

    def test_the_database(self):
        """Keys are stored as hashes only."""
        rows = self.rig.sql(
            "select row_to_json(t)::text from audit_log t union all select "
            "row_to_json(t)::text from data_keys t union all select "
            "row_to_json(t)::text from api_keys t union all select "
            "row_to_json(t)::text from turns t union all select "
            "row_to_json(t)::text from widget_keys t")
        self.assert_nowhere({"tables": "\n".join(
            r[0] for r in rows).encode()}, self.secrets())

    def test_no_bodies_in_logs(self):
        """What streams say lies in run_dir/turns for a minute after their
        end, for who comes back to one; nobody else's to read."""
        turns = self.rig.path("run", "turns")
        self.assertEqual(os.stat(turns).st_mode & 0o777, 0o700)
        for path, text in self.files().items():
            if os.path.dirname(path) == turns:
                continue
            self.assertNotIn(BODY.encode(), text, path)
            self.assertNotIn(b"ada@example.com", text, path)

    def memory(self, pid):
        """What a process has written for itself, piece by piece."""
        with open(f"/proc/{pid}/maps") as f, open(f"/proc/{pid}/mem",
                                                  "rb") as mem:
            for line in f:
                ends, perms = line.split()[:2]
                begin, end = (int(n, 16) for n in ends.split("-"))
                # nobody's heap is that large but a sanitizer's shadow
                if perms != "rw-p" or end - begin > 1 << 28:
                    continue
                try:
                    mem.seek(begin)
                    yield mem.read(end - begin)
                except OSError:
                    continue  # a device, or a page of nobody's

    @unittest.skipIf(os.geteuid() != 0, "reads other people's memory")
    def test_memory(self):
        """F11: a key that was opened for a request is wiped after it."""
        rig = self.rig
        rig.run("user", "create", "memory@example.com", "--account",
                "acme-healthcare", "--role", "viewer", "--password-stdin",
                stdin=PASSWORD)
        sent = {"email": "memory@example.com", "password": PASSWORD}
        who = Caller(rig, rig.request("POST", LOGIN, sent)
                     .json["access_token"])
        seed = who.post(FACTOR, {"password": PASSWORD}).json["secret"]
        self.assertEqual(who.post(FACTOR + "/confirm", {
            "code": code(seed, now())}).status, 200)
        reply = rig.request("POST", LOGIN, dict(sent, totp=code(
            seed, now() + 1)))
        self.assertEqual(reply.status, 200, reply)
        raw = base64.b32decode(seed + "=" * (-len(seed) % 8))
        there = False
        for pid in rig.workers("switchboardd:") + [rig.master]:
            for piece in self.memory(pid):
                there |= OPENAI.encode() in piece  # the live cache
                self.assertFalse(raw in piece, pid)
        self.assertTrue(there, "memory is looked at")


if __name__ == "__main__":
    unittest.main()
