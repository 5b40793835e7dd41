"""The main job: a turn as JSON and as a stream, through nginx, with every
provider; and what then stands in the database."""
import json
import re
import threading
import time
import unittest
import uuid

from rig import Provider, Rig, wait_until

UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


class ChatTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = Rig("chat", env=cls.provider.env(),
                      params={"heartbeat": "200ms"})

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def use(self, model, agent="sales/human_health", **more):
        self.rig.configure(agent, dict(more, model_override=model,
                                       model_fallback=False))

    def rows_of(self, turn):
        """The stored turn as a dictionary."""
        (row,), = self.rig.sql(
            f"select row_to_json(t) from turns t where id = '{turn}'")
        return json.loads(row)

    def check_reply(self, reply, model):
        self.assertEqual(reply.status, 200, reply)
        body = reply.json
        self.assertEqual(
            sorted(body), sorted([
                "session_key", "turn_id", "message_id", "reply", "agent",
                "model", "usage", "tool_calls", "citations", "finish_reason",
                "latency_ms"]))
        self.assertTrue(UUID.match(body["turn_id"]))
        self.assertEqual(body["model"], model)
        self.assertEqual(body["agent"]["type"], "sales")
        self.assertEqual(body["agent"]["name"], "human_health")
        self.assertEqual(body["finish_reason"], "stop")
        self.assertEqual(
            sorted(body["usage"]), sorted([
                "input_tokens", "output_tokens", "cached_input_tokens",
                "reasoning_tokens", "cost_usd", "estimated"]))
        return body

    def check_rows(self, body, message, channel):
        row = self.rows_of(body["turn_id"])
        self.assertEqual(row["user_text"], message)
        self.assertEqual(row["reply_text"], body["reply"])
        self.assertEqual(row["status"], "completed")
        self.assertEqual(row["model"], body["model"])
        self.assertEqual(row["channel"], channel)
        for name in ("input_tokens", "output_tokens", "cached_input_tokens",
                     "reasoning_tokens"):
            self.assertEqual(row[name], body["usage"][name], name)
        self.assertEqual(row["cost_usd"], body["usage"]["cost_usd"])
        messages = self.rig.sql(
            "select role, id, content from messages where session_id = "
            f"'{row['session_id']}' order by id")
        self.assertEqual([m[0] for m in messages[-2:]],
                         ["user", "assistant"])
        self.assertEqual(messages[-1][1], body["message_id"])
        self.assertEqual(self.rig.sql(
            f"select session_key from sessions where id = "
            f"'{row['session_id']}'"), [[body["session_key"]]])
        self.assertEqual(self.rig.sql("select count(*) from turns_open"),
                         [["0"]])
        return row

    def rollup(self):
        (row,), = self.rig.sql(
            "select json_build_object('requests', coalesce(sum(requests),0),"
            "'input', coalesce(sum(input_tokens),0),"
            "'output', coalesce(sum(output_tokens),0),"
            "'nano', coalesce(sum(cost_nano_usd),0),"
            "'hist', (select coalesce(sum(n),0) from usage_rollups r,"
            " unnest(r.latency_hist) n where r.grain = 5))"
            " from usage_rollups where grain = 5")
        return json.loads(row)

    def test_builtin_json(self):
        self.use("builtin:concierge")
        before = self.rollup()
        message = "Which products do you have for blood pressure?"
        body = self.check_reply(self.rig.chat(message=message),
                                "builtin:concierge")
        self.assertTrue(body["reply"].strip())
        self.check_rows(body, message, "chat")
        after = self.rollup()
        self.assertEqual(after["requests"], before["requests"] + 1)
        self.assertEqual(after["input"],
                         before["input"] + body["usage"]["input_tokens"])
        self.assertEqual(after["output"],
                         before["output"] + body["usage"]["output_tokens"])
        self.assertEqual(after["hist"], before["hist"] + 1)

    def check_citations(self, body):
        self.assertTrue(body["citations"], body["reply"])
        for c in body["citations"]:
            self.assertEqual(sorted(c), sorted(
                ["n", "title", "url", "document_id", "quote"]))
            self.assertIn(f"[{c['n']}]", body["reply"])

    def test_concierge_cites(self):
        self.use("builtin:concierge")
        (name,), = self.rig.sql(
            "select p.name from products p join accounts a on a.id = "
            "p.account_id where a.slug = 'acme-healthcare' and "
            "(agent_instance_id is null or agent_instance_id = (select id "
            "from agent_instances i where i.account_id = a.id and "
            "instance_name = 'human_health')) order by p.name limit 1")
        body = self.rig.chat(message=f"Tell me about {name}").json
        self.check_citations(body)

    def test_concierge_is_honest(self):
        self.use("builtin:concierge")
        body = self.rig.chat(
            message="Who won the chess championship in Reykjavik?").json
        self.assertEqual(body["citations"], [])

    def test_openai_json(self):
        self.use("openai:mock-echo")
        body = self.check_reply(self.rig.chat(message="canary 4711"),
                                "openai:mock-echo")
        self.assertIn("canary 4711", body["reply"])
        self.assertFalse(body["usage"]["estimated"])
        self.assertIsNone(body["usage"]["cost_usd"])
        self.check_rows(body, "canary 4711", "chat")

    def test_anthropic_json(self):
        self.use("anthropic:mock-echo")
        body = self.check_reply(self.rig.chat(message="canary 4712"),
                                "anthropic:mock-echo")
        self.assertIn("canary 4712", body["reply"])
        self.assertFalse(body["usage"]["estimated"])
        self.check_rows(body, "canary 4712", "chat")

    def test_anthropic_cache_marks(self):
        """The agent's instructions are marked for the provider's cache, and
        what changes from turn to turn stands behind the mark."""
        self.use("anthropic:mock-echo",
                 system_prompt="Sell health insurance, politely.")
        mark = {"type": "ephemeral"}
        seen = []
        for message in ("Which plans are there?", "And what do they cost?"):
            self.check_reply(self.rig.chat(message=message),
                             "anthropic:mock-echo")
            last = next(iter(self.provider.last().values()))
            sent = json.loads(last["body"])
            stable, changing = sent["system"]
            self.assertEqual(stable["cache_control"], mark)
            self.assertEqual(stable["text"],
                             "Sell health insurance, politely.")
            self.assertNotIn("cache_control", changing)
            self.assertIn("Today is ", changing["text"])
            marks = [t.get("cache_control") for t in sent.get("tools", [])]
            self.assertEqual(marks, [None] * (len(marks) - 1) + [mark]
                             if marks else [])
            seen.append((stable, sent.get("tools")))
        self.assertEqual(*seen)

    def test_price(self):
        self.rig.run("price", "set", "openai:mock-usage-1000x100-cached-200", "--input", "2.5",
                     "--output", "10", "--cached", "1.25")
        self.use("openai:mock-usage-1000x100-cached-200")

        def priced():
            body = self.rig.chat(message="what does it cost").json
            return body if body["usage"]["cost_usd"] is not None else None
        body = wait_until(priced, 10, "the new price is used")
        u = body["usage"]
        want = ((u["input_tokens"] - u["cached_input_tokens"]) * 2.5 +
                u["cached_input_tokens"] * 1.25 +
                u["output_tokens"] * 10) / 1e6
        self.assertAlmostEqual(u["cost_usd"], want, places=9)
        self.check_rows(body, "what does it cost", "chat")

    def read_stream(self, **kw):
        stream = self.rig.stream(**kw)
        self.assertEqual(stream.status, 200)
        self.assertTrue(stream.headers["content-type"].startswith(
            "text/event-stream"))
        events = stream.all()
        stream.close()
        return events

    def check_stream(self, events, model, message):
        names = [e[0] for e in events]
        self.assertEqual(names[0], "session")
        self.assertEqual(names[-3:], ["message", "usage", "done"])
        session, last = events[0][2], events[-3][2]
        turn = session["turn_id"]
        text = "".join(e[2]["text"] for e in events if e[0] == "delta")
        self.assertEqual(text, last["reply"])
        # Event ids: {turn_id}:{n}, n = bytes of text + other events.
        n = 0
        for name, ident, data, _ in events:
            if ident is None:
                continue
            n += len(data["text"].encode()) if name == "delta" else 1
            self.assertEqual(ident, f"{turn}:{n}")
        body = {"turn_id": turn, "session_key": session["session_key"],
                "reply": text, "message_id": last["message_id"],
                "usage": events[-2][2], "model": model}
        self.check_rows(body, message, "stream")
        return body

    def test_stream_each_provider(self):
        for model in ("builtin:concierge", "openai:mock-echo",
                      "anthropic:mock-echo"):
            with self.subTest(model):
                self.use(model)
                message = "Tell me about stream " + model
                self.check_stream(self.read_stream(message=message), model,
                                  message)

    def test_first_delta_while_the_model_talks(self):
        for provider in ("openai", "anthropic"):
            with self.subTest(provider):
                self.use(f"{provider}:mock-paced-20x100")
                events = self.read_stream(message="slowly")
                deltas = [e for e in events if e[0] == "delta"]
                self.assertGreaterEqual(len(deltas), 10)
                whole = events[-1][3]
                self.assertGreater(whole, 1.5)
                self.assertLess(deltas[0][3], whole / 3)

    def test_heartbeats(self):
        self.use("openai:mock-slow-first-1500")
        stream = self.rig.stream(message="wait for it")
        stream.all()
        self.assertGreaterEqual(stream.comments, 3)
        stream.close()

    def test_tools(self):
        self.use("openai:mock-tool")
        events = self.read_stream(message="use the tool for stents")
        names = [e[0] for e in events]
        self.assertIn("tool_call", names)
        self.assertIn("tool_result", names)
        self.assertLess(names.index("tool_call"), names.index("tool_result"))
        row = self.rows_of(events[0][2]["turn_id"])
        self.assertEqual(len(row["tool_calls"]), 1)

    def test_session_goes_on(self):
        self.use("openai:mock-echo")
        first = self.rig.chat(message="my name is Zebedee").json
        second = self.rig.chat(message="who am I?",
                               session_key=first["session_key"]).json
        self.assertEqual(second["session_key"], first["session_key"])
        sent = json.dumps(self.provider.last())
        self.assertIn("Zebedee", sent)
        listed = self.rig.get(
            f"/accounts/acme-healthcare/sessions/{first['session_key']}"
            "/messages", headers=self.rig.auth()).json
        self.assertEqual([m["role"] for m in listed["data"]],
                         ["user", "assistant"] * 2)
        self.assertIsNone(listed["next"])

    def test_named_session_first_turns_at_once(self):
        self.use("openai:mock-echo")
        name = "crm:" + uuid.uuid4().hex
        replies = []
        threads = [threading.Thread(target=lambda: replies.append(
            self.rig.chat(message="at once", session_key=name).json))
            for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual({r["session_key"] for r in replies}, {name})
        self.assertEqual(self.rig.sql(
            f"select count(distinct session_id), count(*) from turns where "
            "session_id in (select id from sessions where session_key = "
            f"'{name}')"), [["1", "8"]])

    def test_a_name_means_what_the_database_says(self):
        """Whatever workers remember of it: another host may have begun a new
        session under the name."""
        self.use("openai:mock-echo")
        names = ["a:" + uuid.uuid4().hex, "b:" + uuid.uuid4().hex]
        for name, word in zip(names, ("AARDVARK", "BANDICOOT")):
            for _ in range(8):  # all workers have heard of it
                self.rig.chat(message=word, session_key=name)
        self.rig.sql(
            "update session_names set session_id = (select id from sessions "
            f"where session_key = '{names[1]}') where session_key = "
            f"'{names[0]}'")
        for _ in range(8):
            reply = self.rig.chat(message="what?", session_key=names[0])
            self.assertEqual(reply.status, 200, reply)
            sent = json.dumps(self.provider.last())
            self.assertIn("BANDICOOT", sent)
            self.assertNotIn("AARDVARK", sent)

    def test_messages_are_paged(self):
        self.use("openai:mock-echo")
        key = "page:" + uuid.uuid4().hex
        for i in range(3):
            self.rig.chat(message=f"message {i}", session_key=key)
        key = key.replace(":", "%3A")  # as clients escape it
        seen, after = [], None
        while True:
            page = self.rig.get(
                f"/accounts/acme-healthcare/sessions/{key}/messages?limit=2" +
                (f"&after={after}" if after else ""),
                headers=self.rig.auth()).json
            seen += page["data"]
            after = page["next"]
            if after is None:
                break
        self.assertEqual(len(seen), 6)
        self.assertEqual(len({m["id"] for m in seen}), 6)
        self.assertEqual([m["content"] for m in seen if m["role"] == "user"],
                         ["message 0", "message 1", "message 2"])

    def test_turn_and_feedback(self):
        self.use("openai:mock-echo")
        body = self.rig.chat(message="rate me").json
        base = "/accounts/acme-healthcare"
        got = self.rig.get(f"{base}/turns/{body['turn_id']}",
                           headers=self.rig.auth())
        self.assertEqual(got.status, 200)
        self.assertEqual(got.json["reply"], body["reply"])
        path = (f"{base}/sessions/{body['session_key']}/messages/"
                f"{body['message_id']}/feedback")
        ok = self.rig.request("POST", path,
                              {"rating": 1, "comment": "good"},
                              self.rig.auth())
        self.assertIn(ok.status, (200, 201, 204))
        self.assertEqual(self.rig.sql(
            "select rating, comment from feedback where turn_id = "
            f"'{body['turn_id']}'"), [["1", "good"]])
        bad = self.rig.request("POST", path, {"rating": 2}, self.rig.auth())
        self.assertEqual(bad.status, 422)
        self.assertEqual(bad.json["errors"][0]["pointer"], "/rating")

    def test_delete_stops_a_running_turn(self):
        self.use("openai:mock-paced-200x100")
        stream = self.rig.stream(message="a long story")
        events = stream.events()
        turn = next(events)[2]["turn_id"]
        next(events)
        path = f"/accounts/acme-healthcare/turns/{turn}"
        self.assertEqual(self.rig.get(path, headers=self.rig.auth())
                         .json["state"], "running")
        began = time.monotonic()
        reply = self.rig.request("DELETE", path, headers=self.rig.auth())
        self.assertIn(reply.status, (200, 202, 204))
        rest = [e[0] for e in events]
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(rest[-1], "done")
        stream.close()
        row = self.rows_of(turn)
        self.assertEqual(row["status"], "cancelled")
        self.assertEqual(row["finish_reason"], "cancelled")
        self.assertTrue(row["reply_text"])

    def test_not_found_is_one_answer(self):
        seen = []
        self.rig.run("agent", "deactivate", "acme-healthcare",
                     "sales/animal_health")
        self.rig.settle()
        for path in ("acme-healthcare/chat/sales/nobody",
                     "acme-healthcare/chat/sales/animal_health",
                     "globex/chat/sales/widgets",
                     "nowhere/chat/sales/human_health"):
            reply = self.rig.request("POST", f"/accounts/{path}",
                                     {"message": "hi"}, self.rig.auth())
            self.assertEqual(reply.status, 404, path)
            body = reply.json
            body.pop("request_id")
            body.pop("instance", None)
            seen.append(body)
        self.rig.run("agent", "activate", "acme-healthcare",
                     "sales/animal_health")
        self.assertEqual([s for s in seen if s != seen[0]], [])

    def test_who(self):
        path = "/accounts/acme-healthcare/chat/sales/human_health"
        for headers in ({}, {"Authorization": "Bearer nonsense"},
                        {"Authorization": "Basic abc"},
                        {"X-Widget-Key": "sb_pub_nonsense",
                         "Origin": "http://localhost"}):
            reply = self.rig.request("POST", path, {"message": "hi"}, headers)
            self.assertEqual(reply.status, 401, headers)
            self.assertEqual(reply.headers["content-type"],
                             "application/problem+json")
            # before any 404
            reply = self.rig.request("POST", "/accounts/no/chat/no/no",
                                     {"message": "hi"}, headers)
            self.assertEqual(reply.status, 401, headers)

    def test_widget_key(self):
        self.use("builtin:concierge")
        path = "/accounts/acme-healthcare/chat/sales/human_health"
        good = {"X-Widget-Key": self.rig.widget_key,
                "Origin": "http://localhost:3000"}
        reply = self.rig.request("POST", path, {"message": "hello"}, good)
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.headers["access-control-allow-origin"],
                         "http://localhost:3000")
        key = reply.json["session_key"]
        again = self.rig.request("POST", path, {
            "message": "hello again", "session_key": key}, good)
        self.assertEqual(again.json["session_key"], key)
        for wrong in ("mine", key[:-1] + ("A" if key[-1] != "A" else "B"),
                      self.rig.chat(message="hi").json["session_key"]):
            reply = self.rig.request("POST", path, {
                "message": "hi", "session_key": wrong}, good)
            self.assertEqual(reply.status, 404, wrong)
        evil = dict(good, Origin="http://evil.example")
        reply = self.rig.request("POST", path, {"message": "hi"}, evil)
        self.assertIn(reply.status, (401, 403))
        self.assertNotIn("access-control-allow-origin", reply.headers)

    def test_preflight(self):
        path = "/accounts/acme-healthcare/chat/sales/human_health"
        ask = {"Access-Control-Request-Method": "POST",
               "Access-Control-Request-Headers": "x-widget-key"}
        good = self.rig.request("OPTIONS", path, headers=dict(
            ask, Origin="http://127.0.0.1:5173"))
        self.assertEqual(good.headers["access-control-allow-origin"],
                         "http://127.0.0.1:5173")
        self.assertIn("x-widget-key",
                      good.headers["access-control-allow-headers"].lower())
        for origin in ("http://evil.example", "http://127.0.0.1.evil:80",
                       "null"):
            bad = self.rig.request("OPTIONS", path, headers=dict(
                ask, Origin=origin))
            self.assertNotIn("access-control-allow-origin", bad.headers)

    def test_bad_bodies(self):
        path = "/accounts/acme-healthcare/chat/sales/human_health"

        def post(body, **headers):
            return self.rig.request("POST", path, body, dict(
                self.rig.auth(), **headers))
        reply = post('{"message": "a",\n "message": "b"}')
        self.assertEqual(reply.status, 400)
        self.assertIn("line", reply.json["detail"])
        self.assertEqual(post("{}").status, 422)
        self.assertEqual(post({"message": ""}).status, 422)
        reply = post({"message": 3})
        self.assertEqual(reply.status, 422)
        self.assertEqual(reply.json["errors"][0]["pointer"], "/message")
        self.assertEqual(post({"message": "x" * 70000}).status, 413)
        self.assertEqual(post('{"message":"a"}', **{
            "Content-Type": "text/plain"}).status, 415)
        self.assertEqual(post({"message": "a", "session_key": "a b"}).status,
                         422)

    def test_headers(self):
        self.use("builtin:concierge")
        reply = self.rig.chat(message="hello", headers=dict(
            self.rig.auth(), **{"X-Request-Id": "my-request-0001"}))
        self.assertEqual(reply.headers["x-request-id"], "my-request-0001")
        self.assertRegex(reply.headers["x-config-epoch"], r"^\d+$")
        for name in ("ratelimit-limit", "ratelimit-remaining",
                     "ratelimit-reset"):
            self.assertRegex(reply.headers[name], r"^\d+$")
        reply = self.rig.chat(message="hello", headers=dict(
            self.rig.auth(), **{"X-Request-Id": "bad id"}))
        self.assertNotEqual(reply.headers["x-request-id"], "bad id")
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        body = self.rig.chat(message="hello", headers=dict(
            self.rig.auth(), traceparent=f"00-{trace}-00f067aa0ba902b7-01"
        )).json
        self.assertEqual(self.rows_of(body["turn_id"])["trace_id"], trace)

    def test_missing_key_is_named(self):
        done = self.rig.run("agent", "configure", "acme-healthcare",
                            "sales/human_health", "-", check=False,
                            stdin='{"model_override": "nobody:gpt"}')
        self.assertEqual(done.returncode, 1)
        self.assertIn("/model_override", done.stdout + done.stderr)

    def test_views_and_hours(self):
        self.use("openai:mock-echo")
        body = self.rig.chat(message="counted").json
        turn = body["turn_id"]
        (n,), = self.rig.sql(
            "select count(*) from agent_performance_metrics m join turns t "
            "on t.account_id = m.account_id and t.agent_instance_id = "
            "m.agent_instance_id and t.latency_ms = m.response_time_ms where "
            f"t.id = '{turn}' and m.status = 'completed'")
        self.assertGreaterEqual(int(n), 1)
        (n,), = self.rig.sql("select count(*) from agent_usage_log")
        (turns,), = self.rig.sql("select count(*) from turns")
        self.assertEqual(n, turns)
        for _ in range(2):  # repeatable
            self.rig.sql("select gate.sum_rollups()", role="sb_job")
            sums = self.rig.sql(
                "select grain, sum(requests), sum(input_tokens) from "
                "usage_rollups group by grain order by grain")
            self.assertEqual([s[0] for s in sums], ["5", "60", "1440"])
            self.assertEqual(len({(s[1], s[2]) for s in sums}), 1, sums)


if __name__ == "__main__":
    unittest.main()
