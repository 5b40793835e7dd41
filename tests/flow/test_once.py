"""Exactly-once turns: Idempotency-Key (ROBUSTNESS A23 for its keys)."""
import concurrent.futures
import json
import os
import signal
import time
import unittest
import uuid

import talk
from rig import wait_until

CHAT = "/accounts/acme-healthcare/chat/sales/human_health"


class OnceTest(talk.TalkTest):
    NAME = "once"

    def headers(self, key, **more):
        return dict(self.rig.auth(), **{"Idempotency-Key": key}, **more)

    def ask(self, key, message, **kw):
        return self.rig.chat(message=message, headers=self.headers(key), **kw)

    def turns(self, message):
        return self.rig.sql("select status, reply_text, error_kind from turns "
                            f"where user_text = '{message}' order by id")

    def keys(self):
        (n,), = self.rig.sql("select count(*) from idempotency_keys")
        return int(n)

    # -- the same request again ------------------------------------------

    def test_fifty_at_once_are_one_turn(self):
        self.use("openai:mock-paced-10x30")
        message, key = "fifty at once", str(uuid.uuid4())
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            replies = list(pool.map(lambda _: self.ask(key, message),
                                    range(50)))
        self.assertEqual([r.status for r in replies], [200] * 50)
        self.assertEqual(len({r.body for r in replies}), 1)
        replayed = [r for r in replies
                    if r.headers.get("idempotent-replayed") == "true"]
        self.assertEqual(len(replayed), 49)
        self.assertEqual(self.provider.stats()["calls"], 1)
        self.assertEqual(self.turns(message),
                         [["completed", replies[0].json["reply"], ""]])
        # What is replayed counts for no limit.
        for r in replies:
            if r in replayed:
                self.assertNotIn("ratelimit-limit", r.headers)

    def test_later_it_is_the_same_answer(self):
        self.use("openai:mock-tool-paced-5x1")
        key = "later-" + str(uuid.uuid4())
        first = self.ask(key, "stored")
        self.assertEqual(first.status, 200, first)
        self.assertTrue(first.json["tool_calls"])
        calls = self.provider.stats()["calls"]
        for _ in range(6):  # with luck on every worker
            again = self.ask(key, "stored")
            self.assertEqual((again.status, again.body),
                             (200, first.body))
            self.assertEqual(again.headers["idempotent-replayed"], "true")
        self.assertEqual(self.provider.stats()["calls"], calls)
        self.assertEqual(len(self.turns("stored")), 1)

    def test_another_request_with_the_key_is_refused(self):
        self.use("openai:mock-echo")
        key = str(uuid.uuid4())
        self.assertEqual(self.ask(key, "mine").status, 200)
        for other in (
                self.ask(key, "not mine"),
                self.ask(key, "mine", agent="sales/animal_health"),
                self.ask(key, "mine", metadata={"a": 1}),
                self.rig.request("POST", CHAT, '{"message" : "mine"}',
                                 self.headers(key))):
            self.assertEqual(other.status, 422, other)
            self.assertEqual(other.json["type"],
                             "/problems/idempotency-key-reused")
        # Another caller's key of that name is another key.
        reply = self.rig.chat(message="mine", account="globex",
                              agent="sales/widgets",
                              headers=dict(self.rig.auth(self.rig.globex_key),
                                           **{"Idempotency-Key": key}))
        self.assertEqual(reply.status, 200, reply)
        self.assertNotIn("idempotent-replayed", reply.headers)
        second = self.rig.cli("key", "create", "acme-healthcare", "--kind",
                              "api", "--name", "second", "--role",
                              "account_owner")["key"]
        reply = self.rig.chat(message="not mine", headers=dict(
            self.rig.auth(second), **{"Idempotency-Key": key}))
        self.assertEqual(reply.status, 200, reply)

    def test_a_key_that_is_none(self):
        for key in ("", "two words", "x" * 256, "caf\u00e9"):
            reply = self.ask(key, "bad key")
            self.assertEqual(reply.status, 400, (key, reply))
            self.assertIn("Idempotency-Key", reply.json["detail"])
        self.assertEqual(self.turns("bad key"), [])

    def test_visitors_do_not_share_keys(self):
        """A widget key is public: who names a visitor's key gets nothing."""
        self.use("openai:mock-echo")
        headers = {"X-Widget-Key": self.rig.widget_key,
                   "Origin": "http://127.0.0.1:1", "Idempotency-Key": "1"}

        def visit(address, **body):
            return self.rig.chat(message="I am a visitor", headers=dict(
                headers, **{"X-Forwarded-For": address}), **body)
        a, b = visit("192.0.2.1"), visit("192.0.2.2")
        self.assertEqual((a.status, b.status), (200, 200), (a, b))
        self.assertNotEqual(a.json["session_key"], b.json["session_key"])
        again = visit("192.0.2.1")
        self.assertEqual(again.body, a.body)
        # With his session he may be anywhere.
        mine = {"session_key": a.json["session_key"]}
        c, d = visit("192.0.2.1", **mine), visit("192.0.2.9", **mine)
        self.assertEqual((c.status, c.body), (200, d.body))
        self.assertEqual(d.headers["access-control-expose-headers"].split(
            ", ")[-1], "Idempotent-Replayed")

    # -- what releases a key ---------------------------------------------

    def test_failures_release_the_key(self):
        key = str(uuid.uuid4())
        self.use("openai:mock-500")
        self.assertEqual(self.ask(key, "fails").status, 502)
        self.use("openai:mock-echo")
        reply = self.ask(key, "fails")
        self.assertEqual(reply.status, 200, reply)
        self.assertNotIn("idempotent-replayed", reply.headers)
        self.assertEqual([t[0] for t in self.turns("fails")],
                         ["failed", "completed"])
        # A refusal by a limit was no answer either.
        self.rig.configure("sales/animal_health", {
            "model_override": "openai:mock-echo", "model_fallback": False,
            "rate_limits": {"max_requests_per_minute": 1}})
        before = self.keys()
        agent = "sales/animal_health"
        self.assertEqual(self.ask("l1", "limited", agent=agent).status, 200)
        self.assertEqual(self.ask("l2", "limited", agent=agent).status, 429)
        wait_until(lambda: self.keys() == before + 1, 5, "the key is free")
        self.rig.configure("sales/animal_health", {
            "model_override": "openai:mock-echo", "model_fallback": False})
        self.assertEqual(self.ask("l2", "limited", agent=agent).status, 200)

    def test_one_that_waits_takes_over(self):
        """The first fails; one of those that waited runs instead."""
        self.use("openai:mock-slow-400-500")
        key = str(uuid.uuid4())
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            replies = list(pool.map(
                lambda _: self.ask(key, "each in turn"), range(3)))
        self.assertEqual([r.status for r in replies], [502] * 3)
        self.assertEqual([t[0] for t in self.turns("each in turn")],
                         ["failed"] * 3)

    # -- streams ---------------------------------------------------------

    def test_a_stream_is_told_again(self):
        self.use("openai:mock-tool-paced-8x20")
        key = str(uuid.uuid4())

        def once(_):
            s = self.rig.stream(message="stream once",
                                headers=self.headers(key))
            events = s.all()
            s.close()
            return s.headers.get("idempotent-replayed"), events
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            told = list(pool.map(once, range(8)))
        self.assertEqual(sorted(t[0] or "" for t in told),
                         [""] + ["true"] * 7)
        self.assertEqual(len(self.turns("stream once")), 1)
        reply = self.turns("stream once")[0][1]
        first = next(t[1] for t in told if not t[0])
        self.assertIn("tool_call", [e[0] for e in first])

        def shape(events):
            """All but where deltas are parted."""
            return [(e[0], e[1], e[2]) for e in events if e[0] != "delta"]
        for _, events in told + [once(0)]:
            self.assertEqual(shape(events), shape(first))
            self.assertEqual("".join(e[2]["text"] for e in events
                                     if e[0] == "delta"), reply)

    # -- crashes ---------------------------------------------------------

    def test_a_worker_dies_in_mid_turn(self):
        """Whoever retries gets one answer; the dead turn is marked."""
        self.use("openai:mock-paced-40x50")
        key, message = str(uuid.uuid4()), "killed in the middle"

        def until_answered():
            for n in range(200):
                reply = self.ask(key, message)
                if reply.status == 200:
                    return n, reply
                self.assertIn(reply.status, (502, 503, 504), reply)
                time.sleep(0.1)
            self.fail("no answer")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(until_answered) for _ in range(4)]
            wait_until(lambda: self.provider.stats()["answering"] == 1, 5,
                       "it runs")
            wait_until(lambda: self.rig.sql(
                "select count(*) from turns_open") == [["1"]], 5,
                "it is written down as running, and by whom")
            for pid in self.rig.workers():
                os.kill(pid, signal.SIGKILL)
            replies = [a.result()[1] for a in asked]
        self.assertEqual(len({r.body for r in replies}), 1)
        wait_until(lambda: self.rig.sql(
            "select count(*) from turns_open") == [["0"]], 60, "all ended")
        self.assertEqual(
            [t[0] for t in self.turns(message) if t[0] != "failed"],
            ["completed"])
        self.assertIn("worker-lost", [t[2] for t in self.turns(message)])

    def test_the_database_goes_and_comes(self):
        """No claim, no turn: 503, and never a second one."""
        self.use("openai:mock-paced-30x20")
        key, message = str(uuid.uuid4()), "backends killed"

        def until_answered():
            for _ in range(200):
                reply = self.ask(key, message)
                if reply.status == 200:
                    return reply
                self.assertIn(reply.status, (502, 503), reply)
                self.assertIn("retry-after", reply.headers)
                time.sleep(0.05)
            self.fail("no answer")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(until_answered) for _ in range(4)]
            for _ in range(6):
                self.rig.sql("select pg_terminate_backend(pid) from "
                             "pg_stat_activity where datname = "
                             "current_database() and pid <> pg_backend_pid()",
                             role="postgres")
                time.sleep(0.15)
            replies = [a.result() for a in asked]
        self.assertEqual(len({r.body for r in replies}), 1)
        self.assertEqual([t[0] for t in self.turns(message)], ["completed"])


if __name__ == "__main__":
    unittest.main()
