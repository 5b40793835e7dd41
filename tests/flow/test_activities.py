"""Activities: what agents do and have done, and why a turn was answered so."""
import json
import os
import signal
import time
import unittest
import uuid

from manage import caller
from rig import NOBODY, Provider, Rig, wait_until


class ActivityTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        env = dict(cls.provider.env())
        del env["ANTHROPIC_API_KEY"]
        cls.rig = Rig("activities", env=env, params={
            "chat_workers": 1, "turn_open_after": "20ms",
            "egress_allow": "127.0.0.0/8", "log_spans": "on",
            "default_models": "openai:mock builtin:concierge"})
        cls.viewer = caller(cls.rig, "viewer")
        cls.owner = caller(cls.rig, "account_owner")

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def use(self, model, fallback=False, agent="sales/human_health"):
        self.rig.configure(agent, {"model_override": model,
                                   "model_fallback": fallback})

    def say(self, message="Hello", status=200, **more):
        """One turn: its reply, and its id."""
        reply = self.rig.chat(message=message, **more)
        self.assertEqual(reply.status, status, reply)
        turn = self.rig.sql("select id from turns order by id desc limit 1")
        return reply.json, turn[0][0]

    def why(self, turn):
        """By both faces, which say the same."""
        r = self.viewer.get(f"turns/{turn}/why")
        self.assertEqual(r.status, 200, r)
        same = self.rig.get(f"/accounts/acme-healthcare/turns/{turn}/why",
                            headers=self.rig.auth())
        self.assertEqual((same.status, same.json), (200, r.json))
        self.assertNotIn("sk-test", r.body.decode())
        return r.json

    def test_why(self):
        """An answered turn: model, limit, the one attempt with its tokens."""
        self.use("openai:mock-usage-100x40-cached-30")
        reply, turn = self.say()
        self.assertEqual(turn, reply["turn_id"])
        why = self.why(turn)
        self.assertEqual(
            (why["turn_id"], why["status"], why["finish_reason"],
             why["error"], why["recorded"], why["rounds"]),
            (turn, "completed", "stop", None, True, 1))
        self.assertEqual(why["model_wanted"], why["model_used"])
        self.assertEqual(why["model_rule"], "agent")
        self.assertEqual(why["limit"]["name"], "requests_per_hour")
        self.assertEqual(why["limit"]["limit"], 100000)
        attempt, = why["attempts"]
        self.assertEqual(
            {k: attempt[k] for k in attempt if k not in ("ms", "name")},
            {"round": 1, "source": "environment", "credential_id": None,
             "outcome": "ok", "error": None,
             "status": 200, "input_tokens": 100, "cached_input_tokens": 30,
             "output_tokens": 40, "injected": False})
        # A fresh configuration comes from the database, then from memory.
        self.assertEqual(why["agent_from"], "cold")
        self.assertEqual(self.why(self.say()[1])["agent_from"], "hot")

    def key(self, name, plan="", **more):
        """A credential of the account, and what the provider does with it."""
        key = f"sk-{name}-{uuid.uuid4().hex}"
        self.provider.control(key, plan=plan)
        r = self.owner.post("llm-credentials", dict({
            "provider": "openai", "name": name, "key": key,
            "base_url": f"http://127.0.0.1:{self.provider.port}/v1"}, **more))
        self.assertEqual(r.status, 201, r)
        self.addCleanup(self.rig.settle)
        self.addCleanup(self.owner.delete, "llm-credentials/" + r.json["id"])
        return r.json["id"], key

    def keys(self):
        """Two at their limit, one that answers, in this order."""
        self.owner.patch("", {"credential_strategy": "priority"})
        made = [self.key("one", "429-retry-30", priority=1),
                self.key("two", "500", priority=2),
                self.key("three", priority=3)]
        self.rig.settle()
        return [ident for ident, _ in made]

    def test_keys(self):
        """What the failover did: who was asked in which order, what came of
        it, and how it was with each when the last one was chosen."""
        self.use("openai:mock-usage-10x5-cached-0")
        one, two, three = self.keys()
        why = self.why(self.say()[1])
        self.assertEqual(
            [(a["credential_id"], a["name"], a["source"], a["outcome"],
              a["status"], a["input_tokens"]) for a in why["attempts"]],
            [(one, "one", "account", "limit", 429, 0),
             (two, "two", "account", "server", 500, 0),
             (three, "three", "account", "ok", 200, 10)])
        self.assertEqual(why["strategy"], "priority")
        found = {c["credential_id"]: c for c in why["candidates"]}
        self.assertEqual(set(found), {one, two, three})
        self.assertEqual((found[one]["state"], found[one]["reason"]),
                         ("cooling", "limited"))
        self.assertEqual(found[three]["state"], "closed")
        self.assertEqual([found[i]["refused"] is None
                          for i in (one, two, three)], [False, False, True])
        # The next turn passes over the one that cools.
        why = self.why(self.say()[1])
        self.assertEqual([a["name"] for a in why["attempts"]],
                         ["two", "three"])

    def test_spans(self):
        """A line of the log for each call, with the field's attributes."""
        self.use("openai:mock-usage-10x5-cached-0")
        one, _, three = self.keys()
        turn = self.say(metadata={"category": "quick"})[1]
        spans = [s for s in map(json.loads, filter(None, self.rig.log().split(
            "\n"))) if s.get("event") == "span" and s["turn"] == turn]
        self.assertEqual(
            [(s["account.name"], s["outcome"]) for s in spans],
            [("one", "limit"), ("two", "server"), ("three", "ok")])
        self.assertEqual((spans[0]["account.id"], spans[2]["account.id"]),
                         (one, three))
        self.assertEqual(
            {k: str(spans[2][k]) for k in (
                "ai.model", "ai.category", "ai.tokens.input",
                "ai.tokens.output")},
            {"ai.model": "openai:mock-usage-10x5-cached-0",
             "ai.category": "quick", "ai.tokens.input": "10",
             "ai.tokens.output": "5"})
        self.assertGreaterEqual(int(spans[2]["ai.duration_ms"]), 0)

    def drill(self, credential, fault, who=None, **more):
        return self.rig.request(
            "POST", f"/accounts/acme-healthcare/llm-credentials/{credential}"
            "/drill", {"fault": fault, "agent": "sales/human_health", **more},
            headers=self.rig.auth((who or self.owner).key))

    def test_drill(self):
        """The faulted key is the first to be asked, its provider is not; the
        next one answers, and the key is as well as before."""
        self.use("openai:mock")
        self.owner.patch("", {"credential_strategy": "priority"})
        one, _ = self.key("first", priority=1)
        two, key = self.key("second", priority=2)
        self.rig.settle()
        self.provider.reset()
        for n, (fault, outcome, status) in enumerate((
                ("429", "limit", 429), ("401", "denied", 401),
                ("500", "server", 500), ("529", "server", 529),
                ("cut", "server", 200), ("slow", "server", None)), 1):
            r = self.drill(one, fault)
            self.assertEqual(r.status, 200, r)
            why = r.json
            self.assertEqual((why["status"], why["drill"]),
                             ("completed", fault))
            self.assertEqual(
                [(a["credential_id"], a["outcome"], a["status"],
                  a["injected"]) for a in why["attempts"]],
                [(one, outcome, status, True), (two, "ok", 200, False)])
            if fault == "slow":
                self.assertGreaterEqual(why["attempts"][0]["ms"], 1000)
            states = {c["credential_id"]: c["state"]
                      for c in why["candidates"]}
            self.assertEqual(states, {one: "closed", two: "closed"})
            self.assertEqual(self.provider.stats()["keys"], {key: n})
        # The other one fails over to the first; it is the last choice.
        why = self.drill(two, "500").json
        self.assertEqual([a["name"] for a in why["attempts"]],
                         ["second", "first"])
        # It is marked as what it is, and what is real goes on as before.
        turn = why["turn_id"]
        shown = self.viewer.get(f"activities/{turn}").json
        self.assertEqual(shown["metadata"]["drill"], "500")
        why = self.why(self.say()[1])
        self.assertEqual([a["name"] for a in why["attempts"]], ["first"])
        self.assertIsNone(why["drill"])

    def test_drill_alone(self):
        """With no other key the turn fails, and says how."""
        self.use("openai:mock")
        one, key = self.key("alone")
        self.rig.settle()
        self.provider.reset()
        r = self.drill(one, "401")
        self.assertEqual(r.status, 200, r)
        self.assertEqual(r.json["status"], "failed")
        self.assertEqual([a["outcome"] for a in r.json["attempts"]],
                         ["denied"])
        self.assertEqual(self.provider.stats()["calls"], 0)
        self.assertEqual(self.say()[0]["model"], "openai:mock")

    def test_drill_wrong(self):
        """Whom it is refused, and what is no drill."""
        self.use("openai:mock")
        one, _ = self.key("mine")
        self.rig.settle()
        for fault, more in (("418", {}), ("429", {"agent": "nobody"}),
                            ("429", {"message": ""}), ("429", {"x": 1})):
            r = self.drill(one, fault, **more)
            self.assertEqual(r.status, 422, (fault, more, r))
        self.assertEqual(self.drill(
            one, "429", agent="sales/nobody").status, 404)
        self.assertEqual(self.drill(one, "429", self.viewer).status, 403)
        # A key that could not answer for this agent: nothing is asked.
        self.provider.reset()
        r = self.drill(NOBODY, "429")
        self.assertEqual((r.status, r.json["status"], r.json["attempts"]),
                         (200, "failed", []))
        self.assertEqual(self.provider.stats()["calls"], 0)
        r = self.rig.request(
            "POST", f"/accounts/globex/llm-credentials/{one}/drill",
            {"fault": "429", "agent": "sales/human_health"},
            headers=self.rig.auth())
        self.assertEqual(r.status, 404)

    def test_rounds(self):
        """Tools: a round each, with what it came to."""
        self.use("openai:mock-tool")
        why = self.why(self.say()[1])
        self.assertEqual(why["rounds"], 2)
        self.assertEqual([a["round"] for a in why["attempts"]], [1, 2])

    def test_failed(self):
        """What failed says how."""
        for model, outcome, status in (
                ("openai:mock-429", "limit", 429),
                ("openai:mock-401", "denied", 401),
                ("openai:mock-400", "caller", 400),
                ("openai:mock-529", "server", 529),
                ("openai:mock-close-cut", "server", 200)):
            self.use(model)
            reply = self.rig.chat(message=model)
            self.assertNotEqual(reply.status, 200)
            turn, = wait_until(lambda: self.rig.sql(
                "select id from turns where user_text = '%s'" % model), 5,
                "the failed turn")
            why = self.why(turn[0])
            self.assertEqual(why["status"], "failed")
            self.assertTrue(why["error"])
            last = why["attempts"][-1]
            self.assertEqual((last["outcome"], last["status"]),
                             (outcome, status), model)

    def test_rule(self):
        """A provider without a key: the next of default_models."""
        self.use("anthropic:claude-mock", fallback=True)
        why = self.why(self.say()[1])
        self.assertEqual(
            (why["model_wanted"], why["model_used"], why["model_rule"]),
            ("anthropic:claude-mock", "openai:mock", "default"))

    def test_who(self):
        """Of one's own account, with the right to read talks, and no other."""
        self.use("openai:mock")
        turn = self.say()[1]
        foreign = caller(self.rig, "account_owner", "globex")
        for path in (f"turns/{turn}/why", f"turns/{NOBODY}/why",
                     "turns/nonsense/why"):
            self.assertEqual(foreign.get(path).status, 404)
            r = self.rig.get("/accounts/globex/" + path,
                             headers=self.rig.auth(foreign.key))
            self.assertEqual(r.status, 404)
        manager = caller(self.rig, "agent_manager")
        widget = {"X-Widget-Key": self.rig.widget_key,
                  "Origin": "http://127.0.0.1:8080"}
        r = self.rig.get(f"/accounts/acme-healthcare/turns/{turn}/why",
                         headers=widget)
        self.assertEqual(r.status, 403, r)
        self.assertEqual(manager.get(f"turns/{turn}/why").status, 200)

    def test_old(self):
        """A turn of a version that did not record."""
        self.use("openai:mock")
        turn = self.say()[1]
        self.rig.sql(f"update turns set why = null where id = '{turn}'")
        why = self.why(turn)
        self.assertEqual((why["recorded"], why["status"], why["attempts"]),
                         (False, "completed", []))

    def test_running(self):
        """While it runs there is nothing to tell yet but that it does."""
        self.use("openai:mock-paced-40x50")
        stream = self.rig.stream(message="slow")
        events = stream.events()
        turn = next(events)[2]["turn_id"]
        why = self.why(turn)
        self.assertEqual((why["status"], why["recorded"]), ("running", False))
        stream.close()

    def activities(self, query=""):
        return self.viewer.all("activities" + query)

    def wait_running(self, check, what):
        """The one that runs, once ${check} says so of it."""
        def found():
            for a in self.activities("?status=running"):
                if a["progress"] and check(a["progress"]):
                    return a
            return None
        return wait_until(found, 10, what)

    def test_list(self):
        """Completed and failed with the field's columns, newest first."""
        self.use("openai:mock-usage-100x40-cached-30")
        reply, turn = self.say("for the list", metadata={"category": "quick"})
        a, = [a for a in self.activities() if a["id"] == turn]
        self.assertEqual(
            {k: a[k] for k in ("status", "category", "agent_type",
                               "agent_name", "attempts", "error_message",
                               "input_tokens", "output_tokens",
                               "cached_input_tokens", "progress")},
            {"status": "completed", "category": "quick",
             "agent_type": "sales", "agent_name": "human_health",
             "attempts": 1, "error_message": None, "input_tokens": 100,
             "output_tokens": 40, "cached_input_tokens": 30,
             "progress": None})
        self.assertEqual(a["metadata"]["accountName"], "default")
        shown = self.viewer.get(f"activities/{turn}").json
        self.assertEqual(shown["input"], {"prompt": "for the list"})
        self.assertEqual(shown["output"]["output"], reply["reply"])
        self.assertEqual(shown["output"]["tokens"], 140)
        self.assertEqual({k: shown[k] for k in a}, a)
        self.use("openai:mock-500")
        self.rig.chat(message="this one fails")
        failed = self.activities("?status=failed")
        self.assertEqual({a["status"] for a in failed}, {"failed"})
        self.assertTrue(all(a["error_message"] for a in failed))
        self.assertNotIn(turn, [a["id"] for a in failed])
        done = self.activities("?status=completed")
        self.assertIn(turn, [a["id"] for a in done])
        every = self.activities()
        self.assertEqual([a["id"] for a in every],
                         sorted((a["id"] for a in every), reverse=True))
        self.assertEqual(self.viewer.all("activities", 2), every)
        other, = [a["id"] for a in self.viewer.all("agents")
                  if a["instance_name"] == "animal_health"]
        self.assertEqual(self.activities("?agent=" + other), [])
        self.assertEqual(
            self.viewer.get("activities?status=cancelled").status, 422)
        foreign = caller(self.rig, "account_owner", "globex")
        self.assertEqual(foreign.get(f"activities/{turn}").status, 404)
        self.assertNotIn(turn, [a["id"] for a in foreign.all("activities")])

    def test_progress(self):
        """What runs is seen while it runs: the call, the key, what was
        said."""
        self.use("openai:mock-paced-60x50")
        one, _ = self.key("only")
        self.rig.settle()
        stream = self.rig.stream(message="slowly")
        turn = next(stream.events())[2]["turn_id"]
        a = self.wait_running(lambda p: p["characters"] > 20,
                              "words are counted")
        self.assertEqual(a["id"], turn)
        self.assertEqual(
            (a["progress"]["doing"], a["progress"]["attempts"],
             a["progress"]["credential_id"], a["completed_at"]),
            ("model", 1, one, None))
        more = self.wait_running(
            lambda p: p["characters"] > a["progress"]["characters"],
            "more was said")
        self.assertEqual(more["id"], turn)
        self.rig.request("DELETE", f"/accounts/acme-healthcare/turns/{turn}",
                         headers=self.rig.auth())
        stream.all()
        ended = wait_until(
            lambda: [a for a in self.activities("?status=failed")
                     if a["id"] == turn], 5, "it is stored")[0]
        self.assertEqual((ended["error_message"], ended["credential_id"]),
                         ("cancelled", one))
        self.assertEqual(ended["credential_name"], "only")
        # What was said when it was stopped is what was counted.
        shown = self.viewer.get(f"activities/{turn}").json
        self.assertGreaterEqual(len(shown["output"]["output"]),
                                more["progress"]["characters"])

    def test_killed(self):
        """A worker killed while its turn ran leaves it failed."""
        self.use("openai:mock-paced-100x100")
        stream = self.rig.stream(message="until the end")
        turn = next(stream.events())[2]["turn_id"]
        self.wait_running(lambda p: p["characters"] > 0, "it runs")
        for pid in self.rig.workers():
            os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        a = wait_until(
            lambda: [a for a in self.activities("?status=failed")
                     if a["id"] == turn], 60, "the lost turn is failed")[0]
        self.assertLess(time.monotonic() - began, 60)
        self.assertIsNone(a["progress"])
        self.assertTrue(a["error_message"])
        self.assertFalse(self.why(turn)["recorded"])
        stream.close()
        wait_until(lambda: self.rig.chat(message="hi").status, 20, "it lives")

    def test_command(self):
        """switchboard activity list says the same."""
        self.use("openai:mock")
        turn = self.say("by the command")[1]
        told = json.loads(self.rig.run(
            "activity", "list", "acme-healthcare", "--json").stdout)["data"]
        every = self.activities()
        self.assertEqual([a["id"] for a in told],
                         [a["id"] for a in every][:50])
        self.assertEqual(told[0]["id"], turn)
        self.assertEqual((told[0]["agent"], told[0]["status"]),
                         ("sales/human_health", "completed"))
        self.assertEqual(len(json.loads(self.rig.run(
            "activity", "list", "acme-healthcare", "--json", "--limit", "1",
            "--status", "completed", "--agent", "sales/human_health"
            ).stdout)["data"]), 1)
        self.assertIn(turn, self.rig.run(
            "activity", "list", "acme-healthcare").stdout)
        for wrong in (("--status", "gone"), ("--agent", "x"),
                      ("--limit", "0")):
            r = self.rig.run("activity", "list", "acme-healthcare", *wrong,
                             check=False)
            self.assertEqual(r.returncode, 2, wrong)


if __name__ == "__main__":
    unittest.main()
