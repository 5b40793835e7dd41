"""The management API: keys and members.  Nobody gets above himself, and an
account keeps an owner."""
import threading
import unittest
from datetime import datetime, timedelta, timezone

from manage import ROLES, Caller, caller, member, pointers
from rig import NOBODY, Rig, wait_until

ADMINS = ("account_admin", "account_owner")


def later(seconds):
    then = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    return then.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class KeysTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = Rig("manage-keys")
        cls.by = {role: caller(cls.rig, role) for role in ROLES}
        cls.owner = cls.by["account_owner"]

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def status(self, key, account="acme-healthcare"):
        return Caller(self.rig, key, account).get().status

    def refused(self, key, seconds=2):
        wait_until(lambda: self.status(key) == 401, seconds,
                   "the key works no more")

    # -- API keys --------------------------------------------------------

    def test_a_keys_life(self):
        made = self.owner.post("api-keys", {"name": "Büro", "role": "viewer"})
        self.assertEqual(made.status, 201, made)
        key = made.json["key"]
        self.assertTrue(key.startswith("sb_live_"))
        self.assertEqual(made.json["prefix"], key[:12])
        path = "api-keys/" + made.json["id"]
        shown = dict(made.json)
        del shown["key"]
        self.assertEqual(self.owner.get(path).json, shown)
        self.assertEqual(self.status(key), 200)
        self.assertNotIn(key, self.rig.log())
        dump = self.rig.sql("select k::text from api_keys k union all "
                            "select a::text from request_answers a")
        self.assertNotIn(key[8:], str(dump))

        state = self.owner.get(path).headers["etag"]
        self.assertEqual(self.owner.delete(path, If_Match='"x"').status, 412)
        self.assertEqual(self.status(key), 200)
        self.assertEqual(self.owner.delete(path, If_Match=state).status, 204)
        self.refused(key)
        self.assertEqual(self.owner.get(path).json["status"], "revoked")
        self.assertEqual(self.owner.delete(path).status, 204)
        self.assertEqual(self.owner.post(path + "/rotate", {}).status, 409)

    def test_last_use(self):
        """When a key was last let in: told within seconds of its first use,
        then at most once a minute, and no change of configuration."""
        api = self.owner.post("api-keys", {"name": "u", "role": "viewer"}).json
        widget = self.owner.post("widget-keys", {
            "name": "u", "allowed_origins": ["https://a.example"]}).json
        paths = [f"api-keys/{api['id']}", f"widget-keys/{widget['id']}"]
        shown = [self.owner.get(p) for p in paths]
        self.assertEqual([r.json["last_used_at"] for r in shown],
                         [None, None])

        def use():
            self.assertEqual(self.status(api["key"]), 200)
            self.assertEqual(self.rig.chat(headers={
                "X-Widget-Key": widget["key"],
                "Origin": "https://a.example"}).status, 200)
        since = datetime.now(timezone.utc)
        use()
        # a refused one is no use
        self.assertEqual(Caller(self.rig, api["key"], "globex").get().status,
                         404)

        def told():
            found = [self.owner.get(p) for p in paths]
            self.assertEqual([r.status for r in found], [200, 200], found)
            return [r.json["last_used_at"] for r in found]
        wait_until(lambda: None not in told(), 70, "told")
        first = told()

        def at(text):
            return datetime.fromisoformat(text.replace("Z", "+00:00"))
        for text in first:
            self.assertLess(abs((at(text) - since).total_seconds()), 75)
        self.assertEqual([self.owner.get(p).headers["etag"] for p in paths],
                         [r.headers["etag"] for r in shown])
        epoch = self.rig.sql("select config_epoch from accounts")
        for _ in range(10):
            use()
        for was, now in zip(first, told()):
            self.assertTrue(was == now or (
                at(now) - at(was)).total_seconds() >= 55, (was, now))
        self.assertEqual(
            self.rig.sql("select config_epoch from accounts"), epoch)
        listed = self.rig.cli("key", "list", "acme-healthcare")["data"]
        self.assertEqual([k["last_used_at"] for k in listed
                          if k["id"] == widget["id"]], [told()[1]])

    def test_expiry(self):
        made = self.owner.post("api-keys", {
            "name": "short", "role": "viewer", "expires_at": later(1.5)})
        self.assertEqual(made.status, 201, made)
        self.assertEqual(self.status(made.json["key"]), 200)
        self.refused(made.json["key"], 4)
        path = "api-keys/" + made.json["id"]
        self.assertEqual(self.owner.get(path).json["status"], "expired")
        found = self.owner.all("api-keys?status=expired")
        self.assertIn(made.json["id"], [k["id"] for k in found])
        for when in (later(-60), "yesterday", "2026-02-30T00:00:00Z", 5,
                     "2030-01-01"):
            reply = self.owner.post("api-keys", {
                "name": "x", "role": "viewer", "expires_at": when})
            self.assertEqual((reply.status, pointers(reply)),
                             (422, ["/expires_at"]), reply)
        zone = self.owner.post("api-keys", {
            "name": "z", "role": "viewer",
            "expires_at": "2100-01-01T02:30:00+02:30"})
        self.assertEqual(zone.json["expires_at"], "2100-01-01T00:00:00.000Z")

    def test_the_secret_is_shown_once(self):
        body = {"name": "twice", "role": "viewer"}
        first = self.owner.post("api-keys", body, Idempotency_Key="key-1")
        again = self.owner.post("api-keys", body, Idempotency_Key="key-1")
        self.assertEqual((first.status, again.status), (201, 201))
        self.assertEqual(again.headers["idempotent-replayed"], "true")
        self.assertNotIn("key", again.json)
        self.assertEqual(dict(again.json, key=first.json["key"]), first.json)
        self.assertEqual(self.status(first.json["key"]), 200)

    def test_rotation_with_overlap(self):
        old = self.owner.post("api-keys", {"name": "r", "role": "analyst"})
        path = "api-keys/" + old.json["id"]
        new = self.owner.post(path + "/rotate", {"overlap_seconds": 2},
                              Idempotency_Key="rotate-1")
        self.assertEqual(new.status, 201, new)
        self.assertEqual((new.json["role"], new.json["name"],
                          new.json["replaces"]),
                         ("analyst", "r", old.json["id"]))
        replayed = self.owner.post(path + "/rotate", {"overlap_seconds": 2},
                                   Idempotency_Key="rotate-1")
        self.assertEqual(replayed.json["id"], new.json["id"], replayed)
        self.assertNotIn("key", replayed.json)
        self.assertEqual(self.status(new.json["key"]), 200)
        self.assertEqual(self.status(old.json["key"]), 200)
        self.refused(old.json["key"], 5)
        self.assertEqual(self.status(new.json["key"]), 200)
        # without an overlap the old one ends at once
        third = self.owner.post(f"api-keys/{new.json['id']}/rotate", {})
        self.assertEqual(third.status, 201, third)
        self.refused(new.json["key"])
        self.assertEqual(self.owner.get(
            f"api-keys/{new.json['id']}").json["status"], "revoked")
        # an overlap never lengthens a life
        brief = self.owner.post("api-keys", {
            "name": "b", "role": "viewer", "expires_at": later(30)})
        self.owner.post(f"api-keys/{brief.json['id']}/rotate",
                        {"overlap_seconds": 604800})
        kept = self.owner.get(f"api-keys/{brief.json['id']}").json
        self.assertEqual(kept["expires_at"][:19],
                         brief.json["expires_at"][:19])
        for body in ({"overlap_seconds": -1}, {"overlap_seconds": 604801},
                     {"overlap_seconds": "1"}, {"role": "account_owner"}):
            reply = self.owner.post(path + "/rotate", body)
            self.assertEqual(reply.status, 422, reply)

    def test_nobody_gets_above_himself(self):
        """B4: keys."""
        owners = self.owner.post("api-keys", {
            "name": "owner's", "role": "account_owner"}).json
        for role, who in self.by.items():
            for other in ROLES + ("platform_admin", "visitor", "none", ""):
                reply = who.post("api-keys", {"name": "x", "role": other})
                if role not in ADMINS:
                    want = 403
                elif other not in ROLES:
                    want = 422
                elif ROLES.index(other) > ROLES.index(role):
                    want = 403
                else:
                    want = 201
                self.assertEqual(reply.status, want, (role, other, reply))
            for method, path in (("DELETE", ""), ("POST", "/rotate")):
                if role == "account_owner":
                    continue
                reply = who.ask(method, f"api-keys/{owners['id']}{path}",
                                {} if method == "POST" else None)
                self.assertEqual(reply.status, 403, (role, path, reply))
                self.assertNotIn(b"sb_live_", reply.body)
        self.assertEqual(self.status(owners["key"]), 200)
        made = self.rig.sql("select count(*) from api_keys where role not in "
                            "('" + "','".join(ROLES) + "')")
        self.assertEqual(made, [["0"]])
        for field in ("id", "account_id", "key_hash", "prefix", "created_at"):
            reply = self.owner.post("api-keys", {
                "name": "x", "role": "viewer", field: NOBODY})
            self.assertEqual(pointers(reply), ["/" + field], reply)

    # -- widget keys -----------------------------------------------------

    def test_a_widget_keys_life(self):
        manager = self.by["agent_manager"]
        made = manager.post("widget-keys", {
            "name": "site", "allowed_origins": ["https://a.example",
                                                "http://localhost:*"]})
        self.assertEqual(made.status, 201, made)
        key = made.json["key"]
        self.assertTrue(key.startswith("sb_pub_"))
        self.assertIsNone(made.json["agent_id"])
        path = "widget-keys/" + made.json["id"]

        def chat(origin, agent="sales/human_health"):
            return self.rig.chat(agent, headers={
                "X-Widget-Key": key, "Origin": origin}).status
        self.assertEqual(chat("https://a.example"), 200)
        self.assertEqual(chat("https://b.example"), 403)
        agents = {a["instance_name"]: a["id"] for a in manager.all("agents")}
        state = manager.get(path).headers["etag"]
        changed = manager.patch(path, {
            "allowed_origins": ["https://b.example"],
            "agent_id": agents["animal_health"]}, If_Match=state)
        self.assertEqual(changed.status, 200, changed)
        self.assertEqual(changed.json["name"], "site")
        wait_until(lambda: chat("https://a.example") == 403, 2, "live")
        wait_until(lambda: chat("https://b.example",
                                "sales/animal_health") == 200, 2, "live")
        self.assertEqual(chat("https://b.example"), 404)
        self.assertEqual(manager.patch(
            path, {"name": "n"}, If_Match=state).status, 412)
        free = manager.patch(path, {"agent_id": None})
        self.assertIsNone(free.json["agent_id"])
        self.assertEqual(manager.delete(path).status, 204)
        wait_until(lambda: chat("https://b.example") == 401, 2, "revoked")
        self.assertEqual(manager.get(path).json["status"], "revoked")
        self.assertIn(made.json["id"], [k["id"] for k in manager.all(
            "widget-keys?status=revoked", 1)])

    def test_origins_and_agents_of_widget_keys(self):
        def make(**more):
            return self.owner.post("widget-keys", dict({
                "name": "x", "allowed_origins": ["https://a.example"]},
                **more))
        reply = make(allowed_origins=["https://a.example", "a.example", "*",
                                      "https://A.example", "null",
                                      "https://a.example/"])
        self.assertEqual((reply.status, pointers(reply)), (422, [
            f"/allowed_origins/{n}" for n in range(1, 6)]), reply)
        for origins, found in (([], "/allowed_origins"),
                               (["https://a.example"] * 2,
                                "/allowed_origins/1"),
                               (["https://a.example"] * 101,
                                "/allowed_origins"),
                               ("https://a.example", "/allowed_origins"),
                               ([5], "/allowed_origins/0")):
            reply = make(allowed_origins=origins)
            self.assertEqual(reply.status, 422, reply)
            self.assertIn(found, pointers(reply))
        globex = Caller(self.rig, self.rig.globex_key, "globex")
        foreign = globex.all("agents")[0]["id"]
        answers = [make(agent_id=a) for a in (foreign, NOBODY)]
        for reply in answers:
            self.assertEqual((reply.status, pointers(reply)),
                             (422, ["/agent_id"]), reply)
        self.assertEqual(answers[0].json["errors"], answers[1].json["errors"])
        self.assertEqual(self.by["viewer"].get("widget-keys").status, 403)


class MembersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = Rig("manage-members")
        cls.rig.run("account", "create", "people", "--name", "People",
                    "--tier", "standard")
        cls.by = {role: caller(cls.rig, role, "people") for role in ROLES}
        cls.owner = cls.by["account_owner"]
        cls.ids = {role: member(cls.rig, "people", role, f"{role}@p.example")
                   for role in ROLES}

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def role(self, user):
        return self.rig.sql("select role from memberships where user_id = "
                            f"'{user}'")

    def test_members(self):
        listed = self.owner.all("users", 2)
        self.assertLessEqual(set(self.ids.values()),
                             {u["id"] for u in listed})
        self.assertEqual([u["id"] for u in listed],
                         sorted(u["id"] for u in listed))
        one = self.owner.get("users/" + self.ids["viewer"])
        self.assertEqual((one.json["email"], one.json["role"]),
                         ("viewer@p.example", "viewer"))
        self.assertNotIn("password", str(one.json))
        owners = self.owner.all("users?role=account_owner")
        self.assertEqual({u["role"] for u in owners}, {"account_owner"})
        self.assertEqual(self.by["agent_manager"].get("users").status, 403)
        # whoever is a member elsewhere only is nobody here
        (stranger,), = self.rig.sql(
            "select user_id from memberships m join accounts a on a.id = "
            "m.account_id where slug = 'acme-healthcare' limit 1")
        for method in ("GET", "PATCH", "DELETE"):
            answers = [self.owner.ask(method, "users/" + u, {"role": "viewer"}
                                      if method == "PATCH" else None)
                       for u in (stranger, NOBODY)]
            self.assertEqual([a.status for a in answers], [404, 404])
            self.assertEqual(answers[0].json["detail"],
                             answers[1].json["detail"])

    def test_roles_change(self):
        user = member(self.rig, "people", "viewer", "climber@p.example")
        path = "users/" + user
        state = self.owner.get(path).headers["etag"]
        reply = self.owner.patch(path, {"role": "analyst"}, If_Match=state)
        self.assertEqual((reply.status, reply.json["role"]),
                         (200, "analyst"), reply)
        self.assertEqual(self.owner.patch(
            path, {"role": "viewer"}, If_Match=state).status, 412)
        for body in ({}, {"role": "platform_admin"}, {"role": "visitor"},
                     {"role": "viewer", "is_platform_admin": True},
                     {"role": "viewer", "account_id": NOBODY}):
            self.assertEqual(self.owner.patch(path, body).status, 422)
        self.assertEqual(self.owner.delete(path).status, 204)
        self.assertEqual(self.owner.delete(path).status, 404)
        self.assertEqual(self.rig.sql(
            f"select is_active from users where id = '{user}'"), [["t"]])

    def test_nobody_gets_above_himself(self):
        """B4: roles."""
        for role, who in self.by.items():
            for target, user in self.ids.items():
                for new in ROLES:
                    if role == "account_owner":
                        continue
                    reply = who.patch("users/" + user, {"role": new})
                    above = ROLES.index(role) < max(ROLES.index(target),
                                                    ROLES.index(new))
                    want = 403 if role not in ADMINS or above else 200
                    self.assertEqual(reply.status, want, (role, target, new))
                    if want == 200:
                        self.owner.patch("users/" + user, {"role": target})
                if role not in ADMINS or ROLES.index(role) < ROLES.index(
                        target):
                    self.assertEqual(who.delete("users/" + user).status, 403)
        for role, user in self.ids.items():
            self.assertEqual(self.role(user), [[role]])

    def test_the_last_owner_stays(self):
        self.rig.run("account", "create", "lonely", "--name", "L", "--tier",
                     "standard")
        owner = caller(self.rig, "account_owner", "lonely")
        first = member(self.rig, "lonely", "account_owner", "one@l.example")
        for reply in (owner.patch("users/" + first, {"role": "viewer"}),
                      owner.delete("users/" + first)):
            self.assertEqual(reply.status, 409, reply)
            self.assertIn("owner", reply.json["detail"])
        second = member(self.rig, "lonely", "account_owner", "two@l.example")
        # one who cannot sign in does not count
        self.rig.run("user", "deactivate", "two@l.example")
        self.assertEqual(owner.delete("users/" + first).status, 409)
        self.rig.run("user", "activate", "two@l.example")
        for n in range(10):  # both at once: one of them stays
            out, lock = [], threading.Lock()
            line = threading.Barrier(2)

            def leave(user, how):
                line.wait()
                reply = owner.delete("users/" + user) if how else owner.patch(
                    "users/" + user, {"role": "viewer"})
                with lock:
                    out.append(reply.status)
            threads = [threading.Thread(target=leave, args=(u, (n + k) % 2))
                       for k, u in enumerate((first, second))]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual(out.count(409), 1, out)
            left = self.rig.sql(
                "select count(*) from memberships m join accounts a on a.id "
                "= m.account_id where slug = 'lonely' and m.role = "
                "'account_owner'")
            self.assertEqual(left, [["1"]])
            for email in ("one@l.example", "two@l.example"):
                self.rig.run("user", "grant", email, "lonely",
                             "account_owner")


if __name__ == "__main__":
    unittest.main()
