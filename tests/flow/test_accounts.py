"""An account's life: suspended and brought back, deleted after a time of grace
(ROBUSTNESS B1, C5)."""
import threading
import time
import unittest

from manage import Caller, caller, member
from rig import Provider, Rig, wait_until
from test_identity import LOGIN, PASSWORD

ACCOUNTS = "/api/v1/accounts"
OF = ("select format('%I.%I', n.nspname, c.relname), attname from pg_class c "
      "join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on "
      "a.attrelid = c.oid and a.attname = 'account_id' where n.nspname in "
      "('control', 'data') and relkind in ('r', 'p') and not relispartition")


class AccountTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = Rig("accounts", env=cls.provider.env(), params={
            "chat_workers": 2, "admin_workers": 2})
        cls.rig.run("user", "create", "root@example.com", "--platform-admin",
                    "--password-stdin", stdin=PASSWORD)
        cls.root = cls.sign_in("root@example.com")

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    @classmethod
    def sign_in(cls, address, account="acme-healthcare"):
        reply = cls.rig.request("POST", LOGIN, {
            "email": address, "password": PASSWORD})
        assert reply.status == 200, reply
        return Caller(cls.rig, reply.json["access_token"], account)

    def made(self, slug, model="openai:mock-echo"):
        """An account with an owner and a talk: (owner's key, owner)."""
        rig = self.rig
        rig.run("account", "create", slug, "--tier", "enterprise")
        rig.run("user", "create", f"owner@{slug}.example", "--account", slug,
                "--role", "account_owner", "--password-stdin", stdin=PASSWORD)
        key = caller(rig, "account_owner", slug)
        reply = key.post("agents", {
            "agent_type": "sales", "instance_name": "shop", "configuration": {
                "model_override": model, "model_fallback": False}})
        self.assertEqual(reply.status, 201, reply)
        return key, self.sign_in(f"owner@{slug}.example", slug)

    def rows(self, account):
        """{table: rows} of what there is of the account."""
        tables = [t for t, _ in self.rig.sql(OF)]
        found = dict(self.rig.sql(" union all ".join(
            f"select '{t}', count(*) from {t} where account_id = '{account}'"
            for t in tables)))
        return {t: int(n) for t, n in found.items() if n != "0"}

    def id(self, slug):
        (found,), = self.rig.sql(
            f"select id from accounts where slug = '{slug}'")
        return found

    def test_suspended_and_back(self):
        key, owner = self.made("sleepy")
        root = self.root.of("sleepy")
        self.assertEqual(self.rig.chat("sales/shop", "hello",
                         account="sleepy", key=key.key).status, 200)
        before = self.rows(self.id("sleepy"))
        self.assertEqual(owner.patch("", {"is_active": False}).status, 403)
        # A stream that runs is cut, on any worker.
        self.assertEqual(key.post("agents", {
            "agent_type": "sales", "instance_name": "slow", "configuration": {
                "model_override": "openai:mock-paced-200x50",
                "model_fallback": False}}).status, 201)
        streams = [self.rig.stream("sales/slow", account="sleepy", key=who.key)
                   for who in (key, owner)]
        got = [[] for _ in streams]
        threads = [threading.Thread(target=lambda s=s, g=g: g.extend(s.all()))
                   for s, g in zip(streams, got)]
        for t in threads:
            t.start()
        reply = root.patch("", {"is_active": False})
        self.assertEqual((reply.status, reply.json["is_active"]),
                         (200, False), reply)
        began = time.monotonic()
        gone = []
        for who in (key, owner):
            wait_until(lambda: who.get("").status == 404, 2, "404")
            for _ in range(8):  # whichever worker answers
                gone.append(who.get("agents"))
                gone.append(self.rig.chat("sales/shop", "hello",
                            account="sleepy", key=who.key))
        self.assertLess(time.monotonic() - began, 3)
        self.assertEqual({r.status for r in gone}, {404})
        for t in threads:
            t.join(timeout=5)
            self.assertFalse(t.is_alive())
        for events in got:
            self.assertEqual((events[0][0], events[-1][0]),
                             ("session", "error"), events)
            self.assertEqual(events[-1][2]["status"], 404)
        # It looks like one that never was, but not to the platform.
        other = caller(self.rig, "account_owner")
        self.assertEqual(other.of("sleepy").get("").status, 404)
        self.assertEqual(other.of("no-such").get("").status, 404)
        self.assertEqual(root.get("").json["is_active"], False)
        self.assertEqual(root.get("users").status, 200)
        self.assertEqual(self.rig.chat("sales/shop", "hello", account="sleepy",
                         key=root.key).status, 404)
        self.assertEqual([a["slug"] for a in root.all(
            ACCOUNTS + "?status=suspended")], ["sleepy"])
        # Its people sign in, but not there.
        me = self.sign_in("owner@sleepy.example").get("/api/v1/me").json
        self.assertEqual(me["accounts"] if "accounts" in me
                         else me["memberships"], [])
        reply = root.patch("", {"is_active": True})
        self.assertEqual((reply.status, reply.json["is_active"]), (200, True))
        wait_until(lambda: key.get("").status == 200, 2, "it is back")
        self.assertEqual(owner.get("agents").status, 200)
        after = self.rows(self.id("sleepy"))
        self.assertEqual({t: n for t, n in before.items()
                          if after.get(t, 0) < n}, {})

    def test_who_may_no_longer_is_cut(self):
        """A key revoked, a person signed out or disabled, a role that lost
        what it takes: the stream ends within a second or so (C5)."""
        key, owner = self.made("cutters")
        self.assertEqual(key.post("agents", {
            "agent_type": "sales", "instance_name": "slow", "configuration": {
                "model_override": "openai:mock-paced-200x50",
                "model_fallback": False}}).status, 201)
        self.assertEqual(key.post("roles", {
            "name": "talker", "permissions": ["chat.talk"]}).status, 201)
        made = {role: key.post("api-keys", {"name": role, "role": role}).json
                for role in ("support", "talker", "agent_manager")}
        for n in (1, 2):
            self.rig.run("user", "create", f"c{n}@cutters.example",
                         "--account", "cutters", "--role", "support",
                         "--password-stdin", stdin=PASSWORD)
        people = [self.sign_in(f"c{n}@cutters.example", "cutters")
                  for n in (1, 2)]
        callers = [made["support"]["key"], made["talker"]["key"],
                   *(p.key for p in people), made["agent_manager"]["key"]]
        got = [[] for _ in callers]
        threads = []
        for who, g in zip(callers, got):
            stream = self.rig.stream("sales/slow", account="cutters", key=who)
            threads.append(threading.Thread(
                target=lambda s=stream, g=g: g.extend(s.all())))
            threads[-1].start()
        began = time.monotonic()
        self.assertEqual(key.delete(
            "api-keys/" + made["support"]["id"]).status, 204)
        self.assertEqual(key.patch("roles/talker", {
            "permissions": ["agent.read"]}).status, 200)
        self.assertEqual(people[0].delete("/api/v1/me/sign-ins").status, 204)
        self.rig.run("user", "deactivate", "c2@cutters.example")
        for t in threads[:4]:
            t.join(timeout=5)
            self.assertFalse(t.is_alive())
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual([g[-1][0] for g in got[:4]], ["error"] * 4)
        self.assertEqual([g[-1][2]["status"] for g in got[:4]],
                         [401, 403, 401, 401])
        # Whoever still may hears it to the end.
        threads[4].join(timeout=30)
        self.assertEqual(got[4][-1][0], "done")

    def test_deleted_and_restored(self):
        key, owner = self.made("hasty")
        root = self.root.of("hasty")
        for who, body, status in (
                (key, {"password": PASSWORD}, 403),
                (caller(self.rig, "account_admin", "hasty"), {}, 403),
                (owner, {}, 422), (owner, {"password": "x" * 20}, 403)):
            reply = who.ask("DELETE", "", body)
            self.assertEqual(reply.status, status, reply)
        self.assertEqual(root.post("restore").status, 409)
        self.assertEqual(owner.post("restore").status, 403)
        reply = owner.ask("DELETE", "", {"password": PASSWORD})
        self.assertEqual((reply.status, reply.json["is_active"]),
                         (202, False), reply)
        ((days,),) = self.rig.sql(
            "select round(extract(epoch from ends_at - now()) / 86400) from "
            "accounts where slug = 'hasty'")
        self.assertEqual(days, "30")
        wait_until(lambda: owner.get("").status == 404, 2, "it is gone")
        self.assertEqual(key.get("agents").status, 404)
        shown = root.get("").json
        self.assertEqual(shown["ends_at"], reply.json["ends_at"])
        # Twice is once.
        self.assertEqual(root.ask("DELETE", "", {}).json["ends_at"],
                         shown["ends_at"])
        self.assertEqual(root.patch("", {"is_active": True}).status, 409)
        self.assertEqual([a["slug"] for a in root.all(
            ACCOUNTS + "?status=ending")], ["hasty"])
        reply = root.post("restore")
        self.assertEqual((reply.status, reply.json["is_active"],
                          reply.json["ends_at"]), (200, True, None), reply)
        wait_until(lambda: key.get("agents").status == 200, 2, "it is back")
        self.assertEqual([r[0] for r in self.rig.sql(
            "select action from audit_log where action like 'account.%' and "
            f"account_id = '{self.id('hasty')}' order by seq")][1:],
            ["account.delete", "account.restore"])
        # The command does the same.
        shown = self.rig.cli("account", "delete", "hasty")
        self.assertFalse(shown["is_active"])
        self.assertIsNotNone(shown["ends_at"])
        self.assertNotEqual(self.rig.run(
            "account", "delete", "hasty", check=False).returncode, 0)
        self.assertNotEqual(self.rig.run(
            "account", "activate", "hasty", check=False).returncode, 0)
        self.assertTrue(self.rig.cli("account", "restore", "hasty")[
            "is_active"])
        self.assertNotEqual(self.rig.run(
            "account", "restore", "hasty", check=False).returncode, 0)

    def test_what_is_due_goes(self):
        key, owner = self.made("doomed")
        stays, _ = self.made("lasting")
        for who in (key, stays):
            reply = self.rig.chat("sales/shop", "hello",
                                  account=who.account, key=who.key)
            self.assertEqual(reply.status, 200)
            self.assertIn(who.post("widget-keys", {
                "name": "w", "allowed_origins": ["https://a.example"]}).status,
                (200, 201))
            self.assertEqual(who.post("llm-credentials", {
                "provider": "openai", "name": "k", "key": "sk-k",
                "status": "disabled"}).status, 201)
            self.assertEqual(who.post("roles", {
                "name": "own", "permissions": ["agent.read"]}).status, 201)
            self.assertEqual(who.post("api-keys", {
                "name": "k", "role": "own"}).status, 201)
            self.assertEqual(who.put("scim", {"group_roles": [
                {"group": "G", "role": "own"}]}).status, 200)
            base = f"/scim/v2/{who.account}/"
            user = who.post(base + "Users", {
                "userName": f"d@{who.account}.example"})
            self.assertEqual(user.status, 201, user)
            self.assertEqual(who.post(base + "Groups", {
                "displayName": "G",
                "members": [{"value": user.json["id"]}]}).status, 201)
        member(self.rig, "doomed", "viewer", "v@doomed.example")
        account, other = self.id("doomed"), self.id("lasting")
        # More than one step takes.
        self.rig.sql(f"""
            insert into data.usage_rollups (account_id, agent_instance_id,
            model, grain, bucket, requests, failed, cancelled, input_tokens,
            output_tokens, cached_input_tokens, reasoning_tokens,
            cost_nano_usd, unpriced, latency_ms_sum, latency_ms_max,
            latency_hist) select '{account}', gen_random_uuid(), 'm', 5,
            date_trunc('hour', now()), 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            '{{0,0,0,0,0,0,0,0,0,0,0}}' from generate_series(1, 3500)""")
        before = self.rows(other)
        self.assertGreater(len(self.rows(account)), 13)
        self.assertEqual(owner.ask("DELETE", "", {
            "password": PASSWORD}).status, 202)
        self.rig.sql("update accounts set ends_at = now() where slug = "
                     "'doomed'")
        self.assertEqual(self.root.of("doomed").post("restore").status, 404)
        wait_until(lambda: self.rig.sql(
            "select 1 from accounts where slug = 'doomed'") == [], 30,
            "it has ended")
        self.assertEqual(self.rows(account), {})
        after = self.rows(other)
        self.assertEqual({t: n for t, n in before.items()
                          if after.get(t, 0) < n}, {})
        (kind, was), = self.rig.sql(
            "select actor_kind, before->>'slug' from audit_log where "
            f"action = 'account.end' and object_id = '{account}' and "
            "account_id = '00000000-0000-0000-0000-000000000000'")
        self.assertEqual((kind, was), ("system", "doomed"))
        self.assertIn('"event":"account_ended"', self.rig.log())
        self.assertEqual(self.rig.run(
            "audit", "verify", "--platform").returncode, 0)
        # Its people remain, its name is free.
        self.assertEqual(self.rig.request("POST", LOGIN, {
            "email": "owner@doomed.example",
            "password": PASSWORD}).status, 200)
        self.assertEqual(self.root.post(ACCOUNTS, {
            "slug": "doomed", "name": "Another"}).status, 201)
        self.assertEqual(key.of("doomed").get("").status, 401)


if __name__ == "__main__":
    unittest.main()
