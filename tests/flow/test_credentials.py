"""Keys for model providers: who may see and change them, what is shown of them,
where they may lead to."""
import json
import unittest
import uuid

from manage import Caller, caller, pointers
from rig import Provider, Rig

KEY = "sk-test-CANARYCREDENTIAL-0042"
PASSWORD = "correct horse battery staple"
PLATFORM = "/api/v1/llm-credentials"


class CredentialsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = rig = Rig("creds", env=cls.provider.env())
        cls.owner = caller(rig, "account_owner")
        cls.other = caller(rig, "account_owner", "globex")
        rig.run("user", "create", "root@p.example", "--platform-admin",
                "--password-stdin", stdin=PASSWORD + "\n")
        token = rig.request("POST", "/api/v1/auth/login", {
            "email": "root@p.example", "password": PASSWORD}).json
        cls.root = Caller(rig, token["access_token"])

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def made(self, who=None, path="llm-credentials", **more):
        body = dict({"provider": "openai", "name": "n" + uuid.uuid4().hex,
                     "key": KEY, "status": "disabled"}, **more)
        reply = (who or self.owner).post(path, body)
        self.assertEqual(reply.status, 201, reply)
        return reply.json

    def audit(self, action, platform=False):
        words = ["--platform"] if platform else ["acme-healthcare"]
        return self.rig.cli("audit", "list", *words, "--action", action)["data"]

    def test_life(self):
        made = self.made(name="Production", tier=2, models=["gpt-4o*"])
        self.assertEqual(made["hint"], "0042")
        self.assertEqual(made["limits"],
                         {"rpm": 5000, "tpm": 450000, "itpm": None})
        one = self.owner.get("llm-credentials/" + made["id"])
        self.assertEqual(one.status, 200)
        self.assertEqual({k: v for k, v in one.json.items() if k in made and
                          not k.endswith("_at")},
                         {k: v for k, v in made.items()
                          if not k.endswith("_at")})
        # one name, one credential
        again = self.owner.post("llm-credentials", {
            "provider": "openai", "name": "Production", "key": KEY})
        self.assertEqual(again.status, 409, again)
        self.assertIn(made["id"],
                      [c["id"] for c in self.owner.all("llm-credentials", 1)])
        for query, there in (("status=active", False),
                             ("status=disabled&provider=openai", True),
                             ("provider=anthropic", False)):
            found = self.owner.all("llm-credentials?" + query)
            self.assertEqual(made["id"] in [c["id"] for c in found], there)

        tag = one.headers["etag"]
        reply = self.owner.patch("llm-credentials/" + made["id"], {
            "rpm": 10, "itpm": 0, "weight": 7, "models": ["a", "b*"]},
            If_Match=tag)
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.json["limits"],
                         {"rpm": 10, "tpm": 450000, "itpm": None})
        self.assertEqual(reply.json["models"], ["a", "b*"])
        self.assertEqual(self.owner.patch(
            "llm-credentials/" + made["id"], {"weight": 8},
            If_Match=tag).status, 412)
        reply = self.owner.post(f"llm-credentials/{made['id']}/key",
                                {"key": "sk-another-CANARYCREDENTIAL-77"})
        self.assertEqual((reply.status, reply.json["hint"]), (200, "L-77"))
        self.assertEqual(self.owner.delete(
            "llm-credentials/" + made["id"]).status, 204)
        self.assertEqual(self.owner.get(
            "llm-credentials/" + made["id"]).status, 404)
        for action in ("create", "update", "key", "delete"):
            found = [a for a in self.audit("credential." + action)
                     if a["object"]["id"] == made["id"]]
            self.assertEqual(len(found), 1, action)

    def test_bodies(self):
        good = {"provider": "openai", "name": "x", "key": KEY}
        for change, pointer in (
                ({"provider": "nobody"}, "/provider"), ({"key": ""}, "/key"),
                ({"key": "a b"}, "/key"), ({"name": ""}, "/name"),
                ({"tier": 5}, "/tier"), ({"rpm": -1}, "/rpm"),
                ({"weight": 0}, "/weight"), ({"status": "gone"}, "/status"),
                ({"models": ["a*b"]}, "/models/0"),
                ({"models": ["a b"]}, "/models/0"),
                ({"base_url": "ftp://a.example"}, "/base_url"),
                ({"base_url": "http://u:p@a.example"}, "/base_url"),
                ({"base_url": "http://8.8.8.8/?a=b"}, "/base_url"),
                ({"slot": 1}, "/slot")):
            reply = self.owner.post("llm-credentials", dict(good, **change))
            self.assertEqual((reply.status, pointers(reply)),
                             (422, [pointer]), (change, reply))
        reply = self.owner.patch("", {"credential_strategy": "best"})
        self.assertEqual(pointers(reply), ["/credential_strategy"])
        reply = self.owner.patch("", {"credential_strategy": "weighted"})
        self.assertEqual(reply.json["credential_strategy"], "weighted")
        listed = [a for a in self.root.get("/api/v1/accounts").json["data"]
                  if a["slug"] == "acme-healthcare"]
        self.assertEqual(listed[0]["credential_strategy"], "weighted")
        self.owner.patch("", {"credential_strategy": "least-loaded"})

    def test_strategy_by_command(self):
        """account set-strategy: shown, recorded, live in the API; no other
        word is taken."""
        def cli(*args, check=True):
            return self.rig.run("account", *args, "--json", check=check)

        for strategy in ("weighted", "round-robin", "priority", "cost-aware",
                         "least-loaded"):
            cli("set-strategy", "acme-healthcare", strategy)
            shown = json.loads(cli("show", "acme-healthcare").stdout)
            self.assertEqual(shown["credential_strategy"], strategy)
            self.assertEqual(self.owner.get("").json["credential_strategy"],
                             strategy)
        told = json.loads(self.rig.run(
            "audit", "list", "acme-healthcare", "--action",
            "account.set_strategy", "--json").stdout)["data"]
        self.assertEqual(
            [(a["before"], a["after"]) for a in told[:2]],
            [({"credential_strategy": "cost-aware"},
              {"credential_strategy": "least-loaded"}),
             ({"credential_strategy": "priority"},
              {"credential_strategy": "cost-aware"})])
        for word in ("best", "", "Weighted"):
            done = cli("set-strategy", "acme-healthcare", word, check=False)
            self.assertEqual(done.returncode, 2, done.stderr)
        shown = json.loads(cli("show", "acme-healthcare").stdout)
        self.assertEqual(shown["credential_strategy"], "least-loaded")

    def test_addresses(self):
        """The guard of the way out; and a key goes to no other address than
        it was set for."""
        for base in ("http://127.0.0.1:9/v1", "http://[::1]/v1",
                     "http://169.254.169.254/latest", "http://10.0.0.1/v1",
                     f"http://localhost:{self.rig.port}/v1"):
            reply = self.owner.post("llm-credentials", {
                "provider": "openai", "name": "x", "key": KEY,
                "base_url": base})
            self.assertEqual((reply.status, pointers(reply)),
                             (422, ["/base_url"]), (base, reply))
        made = self.made(base_url="https://8.8.8.8/v1/")
        self.assertEqual(made["base_url"], "https://8.8.8.8/v1")
        path = "llm-credentials/" + made["id"]
        for base in ("https://8.8.4.4/v1", None):
            reply = self.owner.patch(path, {"base_url": base})
            self.assertEqual((reply.status, pointers(reply)),
                             (422, ["/key"]), reply)
        reply = self.owner.patch(path, {"base_url": "https://8.8.8.8/v1",
                                        "weight": 5})
        self.assertEqual(reply.status, 200, reply)
        reply = self.owner.patch(path, {"base_url": None, "key": KEY + "9"})
        self.assertEqual((reply.status, reply.json["base_url"],
                          reply.json["hint"]), (200, None, "0429"))

    def test_platform(self):
        """The operator's own: nobody of an account sees or changes them, and
        what the operator sets is trusted."""
        made = self.made(self.root, PLATFORM,
                         base_url="http://127.0.0.1:9/v1")
        self.assertEqual(made["base_url"], "http://127.0.0.1:9/v1")
        path = PLATFORM + "/" + made["id"]
        self.assertIn(made["id"],
                      [c["id"] for c in self.root.get(PLATFORM).json["data"]])
        for who in (self.owner, self.other):
            self.assertEqual(who.get(PLATFORM).status, 403)
            self.assertEqual(who.get(path).status, 403)
            self.assertEqual(who.delete(path).status, 403)
            self.assertEqual(
                who.get("llm-credentials/" + made["id"]).status, 404)
        before, = self.rig.sql("select config_epoch from platform")
        reply = self.root.patch(path, {"weight": 3})
        self.assertEqual((reply.status, reply.json["weight"]), (200, 3))
        after, = self.rig.sql("select config_epoch from platform")
        self.assertEqual(int(after[0]), int(before[0]) + 1)
        # one answer a key, also where the path names no account
        body = {"provider": "anthropic", "name": "once", "key": KEY}
        first = self.root.post(PLATFORM, body, Idempotency_Key="once")
        again = self.root.post(PLATFORM, body, Idempotency_Key="once")
        self.assertEqual((first.status, again.json), (201, first.json))
        self.assertEqual(self.root.delete(path).status, 204)
        self.assertTrue(self.audit("credential.delete", platform=True))

    def test_accounts_are_apart(self):
        made = self.made()
        path = "llm-credentials/" + made["id"]
        for reply in (self.other.get(path), self.other.delete(path),
                      self.other.patch(path, {"weight": 3}),
                      self.other.post(path + "/key", {"key": "k"}),
                      self.other.of("acme-healthcare").get(path)):
            self.assertEqual(reply.status, 404, reply)
        self.assertEqual(self.other.all("llm-credentials"), [])
        viewer = caller(self.rig, "viewer")
        self.assertEqual(viewer.get(path).status, 403)
        manager = caller(self.rig, "agent_manager")
        self.assertEqual(manager.get(path).status, 200)
        self.assertEqual(manager.delete(path).status, 403)

    def test_epoch_and_limit(self):
        def epoch():
            (n,), = self.rig.sql("select config_epoch from accounts where "
                                 "slug = 'globex'")
            return int(n)
        was = epoch()
        made = self.made(self.other)
        self.assertEqual(epoch(), was + 1)
        self.rig.sql("update llm_credentials set last_used_at = now() where "
                     f"id = '{made['id']}' returning 1")
        self.assertEqual(epoch(), was + 1)
        for _ in range(63):
            self.made(self.other)
        reply = self.other.post("llm-credentials", {
            "provider": "openai", "name": "one more", "key": KEY})
        self.assertEqual((reply.status, reply.json["type"]),
                         (429, "/problems/limit-exceeded"))

    def test_zz_nobody_shows_a_key(self):
        """ROBUSTNESS F: neither answers, nor records, nor the log, nor the
        database."""
        self.made()
        shown = [self.owner.get("llm-credentials?limit=200").body,
                 self.owner.get("audit?limit=200").body,
                 self.owner.get("export").body, self.rig.log().encode()]
        rows = self.rig.sql("select row_to_json(c)::text from llm_credentials "
                            "c union all select row_to_json(r)::text from "
                            "request_answers r union all select "
                            "row_to_json(l)::text from audit_log l")
        shown.append(json.dumps(rows).encode())
        for text in shown:
            self.assertGreater(len(text), 10)
            self.assertNotIn(b"CANARYCREDENTIAL", text)
            self.assertNotIn(KEY.encode().hex().encode(), text)


if __name__ == "__main__":
    unittest.main()
