"""SCIM 2.0 as directories speak it (RFC 7643, RFC 7644): Okta's and Entra's
usual sequences, what ends a sign-in, and what one account's directory may not
do to another's people (ROBUSTNESS B1, B4, C5)."""
import time
import unittest
import urllib.parse
import uuid

from manage import Caller, caller, pointers
from rig import Rig, wait_until
from test_identity import LOGIN, PASSWORD, REFRESH

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


class Directory:
    """What a directory does with its base address and its token."""

    def __init__(self, rig, slug, key):
        self.rig, self.base, self.key = rig, f"/scim/v2/{slug}", key

    def ask(self, method, path, body=None, **headers):
        sent = {"Authorization": f"Bearer {self.key}",
                "Accept": "application/scim+json"}
        if body is not None:
            sent["Content-Type"] = "application/scim+json"
        sent.update({k.replace("_", "-"): v for k, v in headers.items()})
        return self.rig.request(method, self.base + path, body, sent)

    def get(self, path):
        return self.ask("GET", path)

    def find(self, what, text, more=""):
        return self.get(f"/{what}?filter={urllib.parse.quote(text)}{more}")

    def user(self, user_name, **more):
        return self.ask("POST", "/Users", dict({
            "schemas": [USER], "userName": user_name, "active": True,
            "name": {"givenName": "Ann", "familyName": "Able"},
            "emails": [{"primary": True, "value": user_name,
                        "type": "work"}]},
            **more))

    def group(self, name, *members):
        return self.ask("POST", "/Groups", {
            "schemas": [GROUP], "displayName": name,
            "members": [{"value": m} for m in members]})

    def patch(self, path, *operations):
        return self.ask("PATCH", path, {
            "schemas": [PATCH], "Operations": list(operations)})


class ScimTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = Rig("scim", params={"chat_workers": 2, "admin_workers": 3})
        cls.owner = caller(cls.rig, "account_owner")
        cls.dir = cls.directory("acme-healthcare", cls.owner)
        cls.globex = caller(cls.rig, "account_owner", "globex")
        cls.other = cls.directory("globex", cls.globex)

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    @classmethod
    def directory(cls, slug, owner):
        """A key that can do this and nothing else."""
        made = owner.post("roles", {"name": "directory",
                                    "permissions": ["scim.manage"]})
        assert made.status == 201, made
        key = owner.post("api-keys", {"name": "SCIM", "role": "directory"})
        assert key.status == 201, key
        return Directory(cls.rig, slug, key.json["key"])

    def refused(self, reply, status, kind=None):
        self.assertEqual(reply.status, status, reply)
        self.assertEqual(reply.headers["content-type"],
                         "application/scim+json")
        self.assertEqual((reply.json["schemas"], reply.json["status"],
                          reply.json.get("scimType")),
                         ([ERROR], str(status), kind), reply)
        self.assertTrue(reply.json["detail"])

    def made(self, reply):
        self.assertEqual(reply.status, 201, reply)
        self.assertEqual(reply.headers["content-type"],
                         "application/scim+json")
        shown = reply.json
        self.assertEqual(reply.headers["etag"], shown["meta"]["version"])
        self.assertEqual(reply.headers["location"],
                         shown["meta"]["location"])
        return shown

    def member(self, address, account="acme-healthcare"):
        """The role of the member with that address, or None."""
        found = self.rig.sql(
            "select m.role from memberships m join users u on u.id = "
            "m.user_id join accounts a on a.id = m.account_id where u.email "
            f"= '{address}' and a.slug = '{account}'")
        return found[0][0] if found else None

    def sign_in(self, address, account="acme-healthcare"):
        self.rig.run("user", "set-password", address, "--password-stdin",
                     stdin=PASSWORD)
        reply = self.rig.request("POST", LOGIN, {
            "email": address, "password": PASSWORD})
        self.assertEqual(reply.status, 200, reply)
        who = Caller(self.rig, reply.json["access_token"], account)
        who.refresh_token = reply.json["refresh_token"]
        return who

    def refresh(self, who):
        return self.rig.request("POST", REFRESH, {
            "refresh_token": who.refresh_token}).status

    # -- what it says of itself ------------------------------------------

    def test_about(self):
        config = self.dir.get("/ServiceProviderConfig")
        self.assertEqual((config.status, config.headers["content-type"]),
                         (200, "application/scim+json"))
        self.assertTrue(config.json["patch"]["supported"])
        self.assertTrue(config.json["filter"]["supported"])
        self.assertFalse(config.json["bulk"]["supported"])
        types = self.dir.get("/ResourceTypes").json
        self.assertEqual([(t["name"], t["endpoint"])
                          for t in types["Resources"]],
                         [("User", "/Users"), ("Group", "/Groups")])
        schemas = self.dir.get("/Schemas").json
        self.assertEqual([s["id"] for s in schemas["Resources"]],
                         [USER, GROUP])

    def test_who_may(self):
        self.refused(Directory(self.rig, "acme-healthcare", "sb_live_x").get(
            "/Users"), 401)
        self.refused(Directory(self.rig, "globex", self.dir.key).get(
            "/Users"), 404)
        self.refused(Directory(self.rig, "no-such", self.dir.key).get(
            "/Users"), 404)
        viewer = caller(self.rig, "viewer")
        self.refused(Directory(self.rig, "acme-healthcare", viewer.key).get(
            "/Users"), 403)
        # The directory's key can do nothing else.
        mine = Caller(self.rig, self.dir.key)
        for path in ("", "users", "agents", "api-keys", "audit"):
            self.assertEqual(mine.get(path).status, 403, path)
        self.refused(self.dir.ask("POST", "/Users", {"userName": "x@y.example"},
                                  Content_Type="text/plain"), 415)

    # -- Okta ------------------------------------------------------------

    def test_okta(self):
        """Looks for the name, makes, reads, replaces, deactivates, groups."""
        d, name = self.dir, "ok.ta@dir.example"
        none = d.find("Users", f'userName eq "{name}"',
                      "&startIndex=1&count=100")
        self.assertEqual((none.status, none.json["schemas"],
                          none.json["totalResults"], none.json["Resources"]),
                         (200, [LIST], 0, []))
        user = self.made(d.user(name, externalId="00u1", locale="en-US",
                                password="Ignored by us 1!", groups=[]))
        self.assertEqual((user["userName"], user["externalId"],
                          user["active"], user["name"]["familyName"]),
                         (name, "00u1", True, "Able"))
        self.assertNotIn("password", user)
        self.assertEqual(user["meta"]["resourceType"], "User")
        self.assertEqual(self.member(name), "viewer")
        path = "/Users/" + user["id"]
        self.assertEqual(d.get(path).json, user)
        self.refused(d.user(name), 409, "uniqueness")
        self.refused(d.user(name.upper()), 409, "uniqueness")
        found = d.find("Users", f'userName eq "{name.upper()}"').json
        self.assertEqual([u["id"] for u in found["Resources"]], [user["id"]])
        # She signs in and works.
        who = self.sign_in(name)
        self.assertEqual(who.get("agents").status, 200)
        # Okta replaces the whole user.
        said = dict(user, name={"givenName": "Anna", "familyName": "Able"},
                    title="Dr.", unknownAttribute=5)
        reply = d.ask("PUT", path, said)
        self.assertEqual((reply.status, reply.json["name"]["givenName"],
                          reply.json["title"]), (200, "Anna", "Dr."), reply)
        self.assertNotIn("unknownAttribute", reply.json)
        self.assertNotEqual(reply.json["meta"]["version"],
                            user["meta"]["version"])
        self.refused(d.ask("PUT", path, said,
                           If_Match=user["meta"]["version"]), 412)
        self.assertEqual(self.rig.sql(
            f"select display_name from users where email = '{name}'"),
            [["Anna Able"]])
        # A group, with a role.
        self.assertEqual(self.owner.put("scim", {
            "default_role": "viewer", "group_roles": [
                {"group": "Okta Admins", "role": "account_admin"},
                {"group": "Okta Support", "role": "support"}]}).status, 200)
        group = self.made(d.group("Okta Support", user["id"]))
        self.assertEqual(group["members"], [{"value": user["id"],
                                             "display": name}])
        self.assertEqual(self.member(name), "support")
        self.assertEqual(d.get(path).json["groups"], [
            {"value": group["id"], "display": "Okta Support"}])
        admins = self.made(d.group("Okta Admins"))
        self.assertEqual(d.patch("/Groups/" + admins["id"], {
            "op": "add", "path": "members",
            "value": [{"value": user["id"]}]}).status, 200)
        self.assertEqual(self.member(name), "account_admin")
        self.assertEqual(d.patch("/Groups/" + admins["id"], {
            "op": "remove",
            "path": f'members[value eq "{user["id"]}"]'}).status, 200)
        self.assertEqual(self.member(name), "support")
        # Deactivated: out, on every worker, at the next request.
        who = self.sign_in(name)
        self.assertEqual(who.get("agents").status, 200)
        reply = d.patch(path, {"op": "replace", "value": {"active": False}})
        self.assertEqual((reply.status, reply.json["active"]), (200, False))
        self.out(who)
        self.assertIsNone(self.member(name))
        # And back, with the role of the group.
        reply = d.patch(path, {"op": "replace", "value": {"active": True}})
        self.assertEqual((reply.status, reply.json["active"]), (200, True))
        self.assertEqual(self.member(name), "support")
        self.assertEqual(self.sign_in(name).get("agents").status, 200)
        self.assertEqual(d.ask("DELETE", "/Groups/" + group["id"]).status,
                         204)
        self.assertEqual(self.member(name), "viewer")

    def out(self, who):
        began = time.monotonic()
        wait_until(lambda: who.get("agents").status == 401, 2, "out")
        for _ in range(12):
            self.assertEqual(who.get("agents").status, 401)
            self.assertEqual(self.rig.chat(account=who.account,
                                           key=who.key).status, 401)
        self.assertLess(time.monotonic() - began, 3)
        self.assertEqual(self.refresh(who), 401)

    # -- Entra -----------------------------------------------------------

    def test_entra(self):
        """Its connection test, its spellings, its groups."""
        d, name = self.dir, "En.Tra@dir.example"
        ghost = d.find("Users", f'userName eq "{uuid.uuid4()}"').json
        self.assertEqual((ghost["totalResults"], ghost["Resources"]), (0, []))
        user = self.made(d.user(name, externalId="entra-1", schemas=[
            USER, ENTERPRISE], **{ENTERPRISE: {"department": "Sales"}},
            displayName="Entra Person"))
        self.assertEqual(user["schemas"], [USER, ENTERPRISE])
        self.assertEqual(user[ENTERPRISE]["department"], "Sales")
        found = d.find("Users", 'externalId eq "entra-1"').json
        self.assertEqual([u["id"] for u in found["Resources"]], [user["id"]])
        path = "/Users/" + user["id"]
        reply = d.patch(
            path,
            {"op": "Replace", "path": "displayName", "value": "Another"},
            {"op": "Replace", "path": "name.givenName", "value": "Nina"},
            {"op": "Add", "path": 'emails[type eq "work"].value',
             "value": "en.tra2@dir.example"},
            {"op": "Replace", "path": 'phoneNumbers[type eq "mobile"].value',
             "value": "+49 1"},
            {"op": "Add", "value": {"name.familyName": "Nox",
                                    "title": "Boss"}},
            {"op": "Replace", "path": ENTERPRISE + ":department",
             "value": "Legal"})
        self.assertEqual(reply.status, 200, reply)
        now = reply.json
        self.assertEqual(
            (now["displayName"], now["name"]["givenName"],
             now["name"]["familyName"], now["emails"][0]["value"],
             now["phoneNumbers"], now["title"], now[ENTERPRISE]),
            ("Another", "Nina", "Nox", "en.tra2@dir.example",
             [{"type": "mobile", "value": "+49 1"}], "Boss",
             {"department": "Legal"}))
        # The person is this account's alone: her address follows.
        self.assertIsNotNone(self.member("en.tra2@dir.example"))
        who = self.sign_in("en.tra2@dir.example")
        self.assertEqual(who.get("agents").status, 200)
        group = self.made(d.group("Entra Group"))
        gpath = "/Groups/" + group["id"]
        self.assertEqual(d.patch(gpath, {
            "op": "Add", "path": "members",
            "value": [{"value": user["id"]}]}).status, 200)
        bare = d.get(gpath + "?excludedAttributes=members").json
        self.assertNotIn("members", bare)
        self.assertEqual(len(d.get(gpath).json["members"]), 1)
        self.assertEqual(d.patch(gpath, {
            "op": "Remove", "path": "members",
            "value": [{"value": user["id"]}]}).json["members"], [])
        self.assertEqual(d.patch(gpath, {
            "op": "Replace", "path": "displayName",
            "value": "Entra Group 2"}).json["displayName"], "Entra Group 2")
        # "False" is false.
        reply = d.patch(path, {"op": "Replace", "path": "active",
                               "value": "False"})
        self.assertEqual((reply.status, reply.json["active"]), (200, False))
        self.out(who)
        # Deleted: not there any more, and can be made again.
        self.assertEqual(d.ask("DELETE", path).status, 204)
        self.refused(d.get(path), 404)
        self.refused(d.ask("DELETE", path), 404)
        again = self.made(d.user("en.tra2@dir.example"))
        self.assertNotEqual(again["id"], user["id"])
        self.assertIsNotNone(self.member("en.tra2@dir.example"))

    # -- filters, pages, what is wrong -----------------------------------

    def test_filters_and_pages(self):
        self.rig.run("account", "create", "many")
        owner = caller(self.rig, "account_owner", "many")
        d = self.directory("many", owner)
        names = [f"p{n}@many.example" for n in range(12)]
        for n, name in enumerate(names):
            self.made(d.user(name, active=n % 2 == 0, externalId=f"e{n}",
                             title="Chief" if n == 3 else "Clerk",
                             emails=[{"value": name, "type": "work"},
                                     {"value": f"h{n}@home.example",
                                      "type": "home", "primary": n == 5}]))
        seen = []
        for start in (1, 6, 11, 16):
            page = d.get(f"/Users?startIndex={start}&count=5").json
            self.assertEqual((page["totalResults"], page["startIndex"],
                              page["itemsPerPage"]),
                             (12, start, len(page["Resources"])))
            seen += [u["userName"] for u in page["Resources"]]
        self.assertEqual(sorted(seen), sorted(names))
        self.assertEqual(d.get("/Users?count=0").json["totalResults"], 12)
        self.assertEqual(d.get("/Users?count=-1&startIndex=-5").json[
            "startIndex"], 1)
        for text, want in (
                ('userName eq "p1@many.example"', [1]),
                ('USERNAME EQ "P1@MANY.EXAMPLE"', [1]),
                (f'{USER}:userName eq "p1@many.example"', [1]),
                ('externalId eq "e7"', [7]),
                ('externalId eq "E7"', []),
                ('userName sw "p1"', [1, 10, 11]),
                ('userName ew "1@many.example"', [1, 11]),
                ('userName co "0@"', [0, 10]),
                ('title eq "chief" or externalId eq "e2"', [2, 3]),
                ('active eq true and userName sw "p1"', [10]),
                ('not (active eq true) and title ne "Clerk"', [3]),
                ('(title eq "Chief" or active eq false) and '
                 'userName co "p1"', [1, 11]),
                ('emails[type eq "home" and value eq "h4@home.example"]',
                 [4]),
                ('emails.value eq "h6@home.example"', [6]),
                ('emails eq "h6@home.example"', [6]),
                ('name.familyName pr and userName eq "p2@many.example"',
                 [2]),
                ('nickName pr', []), ('noSuchThing eq 5', []),
                ('meta.created gt "2100-01-01T00:00:00Z"', []),
                ('userName eq "p1@many.example" and userName eq '
                 '"p2@many.example"', []),
                ('userName eq "p1@many.example" or userName eq '
                 '"p2@many.example"', [1, 2])):
            reply = d.find("Users", text)
            self.assertEqual(reply.status, 200, (text, reply))
            self.assertEqual(
                sorted(u["userName"] for u in reply.json["Resources"]),
                sorted(names[n] for n in want), text)
            self.assertEqual(reply.json["totalResults"], len(want))
        page = d.find("Users", 'title eq "Clerk"', "&startIndex=3&count=4")
        self.assertEqual((page.json["totalResults"],
                          len(page.json["Resources"])), (11, 4))
        for text in ("", "userName", 'userName is "x"', "userName eq",
                     "userName eq x", 'userName eq "x', "(userName pr",
                     'userName eq "x" xor title pr', 'emails[type eq "x"',
                     "not userName pr", 'userName eq ["x"]', '1a eq "x"',
                     'userName eq "x" and', "(" * 60 + "a pr" + ")" * 60,
                     "a pr and " * 600 + "a pr"):
            self.refused(d.find("Users", text), 400, "invalidFilter")
        # Only some attributes.
        shown = d.find("Users", 'externalId eq "e1"',
                       "&attributes=userName,name.givenName").json[
                           "Resources"][0]
        self.assertEqual(set(shown), {"schemas", "id", "userName", "name"})
        # The primary address is hers.
        self.assertIsNone(self.member("p5@many.example", "many"))
        self.assertEqual(self.rig.sql(
            "select count(*) from users where email = 'h5@home.example'"),
            [["1"]])

    def test_what_is_wrong(self):
        d = self.dir
        user = self.made(d.user("wrong@dir.example"))
        path = "/Users/" + user["id"]
        for body, kind in (
                ({}, "invalidValue"), ({"userName": ""}, "invalidValue"),
                ({"userName": 5}, "invalidValue"),
                ({"userName": "no address"}, "invalidValue"),
                ({"userName": "x" * 300 + "@y.example"}, "invalidValue"),
                ({"userName": "a@b.example", "active": "maybe"},
                 "invalidValue"),
                ({"userName": "a@b.example", "emails": ["x"]},
                 "invalidValue"), ([], "invalidSyntax")):
            self.refused(d.ask("POST", "/Users", body), 400, kind)
        for op, kind in (
                ({"op": "move", "path": "title", "value": "x"},
                 "invalidSyntax"),
                ({"op": "replace", "path": "a b", "value": "x"},
                 "invalidPath"),
                ({"op": "replace", "path": 'emails[type eq "x', "value": 1},
                 "invalidPath"),
                ({"op": "replace", "path": "title"}, "invalidValue"),
                ({"op": "remove"}, "noTarget"),
                ({"op": "replace", "value": "x"}, "invalidValue"),
                ({"op": "replace", "path": 'emails[type ne "work"].value',
                  "value": "x"}, "noTarget"),
                ({"op": "remove", "path": "userName"}, "invalidValue")):
            self.refused(d.patch(path, op), 400, kind)
        self.refused(d.ask("PATCH", path, {"schemas": [PATCH]}), 400,
                     "invalidSyntax")
        self.assertEqual(d.get(path).json, user)
        self.refused(d.get("/Users/" + str(uuid.uuid4())), 404)
        self.refused(d.get("/Users/x"), 404)
        self.refused(d.get("/Nothing"), 404)
        self.refused(d.group("G", str(uuid.uuid4())), 400, "invalidValue")
        self.refused(d.group("G", "x"), 400, "invalidValue")
        self.made(d.group("Twice"))
        self.refused(d.group("tWICE"), 409, "uniqueness")
        # Read-only attributes are left as they are.
        reply = d.patch(path, {"op": "replace", "value": {
            "id": str(uuid.uuid4()), "meta": {"created": "x"},
            "schemas": ["x"], "groups": [{"value": "x"}]}})
        self.assertEqual((reply.status, reply.json["id"],
                          reply.json["groups"]), (200, user["id"], []))

    # -- one person, several accounts ------------------------------------

    def test_shared_people(self):
        """No account's directory changes or sees what is another's."""
        shared = "shared@both.example"
        ours = self.made(self.dir.user(shared))
        theirs = self.made(self.other.user(shared, name={
            "givenName": "GLOBEXSEES", "familyName": "THIS"}))
        self.assertNotEqual(ours["id"], theirs["id"])
        who = self.sign_in(shared)
        # Neither moves the address nor the name now.
        for d, user in ((self.dir, ours), (self.other, theirs)):
            reply = d.patch("/Users/" + user["id"], {
                "op": "replace", "value": {
                    "userName": "taken@evil.example",
                    "displayName": "TAKEN",
                    "emails": [{"value": "taken@evil.example",
                                "primary": True}]}})
            self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.rig.sql(
            "select count(*) from users where email = 'taken@evil.example' "
            "or display_name = 'TAKEN'"), [["0"]])
        self.assertNotIn("GLOBEXSEES", str(self.dir.get("/Users").json))
        # What one ends, ends there alone.
        both = self.refreshed(who)
        self.assertEqual(self.other.patch("/Users/" + theirs["id"], {
            "op": "replace", "value": {"active": False}}).status, 200)
        both = self.refreshed(both)
        self.assertEqual(both.get("agents").status, 200)
        self.assertEqual(both.of("globex").get("").status, 404)
        # Its ids are nobody's here.
        for method, body in (("GET", None), ("DELETE", None),
                             ("PUT", {"userName": "x@y.example"}),
                             ("PATCH", {"Operations": [
                                 {"op": "remove", "path": "title"}]})):
            foreign = self.dir.ask(method, "/Users/" + theirs["id"], body)
            random = self.dir.ask(method, "/Users/" + str(uuid.uuid4()),
                                  body)
            self.refused(foreign, 404)
            self.assertEqual(foreign.body, random.body)
        self.refused(self.dir.group("Foreign", theirs["id"]), 400,
                     "invalidValue")
        self.assertEqual(self.other.get("/Users/" + theirs["id"]).status, 200)

    def refreshed(self, who):
        reply = self.rig.request("POST", REFRESH, {
            "refresh_token": who.refresh_token})
        self.assertEqual(reply.status, 200, reply)
        again = Caller(self.rig, reply.json["access_token"], who.account)
        again.refresh_token = reply.json["refresh_token"]
        return again

    def test_platform_administrators_and_owners(self):
        """Who was there before SCIM is linked, not taken over."""
        self.rig.run("user", "create", "boss@dir.example", "--platform-admin",
                     "--password-stdin", stdin=PASSWORD)
        user = self.made(self.dir.user("boss@dir.example"))
        self.dir.patch("/Users/" + user["id"], {
            "op": "replace", "path": 'emails[type eq "work"].value',
            "value": "mine@evil.example"})
        self.assertEqual(self.rig.sql(
            "select is_platform_admin, display_name from users where email = "
            "'boss@dir.example'"), [["t", "boss"]])
        # An owner of before keeps her role whatever her groups say; the last
        # one stays.
        self.rig.run("account", "create", "single")
        self.rig.run("user", "create", "only@dir.example", "--account",
                     "single", "--role", "account_owner", "--password-stdin",
                     stdin=PASSWORD)
        owner = caller(self.rig, "account_owner", "single")
        d = self.directory("single", owner)
        only = self.made(d.user("only@dir.example"))
        self.made(d.group("Anything", only["id"]))
        self.assertEqual(self.member("only@dir.example", "single"),
                         "account_owner")
        self.refused(d.patch("/Users/" + only["id"], {
            "op": "replace", "value": {"active": False}}), 409)
        self.refused(d.ask("DELETE", "/Users/" + only["id"]), 409)
        self.assertEqual(self.member("only@dir.example", "single"),
                         "account_owner")

    def test_roles_of_groups(self):
        """Nobody gives groups what he has not."""
        self.assertEqual(caller(self.rig, "account_admin").put("scim", {
            "group_roles": [{"group": "x", "role": "account_owner"}]}).status,
            403)
        self.assertEqual(caller(self.rig, "viewer").put("scim", {}).status,
                         403)
        self.assertEqual(Caller(self.rig, self.dir.key).put("scim", {
            "default_role": "account_owner"}).status, 403)
        # Nor takes what others have, nor speaks as the directory.
        owner = caller(self.rig, "account_owner", "globex")
        admin = caller(self.rig, "account_admin", "globex")
        self.assertEqual(owner.put("scim", {"group_roles": [
            {"group": "Owners", "role": "account_owner"}]}).status, 200)
        self.assertEqual(admin.put("scim", {"group_roles": []}).status, 403)
        self.refused(Directory(self.rig, "globex", admin.key).group(
            "Owners"), 403)
        self.assertEqual(admin.post("roles", {
            "name": "sneaky", "permissions": ["scim.manage"]}).status, 403)
        self.assertEqual(admin.post("api-keys", {
            "name": "sneaky", "role": "directory"}).status, 403)
        self.assertEqual(owner.put("scim", {"group_roles": []}).status, 200)
        self.assertEqual(admin.put("scim", {"group_roles": [
            {"group": "A", "role": "account_admin"}]}).status, 200)
        owner.post("roles", {"name": "mapped", "permissions": []})
        owner.put("scim", {"group_roles": [{"group": "M", "role": "mapped"}]})
        kept = owner.delete("roles/mapped")
        self.assertEqual(kept.status, 409, kept)
        self.assertIn("SCIM", kept.json["detail"])
        reply = self.owner.put("scim", {"default_role": "nothing"})
        self.assertEqual((reply.status, pointers(reply)), (422, ["/role"]))
        self.assertEqual(self.globex.put("scim", {
            "default_role": "analyst"}).json, {"default_role": "analyst",
                                               "group_roles": []})
        self.made(self.other.user("analyst@globex.example"))
        self.assertEqual(self.member("analyst@globex.example", "globex"),
                         "analyst")
        self.globex.put("scim", {"default_role": "viewer"})
        self.assertEqual(self.member("analyst@globex.example", "globex"),
                         "viewer")
        self.assertEqual(self.globex.get("scim").json["default_role"],
                         "viewer")

    def test_the_record(self):
        user = self.made(self.dir.user("record@dir.example"))
        self.dir.patch("/Users/" + user["id"], {
            "op": "replace", "value": {"active": False}})
        self.dir.ask("DELETE", "/Users/" + user["id"])
        entries = [a for a in self.owner.all("audit?action=scim.*")
                   if a["object"]["id"] == user["id"]]
        self.assertEqual([a["action"] for a in entries], [
            "scim.user_delete", "scim.user_update", "scim.user_create"])
        self.assertEqual({a["actor"]["kind"] for a in entries}, {"api_key"})


if __name__ == "__main__":
    unittest.main()
