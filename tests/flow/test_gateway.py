"""Which key answers a turn, and what happens when it does not: the list of
issue 5's seed, ROBUSTNESS A8, A9, B8."""
import threading
import time
import unittest
import uuid

from manage import caller
from rig import Floor, Provider, Rig, wait_until

MODEL = "openai:gpt-4o"
OPEN = {"egress_allow": "127.0.0.0/8"}
WORKERS = 2


class Case(unittest.TestCase):
    """An installation whose accounts have keys, and a provider that does what
    each key's plan says."""
    env = {}
    params = {}

    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = rig = Rig("gateway", env=cls.environment(),
                            params=dict(OPEN, chat_workers=WORKERS,
                                        **cls.params))
        cls.base = f"http://127.0.0.1:{cls.provider.port}/v1"
        cls.agents = {}
        for slug in ("acme-healthcare", "globex"):
            rig.run("agent", "create", slug, "sales/pool", "--configuration",
                    "-", stdin='{"model_override": "openai:gpt-4o", '
                    '"model_fallback": false}')
        cls.owners = {slug: caller(rig, "account_owner", slug)
                      for slug in ("acme-healthcare", "globex")}
        cls.owner = cls.owners["acme-healthcare"]

    @classmethod
    def environment(cls):
        return {}

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def setUp(self):
        self.provider.reset()
        for slug, owner in self.owners.items():
            for c in owner.all("llm-credentials"):
                owner.delete("llm-credentials/" + c["id"])
            self.rig.run("config", "propagation", slug)

    def add(self, name, slug="acme-healthcare", plan="", **more):
        """A credential whose key is ${name}, and what the provider does with
        it."""
        key = f"sk-{name}-{uuid.uuid4().hex}"
        self.provider.control(key, plan=plan)
        reply = self.owners[slug].post("llm-credentials", dict(
            {"provider": "openai", "name": name, "key": key,
             "base_url": self.base}, **more))
        self.assertEqual(reply.status, 201, reply)
        self.rig.run("config", "propagation", slug)
        return reply.json["id"], key

    def say(self, slug="acme-healthcare", agent="sales/pool", **more):
        return self.rig.chat(agent, "hello", account=slug,
                             key=self.owners[slug].key, **more)

    def calls(self, key):
        return self.provider.stats()["keys"].get(key, 0)

    def billed(self, key):
        return self.provider.stats()["billing"][key]

    def live(self, ident, slug="acme-healthcare"):
        return self.owners[slug].get("llm-credentials/" + ident).json["live"]


class PoolTest(Case):
    def test_the_third_answers(self):
        """3 keys, two at their limit: the third answers, and the 429s are
        counted but are no requests."""
        first, a = self.add("one", plan="429-retry-30", priority=1)
        second, b = self.add("two", plan="429-retry-30", priority=2)
        third, c = self.add("three", priority=3)
        self.owner.patch("", {"credential_strategy": "priority"})
        reply = self.say()
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual([self.calls(k) for k in (a, b, c)], [1, 1, 1])
        live = self.live(first)
        self.assertEqual((live["state"], live["reason"], live["failures"]),
                         ("cooling", "limited", 0))
        self.assertEqual(live["outcomes"]["limit"], 1)
        self.assertEqual(live["outcomes"]["ok"], 0)
        self.assertEqual(self.live(third)["outcomes"]["ok"], 1)
        # what was cached is counted apart, and the bill is the provider's
        usage, bill = reply.json["usage"], self.billed(c)["whole"]
        self.assertEqual(
            (usage["input_tokens"], usage["cached_input_tokens"],
             usage["output_tokens"], usage["estimated"]),
            (bill["input_tokens"], bill["cached_input_tokens"],
             bill["output_tokens"], False))
        self.assertEqual(usage["cached_input_tokens"], 5)
        # they are left alone until they come back
        for _ in range(6):
            self.assertEqual(self.say().status, 200)
        self.assertEqual([self.calls(k) for k in (a, b, c)], [1, 1, 7])
        self.owner.patch("", {"credential_strategy": "least-loaded"})

    def test_three_and_no_more(self):
        keys = [self.add(f"k{i}", plan="500")[1] for i in range(5)]
        reply = self.say()
        self.assertEqual(reply.status, 502, reply)
        self.assertEqual(sum(self.calls(k) for k in keys), 3)
        self.assertLessEqual(max(self.calls(k) for k in keys), 1)

    def test_the_caller_is_not_tried_again(self):
        """A8: 400 is the request's own fault."""
        ids, keys = zip(*[self.add(f"k{i}", plan="400") for i in range(3)])
        self.assertEqual(self.say().status, 502)
        self.assertEqual(sum(self.calls(k) for k in keys), 1)
        for ident in ids:
            live = self.live(ident)
            self.assertEqual((live["state"], live["failures"]),
                             ("closed", 0))

    def test_opens_at_five(self):
        """A9: the fifth failure in a row opens it; then it is not asked."""
        ident, key = self.add("only", plan="500")
        for n in range(1, 6):
            self.assertEqual(self.live(ident)["state"], "closed")
            self.say()
            self.assertEqual(self.calls(key), n)
        self.assertEqual(self.live(ident)["state"], "open")
        began = time.monotonic()
        floor = Floor()
        replies = [self.say() for _ in range(10)]
        floor.stop()
        self.assertEqual({r.status for r in replies}, {503})
        self.assertEqual({r.json["type"] for r in replies},
                         {"/problems/credentials-exhausted"})
        for r in replies:
            self.assertTrue(1 <= int(r.headers["retry-after"]) <= 30, r)
        self.assertEqual(self.calls(key), 5)
        self.assertLess((time.monotonic() - began) / 10,
                        floor.limit(0.05, began))
        self.assertIn('"credential_out"', self.rig.log())
        # another key is asked at once
        other, fresh = self.add("other")
        wait_until(lambda: self.say().status == 200, 2, "another key")
        self.assertEqual((self.calls(key), self.calls(fresh)), (5, 1))

    def test_a_refused_key_is_out_everywhere(self):
        """401: out at the first one, of all workers, within a second."""
        bad, key = self.add("bad", plan="401", priority=0)
        good, other = self.add("good", priority=9)
        self.owner.patch("", {"credential_strategy": "priority"})
        reply = self.say()
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.calls(key), 1)
        replies, lock = [], threading.Lock()

        def one():
            r = self.say()
            with lock:
                replies.append(r.status)
        threads = [threading.Thread(target=one) for _ in range(40)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(set(replies), {200})
        self.assertEqual(self.calls(key), 1)
        live = self.live(bad)
        self.assertEqual((live["state"], live["reason"]), ("out", "denied"))
        self.assertIsNotNone(live["until"])
        self.assertIn('"reason":"denied"', self.rig.log().replace(": ", ":"))
        self.owner.patch("", {"credential_strategy": "least-loaded"})

    def test_money(self):
        """A quota that is used up takes it out; another answers."""
        poor, key = self.add("poor", plan="quota", priority=0)
        self.add("rich", priority=9)
        self.owner.patch("", {"credential_strategy": "priority"})
        for _ in range(5):
            self.assertEqual(self.say().status, 200)
        self.assertEqual(self.calls(key), 1)
        self.assertEqual(self.live(poor)["reason"], "exhausted")
        self.owner.patch("", {"credential_strategy": "least-loaded"})

    def test_disabled_and_deleted(self):
        """Unused by every worker within a second, and nothing is lost."""
        a, one = self.add("a")
        for _ in range(4):
            self.assertEqual(self.say().status, 200)
        before = len(self.owner.all("sessions"))
        self.assertEqual(self.owner.patch(
            "llm-credentials/" + a, {"status": "disabled"}).status, 200)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            self.say()
        had = self.calls(one)
        for _ in range(20):
            self.assertEqual(self.say().json["type"],
                             "/problems/missing-credential")
        self.assertEqual(self.calls(one), had)
        self.assertEqual(len(self.owner.all("sessions")), before)
        self.owner.patch("llm-credentials/" + a, {"status": "active"})
        wait_until(lambda: self.say().status == 200, 2, "it is used again")
        self.owner.delete("llm-credentials/" + a)
        wait_until(lambda: self.say().status == 503, 2, "it is gone")

    def test_accounts_are_apart(self):
        """B8: nobody is answered by another account's key."""
        _, theirs = self.add("same", "globex")
        _, ours = self.add("same", plan="500")
        for _ in range(3):
            self.assertEqual(self.say("globex").status, 200)
            self.assertEqual(self.say().status, 502)
        self.assertEqual((self.calls(theirs), self.calls(ours)), (3, 3))
        self.owner.delete("llm-credentials/" + self.owner.all(
            "llm-credentials")[0]["id"])
        wait_until(lambda: self.say().status == 503, 2, "no key")
        self.assertEqual(self.calls(theirs), 3)

    def test_models(self):
        """Only keys that may be used for the model."""
        _, no = self.add("no", models=["gpt-4o-mini", "o*"])
        self.assertEqual(self.say().json["type"],
                         "/problems/missing-credential")
        _, yes = self.add("yes", models=["gpt-4*"])
        wait_until(lambda: self.say().status == 200, 2, "a key for it")
        self.assertEqual(self.calls(no), 0)
        self.assertEqual(self.calls(yes), 1)

    def test_another_model(self):
        """model_fallback: where there is no key for the agent's model, the
        next of default_models for which there is one."""
        self.rig.run("agent", "create", "acme-healthcare", "sales/next",
                     "--configuration", "-",
                     stdin='{"model_override": "anthropic:claude-x"}')
        self.assertEqual(self.say(agent="sales/next").json["model"],
                         "builtin:concierge")
        _, key = self.add("pooled")
        self.assertEqual(self.say(agent="sales/next").json["model"],
                         "openai:gpt-4o")
        self.assertEqual(self.calls(key), 1)
        # a key that is out of order for the moment is a key
        self.provider.control(key, plan="401")
        for _ in range(3):
            reply = self.say(agent="sales/next")
            self.assertEqual((reply.status, reply.json["type"]), (
                503, "/problems/credentials-exhausted"), reply)
        self.assertEqual(self.calls(key), 2)

    def test_the_operators_word(self):
        """Open, close, reset by hand; a try tells what is wrong."""
        ident, key = self.add("hand")
        path = "llm-credentials/" + ident
        reply = self.owner.post(path + "/test")
        self.assertEqual((reply.status, reply.json["ok"],
                          reply.json["status"]), (200, True, 200), reply)
        reply = self.owner.post(path + "/breaker", {"action": "open"})
        self.assertEqual(reply.json["live"]["state"], "open", reply)
        self.assertEqual(reply.json["live"]["reason"], "operator")
        self.assertEqual(self.say().status, 503)
        self.assertEqual(self.calls(key), 1)  # the try
        for action in ("close", "reset"):
            reply = self.owner.post(path + "/breaker", {"action": action})
            self.assertEqual(reply.json["live"]["state"], "closed")
            self.assertEqual(self.say().status, 200)
        self.assertEqual(self.owner.post(
            path + "/breaker", {"action": "smash"}).status, 422)
        told = [a for a in self.rig.cli(
            "audit", "list", "acme-healthcare", "--action",
            "credential.breaker")["data"] if a["object"]["id"] == ident]
        self.assertEqual([a["after"]["breaker"] for a in told],
                         ["reset", "close", "open"])
        self.provider.control(key, plan="401")
        reply = self.owner.post(path + "/test")
        self.assertEqual((reply.json["ok"], reply.json["status"]),
                         (False, 401), reply)
        self.assertIn("refuses the key", reply.json["problem"])

    def test_the_command(self):
        """switchboard credential: all of it, for an account and the
        platform."""
        run, cli = self.rig.run, self.rig.cli
        for words, slug in ((["acme-healthcare"], "acme-healthcare"),
                            (["--platform"], "globex")):
            key = "sk-cli-" + uuid.uuid4().hex
            made = cli("credential", "add", *words, "--provider", "openai",
                       "--name", "by hand", "--base-url", self.base + "/",
                       "--tier", "3", "--rpm", "100", "--model", "gpt-*",
                       stdin=key + "\n")
            self.assertEqual(made["hint"], key[-4:])
            self.rig.run("config", "propagation", "acme-healthcare")
            wait_until(lambda: self.say(slug).status == 200, 2, "a key")
            (shown,) = cli("credential", "list", *words)["data"]
            self.assertEqual(
                (shown["id"], shown["state"], shown["live"]["outcomes"]["ok"],
                 shown["rpm"], shown["models"], shown["base_url"]),
                (made["id"], "closed", 1, 100, ["gpt-*"], self.base))
            self.assertNotIn(key, run("credential", "list", *words).stdout)
            self.assertTrue(cli("credential", "test", *words,
                                "by hand")["ok"])
            self.assertEqual(cli("credential", "open", *words, made["id"])[
                "state"], "open")
            self.assertEqual(self.say(slug).status, 503)
            cli("credential", "close", *words, "by hand")
            self.assertEqual(self.say(slug).status, 200)
            cli("credential", "set", *words, "by hand", "--status",
                "disabled")
            wait_until(lambda: self.say(slug).status == 503, 2, "disabled")
            other = "sk-cli-" + uuid.uuid4().hex
            done = cli("credential", "set", *words, "by hand", "--status",
                       "active", "--rpm", "default", "--model", "*",
                       "--key-file", "-", stdin=other)
            self.assertEqual((done["rpm"], done["models"], done["hint"]),
                             (None, [], other[-4:]))
            wait_until(lambda: self.say(slug).status == 200, 2, "active")
            self.assertEqual(self.calls(other), 1)
            cli("credential", "reset", *words, "by hand")
            cli("credential", "remove", *words, "by hand")
            self.assertEqual(cli("credential", "list", *words)["data"], [])
            told = cli("audit", "list", *words, "--action",
                       "credential.*")["data"]
            self.assertEqual(
                [a["action"] for a in told if a["object"]["id"] ==
                 made["id"]][::-1],
                ["credential.create", "credential.breaker",
                 "credential.breaker", "credential.update",
                 "credential.update", "credential.breaker",
                 "credential.delete"])
            self.assertNotIn(key, str(told))
        for words, status in (
                (("list",), 2), (("list", "acme-healthcare", "--platform"), 2),
                (("set", "acme-healthcare", "x"), 2),
                (("add", "acme-healthcare", "--provider", "nobody", "--name",
                  "x"), 2), (("test", "acme-healthcare", "nobody"), 1),
                (("add", "acme-healthcare", "--provider", "openai", "--name",
                  "x"), 1)):
            done = run("credential", *words, check=False, stdin="")
            self.assertEqual(done.returncode, status, (words, done.stderr))

    def test_the_providers_word(self):
        """What the rate headers say is left is believed: load moves away
        before a 429."""
        ident, key = self.add("small", priority=0)
        other, big = self.add("big", priority=9)
        self.provider.control(key, rpm=3)
        self.owner.patch("", {"credential_strategy": "priority"})
        self.rig.run("config", "propagation", "acme-healthcare")
        for _ in range(12):
            self.assertEqual(self.say().status, 200)
        self.assertEqual(self.live(ident)["outcomes"]["limit"], 0)
        self.assertEqual(self.provider.stats()["billing"][key]["refused"], 0)
        self.assertTrue(1 <= self.calls(key) <= 4, self.calls(key))
        self.owner.patch("", {"credential_strategy": "least-loaded"})

    def test_nothing_twice(self):
        """A11: after the first visible word nobody else is asked."""
        keys = [self.add(f"k{i}", plan="cut-2")[1] for i in range(3)]
        events = self.rig.stream("sales/pool", "hello",
                                 key=self.owner.key).all()
        self.assertEqual(sum(self.calls(k) for k in keys), 1)
        self.assertEqual([e[0] for e in events][-1], "error")

    def test_chaos(self):
        """200 turns with every kind of fault among the keys: at most three
        calls a turn, a refused key is asked once, and what the turns say they
        used is what the provider counted."""
        plans = {"good": "", "flaky": "flaky-40", "full": "429-retry-1",
                 "bad": "401", "busy": "529", "poor": "quota"}
        keys = {name: self.add(name, plan=plan, tier=4)[1]
                for name, plan in plans.items()}
        self.owner.patch("", {"credential_strategy": "round-robin"})
        self.rig.run("config", "propagation", "acme-healthcare")
        used, statuses, most = [0, 0, 0], {}, 0
        for _ in range(200):
            before = self.provider.stats()["calls"]
            reply = self.say()
            most = max(most, self.provider.stats()["calls"] - before)
            statuses[reply.status] = statuses.get(reply.status, 0) + 1
            if reply.status == 200:
                usage = reply.json["usage"]
                self.assertFalse(usage["estimated"])
                for i, name in enumerate(("input_tokens", "output_tokens",
                                          "cached_input_tokens")):
                    used[i] += usage[name]
        self.assertLessEqual(most, 3)
        self.assertEqual((self.calls(keys["bad"]), self.calls(keys["poor"])),
                         (1, 1))
        # what breaks off after its first word is told, not repeated
        self.assertGreater(statuses[200], 150, statuses)
        self.assertLessEqual(set(statuses), {200, 502, 503}, statuses)
        billed = [self.billed(k)["whole"] for k in keys.values()]
        self.assertEqual(used, [sum(b[name] for b in billed) for name in (
            "input_tokens", "output_tokens", "cached_input_tokens")])
        self.owner.patch("", {"credential_strategy": "least-loaded"})

    def test_names_that_are_not(self):
        """A15: an address that does not resolve holds nobody up; the other
        key answers."""
        made = self.rig.cli(
            "credential", "add", "acme-healthcare", "--provider", "openai",
            "--name", "nowhere", "--priority", "0", "--base-url",
            "http://nowhere.invalid/v1", stdin="sk-nowhere\n")
        _, key = self.add("here", priority=9)
        self.owner.patch("", {"credential_strategy": "priority"})
        self.rig.run("config", "propagation", "acme-healthcare")
        floor, began = Floor(), time.monotonic()
        for n in range(1, 8):
            self.assertEqual(self.say().status, 200)
            self.assertEqual(self.calls(key), n)
        floor.stop()
        self.assertLess(time.monotonic() - began,
                        floor.limit(5 * 3.5, began))
        live = self.live(made["id"])
        self.assertEqual((live["state"], live["outcomes"]["server"]),
                         ("open", 5))
        self.owner.patch("", {"credential_strategy": "least-loaded"})

    def test_strategies(self):
        """Round robin takes turns; weighted by weight."""
        keys = [self.add(f"k{i}", weight=1 + 2 * i)[1] for i in range(3)]
        self.owner.patch("", {"credential_strategy": "round-robin"})
        wait_until(lambda: self.say().status == 200, 2, "a key")
        self.provider.reset()
        for _ in range(30):
            self.assertEqual(self.say().status, 200)
        for k in keys:
            self.assertTrue(8 <= self.calls(k) <= 12, self.calls(k))
        self.owner.patch("", {"credential_strategy": "weighted"})
        time.sleep(0.3)
        self.provider.reset()
        for _ in range(36):
            self.assertEqual(self.say().status, 200)
        self.assertLess(self.calls(keys[0]), self.calls(keys[1]))
        self.assertLess(self.calls(keys[1]), self.calls(keys[2]))
        self.owner.patch("", {"credential_strategy": "least-loaded"})


class FallbackTest(Case):
    """Keys of the operator: the platform's pool, then the environment's."""

    @classmethod
    def environment(cls):
        return {"OPENAI_API_KEY": "sk-environment",
                "OPENAI_BASE_URL": f"http://127.0.0.1:{cls.provider.port}/v1"}

    def test_order(self):
        wait_until(lambda: self.say().status == 200, 2, "the environment's")
        self.assertEqual(self.calls("sk-environment"), 1)
        ident, own = self.add("own")
        wait_until(lambda: self.say().status == 200 and self.calls(own) > 0,
                   2, "its own")
        had = self.calls("sk-environment")
        for _ in range(5):
            self.assertEqual(self.say().status, 200)
        self.assertEqual(self.calls("sk-environment"), had)
        # the other account has none
        self.assertEqual(self.say("globex").status, 200)
        self.assertEqual(self.calls("sk-environment"), had + 1)
        # all disabled: as it was before there were any, nothing lost
        sessions = len(self.owner.all("sessions"))
        self.owner.patch("llm-credentials/" + ident, {"status": "disabled"})
        wait_until(lambda: self.say().status == 200 and
                   self.calls("sk-environment") > had + 1, 2,
                   "the environment's again")
        self.assertGreater(len(self.owner.all("sessions")), sessions)

    def test_limit_of_repetition(self):
        """What is out does not fall back to somebody else's money."""
        _, own = self.add("own", plan="401")
        wait_until(lambda: self.say().status == 503, 2, "out")
        had = self.calls("sk-environment")
        for _ in range(5):
            self.assertEqual(self.say().status, 503)
        self.assertEqual((self.calls(own), self.calls("sk-environment")),
                         (1, had))


class GuardTest(Case):
    """An address that an account typed, where the operator has opened
    nothing any more."""

    def test_a_last_used(self):
        ident, _ = self.add("used")
        self.assertIsNone(self.owner.get(
            "llm-credentials/" + ident).json["last_used_at"])
        wait_until(lambda: self.say().status == 200, 2, "a key")
        wait_until(lambda: self.owner.get(
            "llm-credentials/" + ident).json["last_used_at"], 80,
            "last_used_at is written")

    def test_the_guard_looks_at_each_call(self):
        _, key = self.add("inside")
        wait_until(lambda: self.say().status == 200, 2, "a key")
        self.rig.write_config(egress_allow="")
        self.rig.stop("switchboardd")
        self.rig.start_server()
        wait_until(self.rig.ready, 20, "ready")
        had = self.calls(key)
        reply = self.say()
        self.assertEqual(reply.status, 502, reply)
        self.assertEqual(self.calls(key), had)


if __name__ == "__main__":
    unittest.main()
