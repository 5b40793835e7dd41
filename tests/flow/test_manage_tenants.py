"""ROBUSTNESS B1, B2, B3, B12, generated from the route table: every route of the
management API, as everybody, with ids that are the account's own, another
account's and nobody's.  A route that this file cannot try fails it."""
import re
import unittest
import uuid

import jsonschema

from manage import ROLES, Caller, caller, member
from rig import Provider, Rig

ALPHA, BRAVO = "CANARYALPHA", "CANARYBRAVO"
METHODS = ("get", "post", "put", "patch", "delete")


def same(reply):
    """What must be equal: all but what names the request."""
    body = re.sub(rb'"request_id": ?"[^"]*"', b"", reply.body)
    kept = {k: v for k, v in reply.headers.items()
            if k not in ("x-request-id", "date", "connection")}
    return reply.status, body, kept


class TenantsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = rig = Rig("tenants", env=cls.provider.env(), params={
            "egress_allow": "127.0.0.0/8"})
        cls.ids, cls.owners = {}, {}
        for slug, canary in (("mirror-a", ALPHA), ("mirror-b", BRAVO)):
            cls.seed(slug, canary)
        # What a timer would add up meanwhile.
        rig.sql("select gate.sum_rollups()", role="sb_job")
        cls.callers = {role: caller(rig, role, "mirror-a") for role in ROLES}
        cls.doc = rig.get("/api/v1/openapi.json").json
        cls.routes = [
            (method.upper(), path, op)
            for path, item in cls.doc["paths"].items()
            for method, op in item.items()
            if path.startswith("/api/v1/") and method in METHODS and
            # What is one's own is no account's: test_identity.
            op.get("x-permission", "self") != "self"]
        cls.allowed = cls.table()

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    @classmethod
    def seed(cls, slug, canary):
        """The same things by the same names, but for the canary."""
        rig = cls.rig
        rig.run("account", "create", slug, "--name", canary, "--tier",
                "enterprise")
        owner = cls.owners[slug] = caller(rig, "account_owner", slug)

        def made(reply):
            assert reply.status in (200, 201), reply
            return reply.json
        agent = made(owner.post("agents", {
            "agent_type": "sales", "instance_name": "shop",
            "display_name": canary, "configuration": {
                "model_override": "openai:mock-echo", "model_fallback": False,
                "system_prompt_override": canary}}))
        made(owner.put(f"agents/{agent['id']}/config", {"configuration": {
            "model_override": "openai:mock-echo", "model_fallback": False,
            "system_prompt_override": canary + " again"}}))
        talk = made(rig.chat("sales/shop", canary + " speaks", account=slug,
                             key=owner.key, session_key=canary))
        domain = canary.lower() + ".example"
        rig.sql("insert into account_domains (account_id, domain) select id, "
                f"'{domain}' from accounts where slug = '{slug}' returning 1")
        cls.ids[slug] = {
            "domain": domain,
            "agent_id": agent["id"],
            "version": "2",
            "user_id": member(rig, slug, "viewer",
                              canary.lower() + "@p.example"),
            "session_id": owner.all("sessions")[0]["id"],
            "turn_id": talk["turn_id"],
            "activity_id": talk["turn_id"],
            "api-keys": made(owner.post("api-keys", {
                "name": canary, "role": "viewer"}))["id"],
            "role_name": made(owner.post("roles", {
                "name": canary.lower(), "description": canary,
                "permissions": ["agent.read"]}))["name"],
            "subject_id": agent["id"],
            "budget_id": made(owner.post("budgets", {
                "name": canary, "scope": "agent", "subject_id": agent["id"],
                "period": "month", "unit": "tokens", "limit": 10 ** 9}))["id"],
            "secret_id": made(owner.post("visitor-secrets", {
                "name": canary}))["id"],
            "credential_id": made(owner.post("llm-credentials", {
                "provider": "openai", "name": canary, "key": canary,
                "base_url": f"http://127.0.0.1:{cls.provider.port}/v1",
                "status": "disabled"}))["id"],
            "widget-keys": made(owner.post("widget-keys", {
                "name": canary, "agent_id": agent["id"], "allowed_origins": [
                    f"https://{canary.lower()}.example"]}))["id"]}
        member(rig, slug, "account_owner", canary.lower() + "2@p.example")

    @classmethod
    def table(cls):
        """{permission: roles} of the table that the program prints."""
        found = {}
        lines = cls.rig.run("docs", "permissions").stdout.splitlines()
        roles = [c.strip() for c in lines[0].split("|")[3:-1]]
        for line in lines[2:]:
            cells = [c.strip() for c in line.split("|")[1:-1]]
            found[cells[0].strip("`")] = {
                r for r, c in zip(roles, cells[2:]) if c == "yes"}
        return found

    # -- requests from the schemas ---------------------------------------

    def sample(self, schema):
        """A value that the schema allows."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            return self.sample(self.doc["components"]["schemas"][name])
        if "examples" in schema and schema.get("type") != "object":
            return schema["examples"][0]
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema["type"]
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            names = list(schema.get("required", []))
            if not names and schema.get("minProperties"):
                names = [next(iter(schema["properties"]))]
            return {n: self.sample(schema["properties"][n]) for n in names}
        if kind == "array":
            return [self.sample(schema["items"])]
        if kind == "string":
            if schema.get("format") == "uuid":
                return str(uuid.uuid4())
            if schema.get("format") == "date-time":
                return "2100-01-01T00:00:00Z"
            text = "t" + uuid.uuid4().hex[:12]
            self.assertRegex(text, schema.get("pattern", "."))
            return text
        if kind == "integer":
            return max(1, schema.get("minimum", 1))
        if kind == "number":
            return max(1, schema.get("minimum", 1))
        self.assertEqual(kind, "boolean", schema)
        return True

    def body(self, op):
        if "requestBody" not in op:
            return None
        return self.sample(
            op["requestBody"]["content"]["application/json"]["schema"])

    def fill(self, path, ids):
        """The path with ids; {key_id} is of the kind before it."""
        def one(m):
            before = path[:m.start()].rstrip("/").rsplit("/", 1)[-1]
            name = before if m.group(1) == "key_id" else m.group(1)
            if name not in ids:
                self.fail(f"{path}: seed() has no {name}: teach it")
            return ids[name]
        return re.sub(r"\{(\w+)\}", one, path)

    def full(self, slug, whose):
        return dict(self.ids[whose] if isinstance(whose, str) else whose,
                    slug=slug)

    @staticmethod
    def nobody():
        return {name: str(uuid.uuid4()) for name in (
            "agent_id", "user_id", "session_id", "turn_id",
            "activity_id", "secret_id",
            "budget_id", "subject_id", "api-keys", "credential_id",
            "widget-keys")} | {"version": "2", "role_name": "nobody_s",
                               "domain": "nobody.example"}

    @staticmethod
    def has_id(path):
        return len(re.findall(r"\{", path)) > 1

    def rows(self, slug):
        """All that the database holds of an account, as one hash a table;
        but when keys were last used, which workers write when they come to
        it."""
        (account,), = self.rig.sql(
            f"select id from accounts where slug = '{slug}'")
        tables = self.rig.sql(
            "select c.oid::regclass, case relname when 'accounts' then 'id' "
            "else 'account_id' end from pg_class c join pg_attribute a on "
            "a.attrelid = c.oid and a.attname = case relname when 'accounts' "
            "then 'id' else 'account_id' end where relnamespace in ("
            "'control'::regnamespace, 'data'::regnamespace) and relkind in "
            "('r', 'p') and not relispartition order by 1")
        found = dict(self.rig.sql(" union all ".join(
            f"select '{table}', coalesce(md5(string_agg(j, '' order by j)), "
            "'-') from (select (to_jsonb(t) - 'last_used_at')::text as j "
            f"from {table} t where {column} = '{account}') r"
            for table, column in tables)))
        self.assertGreater(sum(v != "-" for v in found.values()), 7)
        return found

    # -- the tests -------------------------------------------------------

    def test_1_the_inventory(self):
        """B12: routes, documentation and permissions are equal sets."""
        self.assertGreater(len(self.routes), 30)
        printed = self.rig.run("docs", "routes").stdout
        listed = set(re.findall(
            r"^\| (\w+) \| `(/api/v1/[^`]*)` \| admin \| `([\w.]+)`",
            printed, re.M))
        self.assertEqual(
            {(m, p, op["x-permission"]) for m, p, op in self.routes},
            {r for r in listed if r[2] not in ("public", "self")})
        page = self.rig.get("/api/docs").body.decode()
        for method, path, op in self.routes:
            self.assertIn(path, page)
            self.assertIn(op["x-permission"], self.allowed, path)
            for status in ("401", "403"):
                self.assertIn(status, op["responses"], (method, path))

    def test_2_strangers(self):
        """401 before any 404, 404 before any 403 of another account."""
        foreign = self.owners["mirror-b"]
        for method, path, op in self.routes:
            body = self.body(op)
            for ids in (self.full("mirror-a", "mirror-a"),
                        self.full("mirror-a", self.nobody()),
                        self.full("no-such-account", self.nobody())):
                reply = Caller(self.rig, None).ask(
                    method, self.fill(path, ids), body)
                self.assertEqual(reply.status, 401, (method, path))
            if "{slug}" not in path:
                continue
            before = self.rows("mirror-a")
            answers = [foreign.ask(method, self.fill(path, ids), body)
                       for ids in (self.full("mirror-a", "mirror-a"),
                                   self.full("mirror-a", "mirror-b"),
                                   self.full("mirror-a", self.nobody()),
                                   self.full("no-such-account", "mirror-a"))]
            for answer in answers:
                self.assertEqual(answer.status, 404, (method, path, answer))
                self.assertEqual(same(answer), same(answers[0]))
            self.assertEqual(self.rows("mirror-a"), before)

    def test_3_foreign_is_random(self):
        """B1: for every role, what another account owns is what nobody owns;
        nothing of it is shown and nothing of it changes."""
        before = self.rows("mirror-b")
        tried = 0
        for method, path, op in self.routes:
            if "{slug}" not in path or not self.has_id(path):
                continue
            body = self.body(op)
            for role, who in self.callers.items():
                foreign, nobody = (who.ask(method, self.fill(
                    path, self.full("mirror-a", ids)), body)
                    for ids in ("mirror-b", self.nobody()))
                want = 404 if role in self.allowed[
                    op["x-permission"]] else 403
                self.assertEqual(foreign.status, want, (method, path, role,
                                                        foreign))
                self.assertEqual(same(foreign), same(nobody),
                                 (method, path, role))
                self.assertNotIn(BRAVO.encode(), foreign.body)
                tried += 1
        self.assertGreater(tried, 100)
        self.assertEqual(self.rows("mirror-b"), before)

    def test_4_ids_in_bodies_queries_and_cursors(self):
        """B2."""
        before = self.rows("mirror-b")
        owner = self.callers["account_owner"]
        theirs = self.owners["mirror-b"]
        for method, path, op in self.routes:
            if "{slug}" not in path:
                continue
            own = self.fill(path, self.full("mirror-a", "mirror-a"))
            schema = op.get("requestBody", {}).get("content", {}).get(
                "application/json", {}).get("schema")
            if schema is not None:
                name = schema["$ref"].rsplit("/", 1)[1]
                members = self.doc["components"]["schemas"][name][
                    "properties"]
                for key, member_ in members.items():
                    if member_.get("format") != "uuid":
                        continue
                    answers = [owner.ask(method, own, dict(
                        self.body(op), **{key: ids})) for ids in (
                            self.ids["mirror-b"][key], str(uuid.uuid4()))]
                    self.assertEqual(same(answers[0]), same(answers[1]))
                    self.assertEqual(answers[0].status, 422, answers[0])
            for parameter in op.get("parameters", []):
                if parameter["in"] != "query":
                    continue
                if parameter["schema"].get("format") == "uuid":
                    answers = [owner.get(f"{own}?{parameter['name']}={ids}")
                               for ids in (self.ids["mirror-b"]["agent_id"],
                                           str(uuid.uuid4()))]
                    data = [(a.json.get("data"), a.json.get("totals"))
                            for a in answers]
                    self.assertEqual(data[0], data[1])
                    self.assertEqual(answers[0].status, 200)
                    self.assertNotIn(BRAVO.encode(), answers[0].body)
                if parameter["name"] == "after" and method == "GET":
                    page = theirs.get(self.fill(path, self.full(
                        "mirror-b", "mirror-b")) + "?limit=1").json
                    after = page.get("messages", page).get("next")
                    if after is not None:
                        reply = owner.get(f"{own}?after={after}")
                        self.assertEqual(reply.status, 200, reply)
                        self.assertNotIn(BRAVO.encode(), reply.body)
        self.assertEqual(self.rows("mirror-b"), before)

    def test_5_unknown_members_are_refused(self):
        """B3: what a schema does not name, nobody can set."""
        owner = self.callers["account_owner"]
        for method, path, op in self.routes:
            body = self.body(op)
            if body is None or "account_owner" not in self.allowed[
                    op["x-permission"]]:
                continue
            own = self.fill(path, self.full("mirror-a", "mirror-a"))
            name = op["requestBody"]["content"]["application/json"][
                "schema"]["$ref"].rsplit("/", 1)[1]
            known = self.doc["components"]["schemas"][name]["properties"]
            for key in ("id", "account_id", "slot", "config_epoch",
                        "created_at", "is_platform_admin", "key_hash",
                        "revoked_at", "password_hash", "cluster_id"):
                self.assertNotIn(key, known, name)
                reply = owner.ask(method, own, dict(body, **{key: 1}))
                self.assertEqual(reply.status, 422, (method, path, key))
                self.assertEqual(reply.json["errors"], [
                    {"pointer": "/" + key, "detail": "is not known here"}])

    def test_6_roles_do_what_the_table_says(self):
        """Each role on the account's own: 403 exactly where the table has no
        yes, never a status that is not documented.  Last, since it changes
        and ends what it is given."""
        rank = {"GET": 0, "PUT": 1, "PATCH": 2, "POST": 3, "DELETE": 4}
        for method, path, op in sorted(self.routes,
                                       key=lambda r: rank[r[0]]):
            for role, who in self.callers.items():
                own = self.fill(path, self.full("mirror-a", "mirror-a"))
                reply = who.ask(method, own, self.body(op))
                told = (method, path, role, reply)
                self.assertIn(str(reply.status), op["responses"], told)
                # A key has no password to show: test_accounts.
                may = role in self.allowed[op["x-permission"]] and \
                    op["x-permission"] != "account.end"
                self.assertEqual(reply.status == 403, not may, told)
                if may:
                    self.assertIn(reply.status, (200, 201, 204, 404, 409),
                                  told)
                self.assertNotIn(BRAVO.encode(), reply.body)
                self.check(op, reply)

    def check(self, op, reply):
        """Is the answer what the document says of it?"""
        kept = op["responses"][str(reply.status)].get("content")
        if kept is None:
            self.assertEqual(reply.body, b"")
            return
        (kind, how), = kept.items()
        self.assertEqual(reply.headers["content-type"].split(";")[0], kind)
        schema = dict(how["schema"], components=self.doc["components"])
        jsonschema.Draft202012Validator(schema).validate(
            reply.body.decode() if kind == "application/x-ndjson"
            else reply.json)


if __name__ == "__main__":
    unittest.main()
