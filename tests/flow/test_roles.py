"""Roles of an account's own (ROBUSTNESS B4, C5): sets of permissions within
the giver's own, at work at the next request everywhere."""
import threading
import time
import unittest

from manage import ROLES, Caller, caller, member, pointers
from rig import Rig, wait_until
from test_identity import LOGIN, PASSWORD

READS = ["account.read", "agent.read"]


class RolesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = Rig("roles", params={"chat_workers": 2, "admin_workers": 3})
        cls.owner = caller(cls.rig, "account_owner")
        cls.admin = caller(cls.rig, "account_admin")
        cls.allowed = {r["name"]: set(r["permissions"])
                       for r in cls.owner.all("roles") if r["built_in"]}

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def make(self, name, permissions, by=None):
        return (by or self.owner).post("roles", {
            "name": name, "permissions": permissions})

    def key(self, role, by=None):
        made = (by or self.owner).post("api-keys", {
            "name": "of " + role, "role": role})
        self.assertEqual(made.status, 201, made)
        return Caller(self.rig, made.json["key"])

    def person(self, address, role):
        self.rig.run("user", "create", address, "--account",
                     "acme-healthcare", "--role", role, "--password-stdin",
                     stdin=PASSWORD)
        reply = self.rig.request("POST", LOGIN, {
            "email": address, "password": PASSWORD})
        self.assertEqual(reply.status, 200, reply)
        return Caller(self.rig, reply.json["access_token"])

    def everywhere(self, who, path, status):
        """Within a second, whichever worker answers."""
        began = time.monotonic()
        wait_until(lambda: who.get(path).status == status, 2, f"{status}")
        for _ in range(12):
            self.assertEqual(who.get(path).status, status)
        self.assertLess(time.monotonic() - began, 3)

    def test_the_list(self):
        self.assertEqual(set(self.allowed), set(ROLES))
        self.assertLess(self.allowed["viewer"], self.allowed["account_owner"])
        self.make("listed", READS)
        names = [r["name"] for r in self.owner.all("roles", 2)]
        self.assertEqual(names, sorted(names))
        self.assertEqual(len(names), len(set(names)))
        self.assertIn("listed", names)
        shown = self.owner.get("roles/account_owner").json
        self.assertTrue(shown["built_in"])
        self.assertGreater(shown["members"], 0)
        self.assertEqual(self.owner.get("roles/nothing").status, 404)
        for change in (self.owner.patch("roles/viewer", {"description": "x"}),
                       self.owner.delete("roles/viewer")):
            self.assertEqual(change.status, 409, change)
        # What the programs print is what holds.
        printed = self.rig.run("docs", "permissions").stdout
        for name in self.allowed["account_owner"]:
            self.assertIn(f"`{name}`", printed)

    def test_a_roles_life(self):
        made = self.make("auditor", READS)
        self.assertEqual((made.status, made.json["permissions"],
                          made.json["members"]), (201, READS, 0), made)
        self.assertEqual(self.make("auditor", READS).status, 409)
        key, person = self.key("auditor"), self.person(
            "audrey@example.com", "auditor")
        for who in (key, person):
            self.assertEqual(who.get("agents").status, 200)
            refused = who.get("audit")
            self.assertEqual(refused.status, 403)
            self.assertIn("auditor", refused.json["detail"])
            self.assertEqual(self.rig.chat(key=who.key).status, 403)
        # More, then less, at the next request.
        self.assertEqual(self.owner.patch("roles/auditor", {
            "permissions": READS + ["audit.read", "chat.talk"]}).status, 200)
        for who in (key, person):
            self.everywhere(who, "audit", 200)
            wait_until(lambda: self.rig.chat(key=who.key).status == 200, 2,
                       "may talk")
        self.assertEqual(self.owner.patch("roles/auditor", {
            "permissions": ["account.read"]}).status, 200)
        for who in (key, person):
            self.everywhere(who, "audit", 403)
            self.everywhere(who, "agents", 403)
            self.everywhere(who, "", 200)
        # In use it stays, and says by whom.
        refused = self.owner.delete("roles/auditor")
        self.assertEqual(refused.status, 409, refused)
        for word in ("1 members", "audrey@example.com", "1 API keys",
                     "of auditor"):
            self.assertIn(word, refused.json["detail"])
        shown = self.owner.get("roles/auditor").json
        self.assertEqual((shown["members"], shown["api_keys"]), (1, 1))
        (user,), = self.rig.sql(
            "select id from users where email = 'audrey@example.com'")
        self.assertEqual(self.owner.patch(f"users/{user}", {
            "role": "viewer"}).status, 200)
        for k in self.owner.all("api-keys"):
            if k["role"] == "auditor":
                self.owner.delete("api-keys/" + k["id"])
        self.assertEqual(self.owner.delete("roles/auditor").status, 204)
        self.assertEqual(self.owner.get("roles/auditor").status, 404)
        actions = [a["action"] for a in self.owner.all("audit?action=role.*")
                   if a["object"]["id"] == "auditor"]
        self.assertEqual(actions, ["role.delete", "role.update",
                                   "role.update", "role.create"])

    def test_nobody_gets_above_himself(self):
        every = sorted(self.allowed["account_owner"])
        self.assertEqual(self.make("like_owner", every).status, 201)
        for name in sorted(self.allowed["account_owner"] -
                           self.allowed["account_admin"]):
            refused = self.make("above", [name], self.admin)
            self.assertEqual(refused.status, 403, refused)
            self.assertIn(name, refused.json["detail"])
        # Not by giving it, to people or keys, nor by changing it.
        victim = member(self.rig, "acme-healthcare", "viewer",
                        "victor@example.com")
        for reply in (
                self.admin.patch(f"users/{victim}", {"role": "like_owner"}),
                self.admin.post("users", {"email": "x@example.com",
                                          "role": "like_owner"}),
                self.admin.post("api-keys", {"name": "x",
                                             "role": "like_owner"}),
                self.admin.patch("roles/like_owner", {"description": "x"}),
                self.admin.patch("roles/like_owner", {"permissions": []}),
                self.admin.delete("roles/like_owner")):
            self.assertEqual(reply.status, 403, reply)
        # A role that may manage keys and roles, and little else.
        self.assertEqual(self.make("keeper", [
            "key.read", "key.write", "role.read", "role.write", "user.write",
            "user.read"]).status, 201)
        keeper = self.key("keeper")
        for role, status in (("viewer", 403), ("account_owner", 403),
                             ("like_owner", 403), ("keeper", 201)):
            self.assertEqual(keeper.post("api-keys", {
                "name": "k", "role": role}).status, status, role)
        self.assertEqual(self.make("less", ["key.read"], keeper).status, 201)
        self.assertEqual(self.make("more", READS, keeper).status, 403)
        self.assertEqual(keeper.patch("roles/keeper", {
            "permissions": ["key.read", "chat.talk"]}).status, 403)
        # Whoever stands above is out of reach.
        self.assertEqual(keeper.patch(f"users/{victim}", {
            "role": "keeper"}).status, 403)
        owners = [u for u in self.owner.all("users")
                  if u["role"] == "account_owner"]
        self.assertEqual(keeper.delete(
            "users/" + owners[0]["id"]).status, 403)
        # The last owner stays, whatever else may do the same.
        if len(owners) == 1:
            self.assertEqual(self.owner.patch("users/" + owners[0]["id"], {
                "role": "like_owner"}).status, 409)

    def test_what_is_no_role(self):
        for name, perms, at in (
                ("viewer", READS, "/name"), ("none", READS, "/name"),
                ("platform_admin", READS, "/name"),
                ("Upper", READS, "/name"), ("", READS, "/name"),
                ("x", ["nonsense"], "/permissions/0"),
                ("x", ["agent.read", "account.limits"], "/permissions/1"),
                ("x", ["account.create"], "/permissions/0"),
                ("x", ["self"], "/permissions/0"),
                ("x", "agent.read", "/permissions")):
            reply = self.make(name, perms)
            self.assertEqual((reply.status, pointers(reply)), (422, [at]),
                             (name, perms, reply))
        for role in ("nothing", "platform_admin", "visitor", "none"):
            for reply in (
                    self.owner.post("api-keys", {"name": "x", "role": role}),
                    self.owner.post("users", {"email": "y@example.com",
                                              "role": role})):
                self.assertEqual((reply.status, pointers(reply)),
                                 (422, ["/role"]), (role, reply))
        done = self.rig.run("key", "create", "acme-healthcare", "--kind",
                            "api", "--name", "x", "--role", "nothing",
                            check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no role nothing", done.stdout + done.stderr)
        # One account's role is nothing in another.
        self.make("ours", READS)
        globex = caller(self.rig, "account_owner", "globex")
        self.assertEqual(globex.get("roles/ours").status, 404)
        self.assertEqual(globex.post("api-keys", {
            "name": "x", "role": "ours"}).status, 422)
        self.assertEqual(globex.post("roles", {
            "name": "ours", "permissions": []}).status, 201)

    def test_given_while_it_is_deleted(self):
        """Either the key has the role or the role is gone."""
        for i in range(10):
            name = f"brief{i}"
            self.assertEqual(self.make(name, READS).status, 201)
            said = {}
            threads = [
                threading.Thread(target=lambda: said.update(
                    gone=self.owner.delete("roles/" + name).status)),
                threading.Thread(target=lambda: said.update(
                    key=self.owner.post("api-keys", {
                        "name": name, "role": name}).status))]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertIn((said["gone"], said["key"]),
                          ((204, 422), (409, 201)), said)


if __name__ == "__main__":
    unittest.main()
