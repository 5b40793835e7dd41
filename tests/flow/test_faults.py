"""Faults of the model provider and of readers: ROBUSTNESS A10, A11, A12, A16."""
import json
import os
import threading
import time
import unittest

from rig import Provider, Rig, wait_until

PARAMS = {"provider_first_byte": "1s", "provider_idle": "800ms",
          "provider_total": "4s", "provider_connect": "500ms",
          "provider_response_max": "64k", "heartbeat": "300ms",
          "threads": 256}


class FaultTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = Rig("faults", env=cls.provider.env(), params=PARAMS)

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def use(self, model):
        self.rig.configure("sales/human_health", {
            "model_override": model, "model_fallback": False})

    def stored(self, where):
        row = self.rig.sql("select row_to_json(t) from turns t where "
                           f"{where} order by id desc limit 1")
        return json.loads(row[0][0]) if row else None

    def refused(self, model, statuses, slack=1.5, least=0.0, most=4.0):
        """A JSON turn with ${model} fails clearly, in time, and is stored."""
        self.use(model)
        began = time.monotonic()
        reply = self.rig.chat(message="fault " + model)
        took = time.monotonic() - began
        self.assertIn(reply.status, statuses, (model, reply))
        self.assertEqual(reply.headers["content-type"],
                         "application/problem+json", model)
        self.assertGreaterEqual(took, least * 0.9, model)
        self.assertLess(took, most + slack, model)
        row = wait_until(lambda: self.stored(
            f"user_text = 'fault {model}'"), 5, "the failed turn is stored")
        self.assertEqual((row["status"], row["finish_reason"]),
                         ("failed", "error"), model)
        self.assertNotIn("sk-", json.dumps(reply.json))
        return reply

    def test_time_limits(self):
        for provider in ("openai", "anthropic"):
            # no first byte; silence inside; a drip that never ends
            self.refused(f"{provider}:mock-stall", (504,), least=1, most=1)
            self.refused(f"{provider}:mock-stall-after-3", (504, 502),
                         least=0.8, most=1)
            self.refused(f"{provider}:mock-drip-100", (504, 502), least=4,
                         most=4)

    def test_refusals_and_garbage(self):
        for provider in ("openai", "anthropic"):
            for model, statuses in (
                    ("mock-429", (503, 429, 502)), ("mock-500", (502,)),
                    ("mock-401", (502, 503)), ("mock-400", (502, 422)),
                    ("mock-badjson", (502,)), ("mock-huge", (502,)),
                    ("mock-headers", (502,)), ("mock-gzip", (502,)),
                    ("mock-reset", (502,)), ("mock-html", (502,))):
                self.refused(f"{provider}:{model}", statuses)

    def test_nobody_listens(self):
        rig = self.rig
        stats = self.provider.stats()
        self.assertIsInstance(stats, dict)
        # A provider that has gone: connection refused is an upstream error.
        provider = Provider()
        env = provider.env()
        provider.close()
        other = Rig("gone", env=env, params=PARAMS)
        try:
            other.configure("sales/human_health", {
                "model_override": "openai:mock-echo",
                "model_fallback": False})
            began = time.monotonic()
            reply = other.chat(message="hello")
            self.assertIn(reply.status, (502, 504))
            self.assertLess(time.monotonic() - began, 3)
        finally:
            other.close()
        self.assertEqual(rig.get("/healthz").status, 200)

    def test_cut_in_the_middle(self):
        """A11: no second start, an error event, the partial text kept."""
        for provider in ("openai", "anthropic"):
            for how in ("cut-after-3", "rst-after-3", "error-after-3"):
                model = f"{provider}:mock-{how}"
                with self.subTest(model):
                    self.use(model)
                    self.provider.reset()
                    stream = self.rig.stream(message="cut " + model)
                    events = stream.all()
                    stream.close()
                    names = [e[0] for e in events]
                    self.assertEqual(names[0], "session")
                    self.assertEqual(names[-1], "error", names)
                    self.assertNotIn("done", names)
                    problem = events[-1][2]
                    self.assertIn("status", problem)
                    self.assertIn("request_id", problem)
                    said = "".join(e[2]["text"] for e in events
                                   if e[0] == "delta")
                    self.assertTrue(said)
                    row = wait_until(lambda: self.stored(
                        f"id = '{events[0][2]['turn_id']}'"), 5, "stored")
                    self.assertEqual(row["status"], "failed")
                    self.assertEqual(row["reply_text"], said)
                    self.assertEqual(self.provider.stats()["calls"], 1)

    def test_memory_of_hostile_answers(self):
        """A12: a hostile body costs at most its cap."""
        self.use("openai:mock-huge")

        def rss():
            total = 0
            for pid in self.rig.workers():
                with open(f"/proc/{pid}/statm") as f:
                    total += int(f.read().split()[1]) * 4096
            return total
        for _ in range(8):
            self.rig.chat(message="big")
        before = rss()
        threads = [threading.Thread(
            target=lambda: self.rig.chat(message="big")) for _ in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertLess(rss() - before, 16 * (16 << 20))

    def handles(self):
        """Descriptors of all chat workers."""
        return sum(len(os.listdir(f"/proc/{pid}/fd"))
                   for pid in self.rig.workers())

    def hang_ups(self, n, model, read_first):
        self.use(model)
        self.provider.reset()
        cut = []

        def one():
            stream = self.rig.stream(message="hang up")
            events = stream.events()
            next(events)
            if read_first:
                next(events)
            stream.close()
            cut.append(time.monotonic())
        for _ in range(n // 20):
            threads = [threading.Thread(target=one) for _ in range(20)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
        wait_until(lambda: self.provider.stats()["answering"] == 0 or None, 4,
                   "upstream connections of hung-up readers are closed")
        self.assertLess(time.monotonic() - max(cut), 4)
        wait_until(lambda: self.stored("user_text = 'hang up' and status = "
                                       "'cancelled'"), 5, "stored")
        self.assertEqual(self.rig.sql(
            "select count(*) from turns_open"), [["0"]])

    def test_hang_up_while_it_talks_and_while_silent(self):
        """A16 behind nginx: upstream closed within 2 s of the cut."""
        self.hang_ups(20, "openai:mock-paced-500x50", True)
        before = self.handles()
        self.hang_ups(500, "openai:mock-paced-500x50", True)
        self.hang_ups(40, "anthropic:mock-slow-9000", False)
        wait_until(lambda: self.handles() <= before + 10, 10,
                   f"descriptors came back to about {before}")

    def test_hang_up_with_finish(self):
        self.use("openai:mock-paced-20x50")
        stream = self.rig.stream(message="finish without me",
                                 on_disconnect="finish")
        events = stream.events()
        turn = next(events)[2]["turn_id"]
        next(events)
        stream.close()
        row = wait_until(lambda: self.stored(f"id = '{turn}'"), 8,
                         "the turn is finished and stored")
        self.assertEqual((row["status"], row["finish_reason"]),
                         ("completed", "stop"))

    def test_hang_up_of_a_json_turn(self):
        self.use("openai:mock-paced-500x50")
        c = self.rig.connect()
        c.request("POST", "/accounts/acme-healthcare/chat/sales/human_health",
                  json.dumps({"message": "json hang up"}),
                  dict(self.rig.auth(), **{
                      "Content-Type": "application/json"}))
        wait_until(lambda: self.provider.stats()["answering"] > 0, 5, "it runs")
        c.sock.close()
        row = wait_until(lambda: self.stored(
            "user_text = 'json hang up'"), 4, "stored as cancelled")
        self.assertEqual(row["status"], "cancelled")

    def test_database_away(self):
        """Backends killed: a new turn is answered again within moments."""
        self.use("openai:mock-echo")
        for _ in range(3):
            self.rig.sql("select pg_terminate_backend(pid) from "
                         "pg_stat_activity where datname = current_database()"
                         " and pid <> pg_backend_pid()", role="postgres")
            wait_until(lambda: self.rig.chat(message="back").status == 200,
                       5, "turns are answered again")


if __name__ == "__main__":
    unittest.main()
