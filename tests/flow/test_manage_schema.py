"""A property of the management API: whatever the schemas allow or forbid is
sent to every operation, and no answer is a 5xx or one that openapi.json does
not name; what breaks its schema is never taken."""
import json
import os
import random
import re
import unittest
import uuid

import jsonschema

from manage import Caller, caller, member
from rig import NOBODY, Provider, Rig

RAW = (b"", b"{", b"[]", b"null", b"true", b'"text"', b"1e999", b"{}",
       b"[" * 100, b'{"a":' * 100, b'{"name":"a","name":"b"}',
       b'{"name":"\xff\xfe"}', b'{"name":"\\u0000"}', b'{"name":"\\ud800"}',
       b'{"a":1}{"b":2}', b"\xef\xbb\xbf{}", b'{"x":' + b"9" * 400 + b"}")
ODD = (None, True, False, 0, -1, 1, 2**53, -2**63, 2**63 - 1, 1.5, 1e300, "",
       " ", "x", "x" * 70, "x" * 5000, "ä" * 200, "\U0001f600" * 201,
       "\u0001", "'; drop table accounts; --", "%s%n", "../..", "null", [],
       [[]], {}, {"a": {}}, [None], ["https://a.example"] * 2, NOBODY,
       "2026-01-31T12:00:00Z", "9999-12-31T23:59:59Z",
       "1970-01-01T00:00:00+23:59")
WORDS = ("", "0", "1", "-1", "200", "201", "999999999999999999999", "x", "ä",
         "%00", "%zz", "%ff", "a&b", "MSBh", "MSA5OTk5OTk5OTk5OTk5OTk5OTk5",
         "agent,model,day", "hour,hour", "active", "archived", "running",
         "viewer", "2026-01-31T12:00:00Z", "0001-01-01T00:00:00Z",
         "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59", NOBODY,
         NOBODY + "0", "' or true --")
HEADERS = ({}, {}, {}, {"If_Match": '"x"'}, {"If_Match": "*"},
           {"If_Match": "x"}, {"If_Match": 'W/"a", "b"'},
           {"Idempotency_Key": "a b"}, {"Idempotency_Key": "k"})


class SchemaTest(unittest.TestCase):
    tries = 30 * int(os.environ.get("SB_LONG", "1"))

    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = rig = Rig("schema", env=cls.provider.env())
        rig.run("account", "create", "target", "--name", "T", "--tier",
                "enterprise")
        rig.run("account", "set-limit", "target", "max_agents", "unlimited")
        cls.owner = caller(rig, "account_owner", "target")
        cls.seeded = random.Random(int(os.environ.get("SB_SEED", "4")))
        agent = cls.owner.post("agents", {
            "agent_type": "sales", "instance_name": "shop", "configuration": {
                "model_override": "openai:mock-echo",
                "model_fallback": False}}).json
        rig.chat("sales/shop", account="target", key=cls.owner.key)
        cls.known = {
            "slug": ["target"], "agent_id": [agent["id"]],
            "version": ["1", "2"],
            "session_id": [cls.owner.all("sessions")[0]["id"]],
            "activity_id": [NOBODY],
            "turn_id": [rig.chat("sales/shop", account="target",
                                 key=cls.owner.key).json["turn_id"]],
            "user_id": [member(rig, "target", "viewer", "v@t.example")],
            "domain": ["target.example"],
            "key_id": []}
        cls.doc = rig.get("/api/v1/openapi.json").json
        cls.routes = [
            (method.upper(), path, op)
            for path, item in cls.doc["paths"].items()
            for method, op in item.items()
            if path.startswith("/api/v1/") and (
                "x-permission" in op or path.startswith("/api/v1/auth/"))]

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def pick(self, of):
        return self.seeded.choice(of)

    def path(self, path):
        """Mostly ids that are there, sometimes what no id is."""
        def one(m):
            name = m.group(1)
            if name == "key_id":
                kind = "api-keys" if "api-keys" in path else "widget-keys"
                made = self.owner.post(kind, {"name": "k", "role": "viewer"}
                                       if kind == "api-keys" else {
                                           "name": "k", "allowed_origins": [
                                               "https://a.example"]})
                known = [made.json["id"]]
            elif name == "budget_id":
                known = [self.owner.post("budgets", {
                    "name": "b", "scope": "account", "period": "day",
                    "unit": "tokens", "limit": 10 ** 9}).json["id"]]
            elif name == "secret_id":
                known = [self.owner.post("visitor-secrets", {
                    "name": "s"}).json["id"]]
            else:
                known = self.known.get(name, [NOBODY])
            return self.pick(known * 6 + ["x", "0", "-", "9" * 30, NOBODY,
                                          str(uuid.uuid4())])
        return re.sub(r"\{(\w+)\}", one, path)

    def query(self, op):
        said = []
        for p in op.get("parameters", []):
            if p["in"] == "query" and self.pick((True, False)):
                said.append(f"{p['name']}={self.pick(WORDS)}".replace(
                    "ä", "%C3%A4").replace(" ", "+").replace("'", "%27"))
        return "?" + "&".join(said) if said else ""

    def value(self, schema, good):
        """A value that tends to fit, or that tends not to."""
        if "$ref" in schema:
            schema = self.doc["components"]["schemas"][
                schema["$ref"].rsplit("/", 1)[1]]
        if not good and self.pick((True, False, False)):
            return self.pick(ODD)
        if "examples" in schema and self.pick((True, False)):
            return self.pick(schema["examples"])
        if "enum" in schema:
            return self.pick(schema["enum"])
        kinds = schema.get("type", "object")
        kind = self.pick(kinds) if isinstance(kinds, list) else kinds
        if kind == "null":
            return None
        if kind == "object":
            known = schema.get("properties", {})
            needed = schema.get("required", [])
            chosen = {n: self.value(s, good) for n, s in known.items()
                      if (n in needed and (good or self.pick((1, 1, 0)))) or
                      self.pick((True, False))}
            if not good and self.pick((True, False, False)):
                chosen[self.pick(("id", "account_id", "", "/", "~"))] = 1
            return chosen
        if kind == "array":
            return [self.value(schema["items"], good)
                    for _ in range(self.pick((1, 1, 2, 3)))]
        if kind == "string":
            if schema.get("format") == "uuid":
                return self.pick(self.known["agent_id"] + [NOBODY])
            if schema.get("format") == "date-time":
                return "2100-01-01T00:00:00Z"
            if "pattern" in schema:
                return "a" + uuid.uuid4().hex[:9]
            most = schema.get("maxLength", 200)
            return self.pick(("a", "ä" * min(most, 200), "a name", "t" * most))
        if kind == "number":
            return self.pick((schema.get("minimum", 0),
                              schema.get("maximum", 9), 5, 0.5))
        if kind == "integer":
            return self.pick((schema.get("minimum", 0),
                              schema.get("maximum", 9), 5))
        return self.pick((True, False))

    def test_whatever_is_sent(self):
        taken = refused = 0
        for method, path, op in self.routes:
            schema = op.get("requestBody", {}).get("content", {}).get(
                "application/json", {}).get("schema")
            valid = schema and jsonschema.Draft202012Validator(
                dict(schema, components=self.doc["components"]))
            for n in range(self.tries):
                body = fits = None
                if schema is not None and n % 5 == 4:
                    body = self.pick(RAW)
                elif schema is not None:
                    made = self.value(schema, n % 2 == 0)
                    fits = valid.is_valid(made)
                    body = json.dumps(made)
                where = self.path(path) + self.query(op)
                reply = self.owner.ask(method, where, body,
                                       **self.pick(HEADERS))
                told = (method, where, body, reply)
                self.assertLess(reply.status, 500, told)
                self.assertIn(str(reply.status), op["responses"], told)
                if fits is False:
                    self.assertGreaterEqual(reply.status, 400, told)
                    refused += 1
                taken += reply.status < 300
                if reply.status >= 400:
                    problem = reply.json
                    self.assertEqual(problem["status"], reply.status)
                    for error in problem.get("errors", []):
                        self.assertRegex(error["pointer"], "^(/.*)?$")
        print(f"{taken} taken, {refused} that broke a schema refused",
              end=" ")
        self.assertGreater(taken, 60)
        self.assertGreater(refused, 50)
        self.assertEqual(Caller(self.rig, self.owner.key,
                                "target").get().status, 200)


if __name__ == "__main__":
    unittest.main()
