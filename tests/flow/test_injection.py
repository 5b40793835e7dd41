"""What is sent is never SQL (ROBUSTNESS D1): forty strings in every parameter,
identifier, cursor, filter and header of every route."""
import json
import os
import random
import re
import subprocess
import time
import unittest
import urllib.parse
import uuid

from manage import caller
from rig import Floor, Provider, Rig

SLEEP = 3
STRINGS = [text.replace("SLEEP", f"pg_sleep({SLEEP})") for text in (
    "'", "''", '"', "\\", "\\'", "`", ";", "--", "/*", "*/", "%", "_", "$1",
    "$$", "' or '1'='1", "' or true --", '" or ""="', "') or ('a'='a",
    "1 or 1=1", "1; select SLEEP", "1); select SLEEP; --",
    "'; select SLEEP; --", "'; select SLEEP --", "' || SLEEP || '",
    "' || (select SLEEP)::text || '", "\\'; select SLEEP; --",
    "1 and 1=(select 1 from SLEEP)", "a' and 1=(select 1 from SLEEP) and ''='",
    "') union select null, version(), null --", "' union all select 1,2,3 --",
    "$$; select SLEEP; $$", "$a$; select SLEEP; $a$",
    "'; set role postgres; --", "'; select set_config('app.account_id','',"
    "false); --", "'; drop table control.accounts; --",
    "case when true then SLEEP else null end", "E'\\x27; select SLEEP --",
    "\u02bc; select SLEEP; --", "\uff07; select SLEEP; --",
    "');copy (select 1) to program 'true'; --")]
SHORT = 6  # strings a place of a route gets, of the forty


class InjectionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = rig = Rig("injection", env=cls.provider.env(), params={
            "admin_workers": 2})
        cls.owner = caller(rig, "account_owner")
        cls.seeded = random.Random(int(os.environ.get("SB_SEED", "7")))
        cls.doc = rig.get("/api/v1/openapi.json").json
        cls.log = os.path.join(os.environ["SB_TEST_PG_DIR"], "log")
        reply = rig.chat("sales/human_health")
        assert reply.status == 200, reply
        cls.session, cls.turn = (reply.json["session_key"],
                                 reply.json["turn_id"])
        agents = cls.owner.all("agents")
        cls.known = {"slug": "acme-healthcare", "agent_type": "sales",
                     "instance_name": "human_health", "version": "1",
                     "agent_id": agents[0]["id"], "kind": "forbidden",
                     "session_key": cls.session, "turn_id": cls.turn}

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def setUp(self):
        self.floor = Floor()
        self.addCleanup(self.floor.stop)
        self.sent, self.slowest, self.mark = 0, 0, f"m{uuid.uuid4().hex[:12]}"

    def ask(self, method, path, body=None, **headers):
        began = time.monotonic()
        reply = self.owner.ask(method, path, body, **headers)
        took = time.monotonic() - began
        self.sent += 1
        self.slowest = max(self.slowest, took)
        self.assertLess(reply.status, 500, (method, path, body, headers,
                                            reply))
        return reply

    def texts(self, most=len(STRINGS)):
        chosen = STRINGS if most >= len(STRINGS) else self.seeded.sample(
            STRINGS, most)
        return [self.mark + text for text in chosen]

    def nothing_happened(self, before):
        """No string was waited for, none was read as SQL."""
        self.assertLess(self.slowest, self.floor.limit(2, self.began))
        # The log would tell: it does of this one.
        subprocess.run(
            ["psql", "-X", "-q", self.rig.conninfo + " user=sb_owner", "-c",
             f"select {self.mark}_wrong"], stderr=subprocess.DEVNULL,
            check=False)
        with open(self.log, errors="replace") as f:
            f.seek(before)
            wrong = [line for line in f if self.mark in line and
                     re.search(r"\b(ERROR|FATAL|PANIC)\b", line)]
        self.assertEqual(len(wrong), 1, wrong)
        self.assertIn("_wrong", wrong[0])
        self.assertEqual(self.rig.sql(
            "select count(*) from accounts where slug in "
            "('acme-healthcare', 'globex')")[0][0], "2")
        print(f"{self.sent} requests, slowest {self.slowest * 1000:.0f} ms",
              end=" ")

    def begin(self):
        self.began = time.monotonic()
        return os.path.getsize(self.log)

    def path(self, pattern, name=None, text=None):
        return re.sub(r"\{(\w+)\}", lambda m: urllib.parse.quote(
            text if m.group(1) == name else
            self.known.get(m.group(1), str(uuid.uuid4())), safe=""), pattern)

    def test_every_route(self):
        before = self.begin()
        places = 0
        for pattern, item in self.doc["paths"].items():
            for method, op in item.items():
                method = method.upper()
                if method in ("DELETE", "OPTIONS") or "stream" in pattern:
                    continue
                for name in re.findall(r"\{(\w+)\}", pattern):
                    places += 1
                    for text in self.texts(SHORT):
                        self.ask(method, self.path(pattern, name, text))
                for p in op.get("parameters", []):
                    if p["in"] == "path":
                        continue
                    places += 1
                    for text in self.texts(SHORT):
                        # a header of HTTP has no other characters
                        plain = text.encode("ascii", "replace").decode()
                        if p["in"] == "query":
                            self.ask(method, self.path(pattern) + "?" +
                                     urllib.parse.urlencode({p["name"]: text}))
                        else:
                            self.ask(method, self.path(pattern), **{
                                p["name"].replace("-", "_"): plain})
        self.assertGreater(places, 150)
        self.nothing_happened(before)

    def test_headers(self):
        """Who somebody is, and what he is shown as."""
        before = self.begin()
        for text in self.texts():
            plain = text.encode("ascii", "replace").decode()
            for headers in ({"Authorization": f"Bearer {plain}"},
                            {"Authorization": plain},
                            {"X_Widget_Key": plain, "Authorization": "",
                             "Origin": "http://127.0.0.1:1"},
                            {"Cookie": f"sb-00000000={plain}; "
                                       f"__Host-sb-00000000={plain}"},
                            {"User_Agent": plain}, {"Origin": plain},
                            {"X_Request_Id": plain}, {"Referer": plain},
                            {"X_Forwarded_For": plain},
                            {"Traceparent": plain},
                            {"Accept_Language": plain}):
                for path in ("", "/api/v1/me"):
                    key, self.owner.key = self.owner.key, (
                        None if "Authorization" in headers else
                        self.owner.key)
                    try:
                        self.ask("GET", path, **headers)
                    finally:
                        self.owner.key = key
        self.nothing_happened(before)

    def test_bodies(self):
        """Texts that are looked up or stored: as they are, to the letter."""
        before = self.begin()
        for n, text in enumerate(self.texts()):
            for body in ({"email": text, "password": text},
                         {"email": f"{text}@example.com", "password": text,
                          "totp": text}):
                self.ask("POST", "/api/v1/auth/login", json.dumps(body))
            self.ask("POST", "/api/v1/auth/refresh",
                     json.dumps({"refresh_token": text}))
            self.ask("POST", "/api/v1/auth/reset", json.dumps({"email": text}))
            made = self.ask("POST", "api-keys", json.dumps({
                "name": text, "role": "viewer"}))
            self.assertEqual((made.status, made.json["name"]), (201, text),
                             made)
            self.assertEqual(self.ask("GET", "api-keys/" + made.json["id"])
                             .json["name"], text)
            if n % 4:
                continue
            reply = self.rig.chat("sales/human_health", message=text,
                                  metadata={text: text}, email=text)
            self.assertIn(reply.status, (200, 422), reply)
        self.nothing_happened(before)


if __name__ == "__main__":
    unittest.main()
