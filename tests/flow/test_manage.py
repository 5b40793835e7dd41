"""The management API: accounts, agents and their configurations; pages, states
(ETags) and keys of requests that are sent twice."""
import json
import subprocess
import threading
import unittest

from manage import BASE, Caller, caller, pointers
from rig import NOBODY, Provider, Rig, wait_until

AGENT = {"agent_type": "sales", "instance_name": "managed"}


class ManageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = Rig("manage", env=cls.provider.env())
        cls.owner = Caller(cls.rig, cls.rig.key)
        cls.viewer = caller(cls.rig, "viewer")

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def agent(self, name, **more):
        reply = self.owner.post("agents", dict(AGENT, instance_name=name,
                                               **more))
        self.assertEqual(reply.status, 201, reply)
        return reply.json

    # -- accounts --------------------------------------------------------

    def test_account(self):
        reply = self.viewer.get()
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.json["slug"], "acme-healthcare")
        self.assertEqual(reply.json["tier"], "enterprise")
        self.assertEqual(reply.json["max_agents"], 200)
        self.assertFalse(reply.json["own_max_agents"])
        self.assertIn("x-config-epoch", reply.headers)
        self.assertRegex(reply.json["created_at"], r"^\d{4}-.*T.*Z$")

        changed = self.owner.patch("", {"name": "Acme Health"},
                                   If_Match=reply.headers["etag"])
        self.assertEqual(changed.status, 200, changed)
        self.assertEqual(changed.json["name"], "Acme Health")
        self.assertNotEqual(changed.headers["etag"], reply.headers["etag"])
        lost = self.owner.patch("", {"name": "Too late"},
                                If_Match=reply.headers["etag"])
        self.assertEqual(lost.status, 412, lost)
        self.assertEqual(lost.json["type"], "/problems/precondition-failed")
        self.assertEqual(self.owner.get().json["name"], "Acme Health")
        several = self.owner.patch("", {"name": "Acme"}, If_Match=(
            'W/"x", "nonsense", ' + changed.headers["etag"]))
        self.assertEqual(several.status, 200, several)
        weak = self.owner.patch("", {"name": "Weak"}, If_Match=(
            "W/" + several.headers["etag"]))
        self.assertEqual(weak.status, 412)
        self.assertEqual(self.owner.patch(
            "", {"name": "Any"}, If_Match="*").status, 200)
        self.assertEqual(self.owner.patch(
            "", {"name": "Bad"}, If_Match="no quotes").status, 400)

    def test_platforms_fields_are_not_the_owners(self):
        for field, value in (("tier", "premium"), ("max_agents", 5),
                             ("is_active", False),
                             ("requests_per_hour", "unlimited")):
            reply = self.owner.patch("", {"name": "Mine", field: value})
            self.assertEqual(reply.status, 403, (field, reply))
        self.assertNotEqual(self.owner.get().json["name"], "Mine")
        for method, path in (("GET", BASE[:-1]), ("POST", BASE[:-1])):
            reply = self.owner.ask(method, path, {"slug": "x1", "name": "x"})
            self.assertEqual(reply.status, 403, reply)

    def test_bodies_are_checked(self):
        for body, found in (
                ({}, [""]), ({"nam": "x"}, ["/nam"]), ({"name": ""}, ["/name"]),
                ({"name": "x" * 201}, ["/name"]), ({"name": 5}, ["/name"]),
                ({"name": "x", "id": NOBODY, "slug": "mine", "created_at": 1},
                 ["/created_at", "/id", "/slug"]),
                ([], [""]), ("text", [""])):
            reply = self.owner.patch("", json.dumps(body))
            self.assertEqual(reply.status, 422, (body, reply))
            self.assertEqual(pointers(reply), found, reply)
        self.assertEqual(self.owner.patch("", "{").status, 400)
        self.assertEqual(self.owner.patch("", "").status, 400)
        self.assertEqual(self.owner.patch(
            "", "{}", Content_Type="text/plain").status, 415)
        self.assertEqual(self.owner.patch(
            "", {"name": "x" * 1100000}).status, 413)

    # -- agents ----------------------------------------------------------

    def test_an_agents_life(self):
        made = self.owner.post("agents", dict(
            AGENT, display_name="Näme", configuration={
                "model_override": "openai:mock-echo",
                "model_fallback": False}))
        self.assertEqual(made.status, 201, made)
        path = "agents/" + made.json["id"]
        self.assertEqual(made.json, dict(
            made.json, display_name="Näme", status="active",
            config_version=1, last_used_at=None))
        self.assertEqual(self.viewer.get(path).json, made.json)
        self.assertEqual(self.viewer.get(path).headers["etag"],
                         made.headers["etag"])
        again = self.owner.post("agents", AGENT)
        self.assertEqual(again.status, 409, again)
        self.rig.settle()
        self.assertEqual(self.rig.chat("sales/managed").status, 200)

        off = self.owner.patch(path, {"status": "inactive"},
                               If_Match=made.headers["etag"])
        self.assertEqual(off.json["status"], "inactive", off)
        self.rig.settle()
        self.assertEqual(self.rig.chat("sales/managed").status, 404)
        self.assertEqual(self.owner.patch(
            path, {"status": "active"},
            If_Match=made.headers["etag"]).status, 412)
        same = self.owner.patch(path, {"status": "inactive"})
        self.assertEqual(same.json["updated_at"], off.json["updated_at"])
        named = self.owner.patch(path, {"display_name": "N"})
        self.assertEqual((named.json["display_name"], named.json["status"]),
                         ("N", "inactive"))

        self.assertEqual(self.owner.delete(path).status, 204)
        self.assertEqual(self.owner.delete(path).status, 204)
        self.assertEqual(self.viewer.get(path).json["status"], "archived")
        listed = [a["id"] for a in self.viewer.all("agents")]
        self.assertNotIn(made.json["id"], listed)
        listed = [a["id"] for a in self.viewer.all("agents?status=archived")]
        self.assertIn(made.json["id"], listed)
        self.assertEqual(self.owner.patch(
            path, {"status": "active"}).status, 200)

    def test_agents_that_cannot_be(self):
        for body, found in (
                ({"agent_type": "sales"}, ["/instance_name"]),
                (dict(AGENT, instance_name="No!"), ["/instance_name"]),
                (dict(AGENT, agent_type="unheard"), ["/agent_type"]),
                (dict(AGENT, account_id=NOBODY, id=NOBODY, status="active",
                      config_version=7),
                 ["/account_id", "/config_version", "/id", "/status"]),
                (dict(AGENT, configuration={
                    "model_overide": "x", "max_tokens": "many"}),
                 ["/configuration/max_tokens",
                  "/configuration/model_overide"])):
            reply = self.owner.post("agents", body)
            self.assertEqual(reply.status, 422, (body, reply))
            self.assertEqual(pointers(reply), found, reply)
        self.assertEqual(self.owner.patch(
            "agents/" + NOBODY, {"status": "active"}).status, 404)
        for bad in ("not-an-id", NOBODY[:-1], NOBODY + "0"):
            self.assertEqual(self.owner.get("agents/" + bad).status, 404)
        # 401 before any 404, and what a role may not is 403
        stranger = Caller(self.rig, None)
        self.assertEqual(stranger.get("agents/" + NOBODY).status, 401)
        self.assertEqual(stranger.of("no-such").get("agents").status, 401)
        self.assertEqual(self.viewer.post("agents", AGENT).status, 403)
        self.assertEqual(self.viewer.of("globex").get("agents").status, 404)

    def test_max_agents_is_a_conflict(self):
        globex = Caller(self.rig, self.rig.globex_key, "globex")
        self.rig.run("account", "set-limit", "globex", "max_agents", "1")
        reply = globex.post("agents", AGENT)
        self.assertEqual(reply.status, 409, reply)
        self.assertEqual(reply.json["type"], "/problems/max-agents")
        self.rig.run("account", "set-limit", "globex", "max_agents",
                     "default")

    def test_pages(self):
        made = {self.agent(f"page_{n}")["id"] for n in range(5)}
        everything = [a["id"] for a in self.viewer.all("agents")]
        self.assertEqual(everything, sorted(everything))
        self.assertLessEqual(made, set(everything))
        for limit in (1, 2, 3):
            self.assertEqual([a["id"] for a in self.viewer.all(
                "agents", limit)], everything)
        types = {a["agent_type"] for a in self.viewer.all(
            "agents?agent_type=rag")}
        self.assertEqual(types, {"rag"})
        for query in ("limit=0", "limit=201", "limit=x", "after=x",
                      "after=MSBub3RhbmlkAA", "status=unheard",
                      "after=MSAn"):
            reply = self.viewer.get("agents?" + query)
            self.assertEqual(reply.status, 422, (query, reply))
        self.assertEqual(self.viewer.get("agents?after=%zz").status, 400)

    # -- requests that are sent twice ------------------------------------

    def test_the_same_request_again(self):
        body = dict(AGENT, instance_name="only_once")
        first = self.owner.post("agents", body, Idempotency_Key="once-1")
        self.assertEqual(first.status, 201, first)
        self.assertNotIn("idempotent-replayed", first.headers)
        again = self.owner.post("agents", body, Idempotency_Key="once-1")
        self.assertEqual((again.status, again.json), (201, first.json))
        self.assertEqual(again.headers["idempotent-replayed"], "true")
        other = self.owner.post("agents", dict(AGENT, instance_name="o2"),
                                Idempotency_Key="once-1")
        self.assertEqual(other.status, 422, other)
        self.assertEqual(other.json["type"],
                         "/problems/idempotency-key-reused")
        # another caller's key is another key
        manager = caller(self.rig, "agent_manager")
        taken = manager.post("agents", body, Idempotency_Key="once-1")
        self.assertEqual(taken.status, 409, taken)
        # what failed leaves the key free
        bad = self.owner.post("agents", dict(AGENT, agent_type="unheard"),
                              Idempotency_Key="once-2")
        self.assertEqual(bad.status, 422)
        good = self.owner.post("agents", dict(AGENT, instance_name="o3"),
                               Idempotency_Key="once-2")
        self.assertEqual(good.status, 201, good)
        for key in ("", "a b", "x" * 256):
            reply = self.owner.post("agents", body, Idempotency_Key=key)
            self.assertEqual(reply.status, 400, (key, reply))
        # a day later the key is free
        self.rig.sql("update request_answers set created_at = now() - "
                     "interval '25 hours'")
        late = self.owner.post("agents", body, Idempotency_Key="once-1")
        self.assertEqual(late.status, 409, late)
        self.rig.sql("update request_answers set created_at = now()")

    def test_the_same_request_at_once(self):
        replies, lock = [], threading.Lock()

        def ask():
            reply = self.owner.post("agents", dict(
                AGENT, instance_name="at_once"), Idempotency_Key="at-once")
            with lock:
                replies.append(reply)
        threads = [threading.Thread(target=ask) for _ in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual({r.status for r in replies}, {201}, replies)
        self.assertEqual(len({r.json["id"] for r in replies}), 1)
        played = [r for r in replies if "idempotent-replayed" in r.headers]
        self.assertEqual(len(played), 11)

    def test_the_first_outlives_the_waiter(self):
        """409 with Retry-After, and the key is good once it is free."""
        who = caller(self.rig, "account_owner")
        (key, account), = self.rig.sql(
            "select id, account_id from api_keys order by created_at desc "
            "limit 1")
        first = subprocess.Popen(
            ["psql", "-X", "-q", "-A", "-t",
             f"{self.rig.conninfo} user=sb_owner"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        first.stdin.write(
            "begin; insert into request_answers values ("
            f"'{account}', sha256('manage {key} slow'), sha256('x'), 201, "
            "'{}'); select 'held';\n")
        first.stdin.flush()
        self.assertEqual(first.stdout.readline(), "held\n")
        body = dict(AGENT, instance_name="patient")
        late = who.post("agents", body, Idempotency_Key="slow")
        self.assertEqual(late.status, 409, late)
        self.assertEqual(late.json["type"],
                         "/problems/idempotency-key-in-use")
        self.assertIn("retry-after", late.headers)
        first.communicate("rollback;\n")
        done = who.post("agents", body, Idempotency_Key="slow")
        self.assertEqual(done.status, 201, done)

    # -- configurations --------------------------------------------------

    def test_a_configuration(self):
        agent = self.agent("configured")
        path = f"agents/{agent['id']}/config"
        first = self.viewer.get(path)
        self.assertEqual(first.status, 200, first)
        self.assertEqual(first.json["configuration"], {})
        self.assertEqual(first.json["version"], 1)
        self.assertEqual(first.json["problems"], [])
        self.assertIn("system_prompt", first.json["merged"])
        self.assertIn("crm_integration", first.json["unavailable"])

        mine = {"model_override": "openai:mock-echo", "model_fallback": False,
                "system_prompt_override": "MARKONE"}
        saved = self.owner.put(path, {"configuration": mine},
                               If_Match=first.headers["etag"])
        self.assertEqual(saved.status, 200, saved)
        self.assertEqual(saved.json["configuration"], mine)
        self.assertEqual(saved.json["version"], 2)
        self.assertIn("MARKONE", saved.json["merged"]["system_prompt"])
        self.rig.settle()
        self.assertEqual(self.rig.chat("sales/configured").status, 200)
        self.assertIn("MARKONE", json.dumps(self.provider.last()))
        self.assertEqual(self.owner.put(
            path, {"configuration": {}},
            If_Match=first.headers["etag"]).status, 412)

        bad = self.owner.put(path, {"configuration": {
            "max_tokens": "many", "tools": {"product_search": {
                "max_results": "ten"}}}})
        self.assertEqual(bad.status, 422, bad)
        self.assertEqual(pointers(bad), [
            "/configuration/max_tokens",
            "/configuration/tools/product_search/max_results"])
        self.assertEqual(self.viewer.put(
            path, {"configuration": {}}).status, 403)

        second = dict(mine, system_prompt_override="MARKTWO", max_tokens=77)
        del second["model_fallback"]
        self.assertEqual(self.owner.put(
            path, {"configuration": second}).json["version"], 3)
        versions = self.viewer.all(path + "/versions", 2)
        self.assertEqual([v["version"] for v in versions], [3, 2, 1])
        for v in versions:
            self.assertRegex(v["author"], "^api_key:[0-9a-f-]{36}$")
            self.assertNotIn("configuration", v)
        old = self.viewer.get(path + "/versions/2")
        self.assertEqual(old.json["configuration"], mine)
        for none in ("9", "0", "x", "99999999999999999999"):
            self.assertEqual(self.viewer.get(
                path + "/versions/" + none).status, 404, none)

        diff = self.viewer.get(path + "/diff")
        self.assertEqual((diff.json["from"], diff.json["to"]), (2, 3))
        self.assertEqual(diff.json["changes"], [
            {"pointer": "/max_tokens", "op": "added", "after": 77},
            {"pointer": "/model_fallback", "op": "removed", "before": False},
            {"pointer": "/system_prompt_override", "op": "changed",
             "before": "MARKONE", "after": "MARKTWO"}])
        self.assertEqual(self.viewer.get(
            path + "/diff?from_version=2&to_version=2").json["changes"], [])
        self.assertEqual(self.viewer.get(
            path + "/diff?from_version=9").status, 404)

        back = self.owner.post(path + "/versions/2/restore",
                               Idempotency_Key="restore-1")
        self.assertEqual(back.status, 201, back)
        self.assertEqual((back.json["version"], back.json["configuration"]),
                         (4, mine))
        again = self.owner.post(path + "/versions/2/restore",
                                Idempotency_Key="restore-1")
        self.assertEqual((again.status, again.json["version"]), (201, 4))
        self.assertEqual(again.headers["idempotent-replayed"], "true")
        self.assertEqual(len(self.viewer.all(path + "/versions")), 4)
        self.assertEqual(self.owner.post(
            path + "/versions/9/restore").status, 404)
        gaps = self.rig.sql(
            "select count(*), max(version) from agent_config_versions where "
            f"agent_instance_id = '{agent['id']}'")
        self.assertEqual(gaps, [["4", "4"]])

    def test_configurations_race(self):
        """Each save is a version; with If-Match one of all wins."""
        agent = self.agent("raced")
        path = f"agents/{agent['id']}/config"
        state = self.owner.get(path).headers["etag"]
        for headers, winners in (({"If_Match": state}, 1), ({}, 8)):
            out, lock = [], threading.Lock()

            def save(n):
                reply = self.owner.put(path, {"configuration": {
                    "max_tokens": n}}, **headers)
                with lock:
                    out.append(reply.status)
            threads = [threading.Thread(target=save, args=(n,))
                       for n in range(1, 9)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual(out.count(200), winners, out)
            self.assertEqual(out.count(412), 8 - winners, out)
        versions = [v["version"] for v in self.viewer.all(path + "/versions")]
        self.assertEqual(versions, list(range(10, 0, -1)))

    def test_a_template_that_has_changed(self):
        agent = self.agent("outgrown", configuration={"max_tokens": 50})
        self.rig.sql("update agent_instances set configuration = "
                     "'{\"max_tokens\": \"gone\"}' where instance_name = "
                     "'outgrown'")
        reply = self.viewer.get(f"agents/{agent['id']}/config")
        self.assertEqual(reply.status, 200, reply)
        self.assertIsNone(reply.json["merged"])
        self.assertEqual([p["pointer"] for p in reply.json["problems"]],
                         ["/max_tokens"])

    def test_every_change_is_live(self):
        agent = self.agent("live", configuration={
            "model_override": "openai:mock-echo", "model_fallback": False})
        path = f"agents/{agent['id']}/config"
        for n in range(3):
            self.owner.put(path, {"configuration": {
                "model_override": "openai:mock-echo", "model_fallback": False,
                "system_prompt_override": f"LIVE{n}"}})

            def told():
                self.rig.chat("sales/live")
                return f"LIVE{n}" in json.dumps(self.provider.last())
            wait_until(told, 2, "the new prompt is used")


if __name__ == "__main__":
    unittest.main()
