"""The OpenAI wire format: an agent is a model, a request is a turn of it."""
import base64
import json
import struct
import threading
import unittest
import uuid

from rig import Provider, Rig, wait_until

V1 = "/accounts/acme-healthcare/v1"
AGENT = "sales/human_health"
WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather of a place.",
    "parameters": {"type": "object", "properties": {
        "place": {"type": "string"}}}}}


class OpenAITest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = Rig("openai", env=cls.provider.env(),
                      params={"heartbeat": "200ms"})
        cls.rig.run("account", "set-limit", "acme-healthcare",
                    "requests_per_hour", "unlimited")

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def use(self, model, agent=AGENT, **more):
        self.rig.configure(agent, dict(more, model_override=model,
                                       model_fallback=False))

    def ask(self, message="Hello", key=None, path="/chat/completions",
            headers=None, timeout=30, **body):
        if "messages" not in body and message is not None:
            body["messages"] = [{"role": "user", "content": message}]
        body.setdefault("model", AGENT)
        return self.rig.request(
            "POST", V1 + path, body, dict(self.rig.auth(key), **headers or {}),
            timeout=timeout)

    def chunks(self, reply):
        """The data of a stream; what follows the last one is no data."""
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.headers["content-type"], "text/event-stream")
        lines = [x for x in reply.body.decode().split("\n")
                 if x and not x.startswith(":")]
        self.assertTrue(all(x.startswith("data: ") for x in lines), lines)
        return [x[6:] if x == "data: [DONE]" else json.loads(x[6:])
                for x in lines]

    def refused(self, reply, status, code=None, param=None, kind=None):
        self.assertEqual(reply.status, status, reply)
        self.assertEqual(reply.headers["content-type"], "application/json")
        self.assertEqual(sorted(reply.json), ["error"], reply)
        error = reply.json["error"]
        self.assertEqual(sorted(error), ["code", "message", "param", "type"])
        self.assertTrue(error["message"])
        self.assertEqual((error["code"], error["param"]), (code, param), reply)
        if kind:
            self.assertEqual(error["type"], kind)
        return error

    def row(self, turn):
        (row,), = self.rig.sql(
            f"select row_to_json(t) from turns t where id = '{turn}'")
        return json.loads(row)

    def sent(self):
        """The last request that the provider got."""
        last = self.provider.last()
        return json.loads(next(iter(last.values()))["body"]) \
            if isinstance(last, dict) else json.loads(last[-1]["body"])

    # -- models ----------------------------------------------------------

    def test_models(self):
        reply = self.rig.get(V1 + "/models", headers=self.rig.auth())
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.json["object"], "list")
        found = {m["id"]: m for m in reply.json["data"]}
        self.assertEqual(set(found), {
            "sales/human_health", "sales/animal_health",
            "research/clinical_research", "rag/regulatory_docs",
            "digital_expert/product_expert"})
        for one in found.values():
            self.assertEqual(sorted(one),
                             ["created", "id", "object", "owned_by"])
            self.assertEqual(one["owned_by"], "acme-healthcare")
        for name in (AGENT, AGENT.replace("/", "%2F"),
                     AGENT.replace("/", "%2f")):
            one = self.rig.get(f"{V1}/models/{name}", headers=self.rig.auth())
            self.assertEqual(one.status, 200, one)
            self.assertEqual(one.json, found[AGENT])

    def test_models_not_there(self):
        for name in ("sales/none", "sales%2Fnone", "sales/widgets"):
            self.refused(self.rig.get(f"{V1}/models/{name}",
                                      headers=self.rig.auth()),
                         404, "model_not_found", "model")
        for name in ("gpt-4o", "a/b/c", "sales%2e/human_health"):
            self.refused(self.rig.get(f"{V1}/models/{name}",
                                      headers=self.rig.auth()),
                         404, "not_found")

    def test_models_of_a_widget(self):
        reply = self.rig.get(V1 + "/models", headers={
            "X-Widget-Key": self.rig.widget_key,
            "Origin": "http://127.0.0.1:7"})
        self.assertEqual([m["id"] for m in reply.json["data"]], [AGENT])
        self.refused(self.rig.get(V1 + "/models/sales/animal_health", headers={
            "X-Widget-Key": self.rig.widget_key,
            "Origin": "http://127.0.0.1:7"}), 404, "model_not_found", "model")

    # -- answers ---------------------------------------------------------

    def test_whole(self):
        self.use("openai:mock-echo-usage-20x7-cached-5-reasoning-3")
        reply = self.ask("canary 4711", user="u-1", metadata={"a": "b"})
        self.assertEqual(reply.status, 200, reply)
        body = reply.json
        turn = reply.headers["x-turn-id"]
        self.assertEqual(body["id"], f"chatcmpl-{turn}")
        self.assertEqual(body["object"], "chat.completion")
        self.assertEqual(body["model"], AGENT)
        choice, = body["choices"]
        self.assertEqual(choice["index"], 0)
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertEqual(choice["message"]["role"], "assistant")
        self.assertIn("canary 4711", choice["message"]["content"])
        self.assertNotIn("tool_calls", choice["message"])
        usage = body["usage"]
        self.assertEqual(
            (usage["prompt_tokens"], usage["completion_tokens"],
             usage["total_tokens"],
             usage["prompt_tokens_details"]["cached_tokens"],
             usage["completion_tokens_details"]["reasoning_tokens"]),
            (20, 7, 27, 5, 3))
        row = self.row(turn)
        self.assertEqual(row["channel"], "openai")
        self.assertEqual(row["user_text"], "canary 4711")
        self.assertEqual(row["reply_text"], choice["message"]["content"])
        self.assertEqual(row["status"], "completed")
        self.assertEqual(row["metadata"], {"a": "b"})
        self.assertEqual(row["input_tokens"], 20)

    def test_concierge(self):
        self.use("builtin:concierge")
        body = self.ask("Which products are for blood pressure?").json
        self.assertTrue(body["choices"][0]["message"]["content"].strip())
        chunks = self.chunks(self.ask("What do you have?", stream=True))
        self.assertEqual(chunks[-1], "[DONE]")

    def test_stream(self):
        self.use("openai:mock-words-5-usage-9x5")
        chunks = self.chunks(self.ask("Hello", stream=True))
        self.assertEqual(chunks.pop(), "[DONE]")
        self.assertEqual({c["id"] for c in chunks}, {chunks[0]["id"]})
        for c in chunks:
            self.assertEqual(c["object"], "chat.completion.chunk")
            self.assertEqual(c["model"], AGENT)
            self.assertNotIn("usage", c)
        self.assertEqual(chunks[0]["choices"][0]["delta"]["role"],
                         "assistant")
        self.assertEqual(chunks[-1]["choices"][0]["finish_reason"], "stop")
        self.assertEqual(chunks[-1]["choices"][0]["delta"], {})
        said = "".join(c["choices"][0]["delta"].get("content", "")
                       for c in chunks)
        row = self.row(chunks[0]["id"].removeprefix("chatcmpl-"))
        self.assertEqual(row["reply_text"], said)
        self.assertEqual(row["channel"], "openai")

    def test_stream_usage(self):
        self.use("openai:mock-words-3-usage-9x5")
        chunks = self.chunks(self.ask(
            "Hello", stream=True, stream_options={"include_usage": True}))
        self.assertEqual(chunks.pop(), "[DONE]")
        last = chunks.pop()
        self.assertEqual(last["choices"], [])
        self.assertEqual(last["usage"]["total_tokens"], 14)
        self.assertTrue(all(c["usage"] is None for c in chunks))

    def test_length(self):
        self.use("openai:mock-length")
        body = self.ask("Hello", max_tokens=5).json
        self.assertEqual(body["choices"][0]["finish_reason"], "length")
        self.assertEqual(self.sent()["max_tokens"], 5)
        self.ask("Hello", max_completion_tokens=10**6)
        self.assertLess(self.sent()["max_tokens"], 10**6)

    # -- the conversation ------------------------------------------------

    def test_history_is_the_requests(self):
        self.use("openai:mock-echo-2")
        session = f"talk-{uuid.uuid4()}"
        self.ask("what the database knows",
                 headers={"X-Session-Key": session})
        reply = self.ask(messages=[
            {"role": "system", "content": "Answer in Latin."},
            {"role": "user", "content": "first words"},
            {"role": "assistant", "content": "second words"},
            {"role": "developer", "content": "And briefly."},
            {"role": "user", "content": [
                {"type": "text", "text": "third"},
                {"type": "text", "text": "words"}]}],
            headers={"X-Session-Key": session})
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.headers["x-session-key"], session)
        sent = self.sent()["messages"]
        self.assertEqual([m["role"] for m in sent],
                         ["system", "user", "assistant", "user"])
        own = sent[0]["content"]
        self.assertTrue(own.endswith("Answer in Latin.\n\nAnd briefly."), own)
        self.assertGreater(own.index("Answer in Latin."), 20)
        self.assertEqual([m["content"] for m in sent[1:]],
                         ["first words", "second words", "third\nwords"])
        rows = self.rig.sql(
            "select t.user_text from turns t join sessions s on s.id = "
            f"t.session_id where s.session_key = '{session}' order by t.id")
        self.assertEqual(rows, [["what the database knows"],
                                ["third\nwords"]])

    def test_session(self):
        self.use("builtin:concierge")
        first = self.ask("Hello").headers["x-session-key"]
        self.assertNotEqual(self.ask("Hello").headers["x-session-key"], first)
        again = self.ask("Hello", headers={"X-Session-Key": first})
        self.assertEqual(again.headers["x-session-key"], first)
        self.refused(self.ask("Hello", headers={"X-Session-Key": "no way!"}),
                     400)

    # -- tools -----------------------------------------------------------

    def tools_round(self, model):
        self.use(model)
        asked = [{"role": "user", "content": "Is it raining in Oslo?"}]
        reply = self.ask(messages=asked, tools=[WEATHER],
                         tool_choice="required")
        self.assertEqual(reply.status, 200, reply)
        choice, = reply.json["choices"]
        self.assertEqual(choice["finish_reason"], "tool_calls")
        call, = choice["message"]["tool_calls"]
        self.assertEqual(call["type"], "function")
        self.assertEqual(call["function"]["name"], "get_weather")
        json.loads(call["function"]["arguments"])
        row = self.row(reply.headers["x-turn-id"])
        self.assertEqual(row["finish_reason"], "tool_calls")
        self.assertEqual(row["tool_calls"][0]["name"], "get_weather")
        answer = self.ask(messages=asked + [
            choice["message"],
            {"role": "tool", "tool_call_id": call["id"],
             "content": "It rains cats."}], tools=[WEATHER])
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json["choices"][0]["finish_reason"], "stop")
        row = self.row(answer.headers["x-turn-id"])
        self.assertEqual(row["user_text"], "Is it raining in Oslo?")
        return call, self.sent()

    def test_tools_openai(self):
        call, sent = self.tools_round("openai:mock-tool")
        self.assertEqual([m["role"] for m in sent["messages"]],
                         ["system", "user", "assistant", "tool"])
        self.assertEqual(sent["messages"][2]["tool_calls"][0]["id"],
                         call["id"])
        self.assertEqual(sent["messages"][3]["content"], "It rains cats.")
        names = [t["function"]["name"] for t in sent["tools"]]
        self.assertEqual(names[-1], "get_weather")

    def test_tools_anthropic(self):
        _, sent = self.tools_round("anthropic:mock-tool")
        result = sent["messages"][-1]["content"][0]
        self.assertEqual(result["type"], "tool_result")

    def test_tools_in_a_stream(self):
        self.use("openai:mock-tool")
        chunks = self.chunks(self.ask("Rain?", tools=[WEATHER], stream=True,
                                      tool_choice={
                                          "type": "function", "function": {
                                              "name": "get_weather"}}))
        self.assertEqual(chunks.pop(), "[DONE]")
        self.assertEqual(chunks[-1]["choices"][0]["finish_reason"],
                         "tool_calls")
        calls = [t for c in chunks
                 for t in c["choices"][0]["delta"].get("tool_calls", [])]
        self.assertEqual([(c["index"], c["function"]["name"]) for c in calls],
                         [(0, "get_weather")])

    def test_own_tools_run_here(self):
        self.use("openai:mock-tool")
        reply = self.ask("What do you have for dogs?", tools=[WEATHER])
        self.assertEqual(reply.json["choices"][0]["finish_reason"], "stop")
        self.assertNotIn("tool_calls", reply.json["choices"][0]["message"])
        (call,) = self.row(reply.headers["x-turn-id"])["tool_calls"]
        self.assertEqual(call["name"], "product_search")
        taken = dict(WEATHER, function={"name": "product_search"})
        self.refused(self.ask("Hello", tools=[taken]), 400,
                     "invalid_function_name", "tools")

    def test_tools_none(self):
        self.use("openai:mock-echo")
        self.ask("Hello", tools=[WEATHER], tool_choice="none")
        self.assertEqual(self.sent()["tool_choice"], "none")

    # -- what is passed on -----------------------------------------------

    def test_options(self):
        self.use("openai:mock-echo")
        given = {"temperature": 0.25, "top_p": 0.5, "seed": 7,
                 "presence_penalty": 0.1, "frequency_penalty": -0.1,
                 "stop": ["END"], "response_format": {"type": "json_object"}}
        self.assertEqual(self.ask("Hello", **given).status, 200)
        sent = self.sent()
        self.assertEqual({k: sent[k] for k in given}, given)
        self.use("anthropic:mock-echo")
        self.refused(self.ask("Hello", **given), 400, "unsupported_parameter",
                     "response_format")
        del given["response_format"]
        self.assertEqual(self.ask("Hello", **given).status, 200)
        sent = self.sent()
        self.assertEqual(sent["stop_sequences"], ["END"])
        self.assertEqual(sent["top_p"], 0.5)

    # -- responses -------------------------------------------------------

    def respond(self, said="Hello", headers=None, **body):
        body = dict({"model": AGENT, "input": said}, **body)
        return self.rig.request("POST", V1 + "/responses", body,
                                dict(self.rig.auth(), **headers or {}))

    def events(self, reply):
        """(event, data) of a stream of responses."""
        self.assertEqual(reply.status, 200, reply)
        found = []
        for block in reply.body.decode().split("\n\n"):
            if block.startswith("event: "):
                name, data = block.split("\n")
                found.append((name[7:], json.loads(data[6:])))
        self.assertEqual([d["sequence_number"] for _, d in found],
                         list(range(len(found))))
        self.assertTrue(all(d["type"] == n for n, d in found))
        return found

    def test_response(self):
        self.use("openai:mock-echo-usage-20x7-cached-5-reasoning-3")
        reply = self.respond([
            {"role": "user", "content": "before"},
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "yes?"}]},
            {"role": "user", "content": [
                {"type": "input_text", "text": "canary 88"}]}],
            instructions="Answer in Latin.", store=True)
        self.assertEqual(reply.status, 200, reply)
        body = reply.json
        self.assertEqual(body["id"], "resp_" + reply.headers["x-turn-id"])
        self.assertEqual((body["object"], body["status"], body["store"]),
                         ("response", "completed", False))
        item, = body["output"]
        self.assertEqual((item["type"], item["role"]),
                         ("message", "assistant"))
        self.assertIn("canary 88", item["content"][0]["text"])
        self.assertEqual(body["usage"], {
            "input_tokens": 20, "input_tokens_details": {"cached_tokens": 5},
            "output_tokens": 7, "output_tokens_details": {
                "reasoning_tokens": 3}, "total_tokens": 27})
        sent = self.sent()["messages"]
        self.assertEqual([m["role"] for m in sent],
                         ["system", "user", "assistant", "user"])
        self.assertTrue(sent[0]["content"].endswith("Answer in Latin."))
        self.assertEqual(self.row(reply.headers["x-turn-id"])["user_text"],
                         "canary 88")

    def test_response_stream(self):
        self.use("openai:mock-words-4")
        events = self.events(self.respond(stream=True))
        names = [n for n, _ in events]
        self.assertEqual(names[:4], [
            "response.created", "response.in_progress",
            "response.output_item.added", "response.content_part.added"])
        self.assertEqual(names[-4:], [
            "response.output_text.done", "response.content_part.done",
            "response.output_item.done", "response.completed"])
        said = "".join(d["delta"] for n, d in events
                       if n == "response.output_text.delta")
        end = events[-1][1]["response"]
        self.assertEqual(end["output"][0]["content"][0]["text"], said)
        self.assertEqual(end["status"], "completed")
        self.assertEqual(end["id"], events[0][1]["response"]["id"])

    def test_response_tools(self):
        self.use("openai:mock-tool")
        tool = dict(WEATHER["function"], type="function")
        events = self.events(self.respond(
            "Rain?", stream=True, tools=[tool], tool_choice="required"))
        call = events[-1][1]["response"]["output"][-1]
        self.assertEqual((call["type"], call["name"]),
                         ("function_call", "get_weather"))
        self.assertIn("response.function_call_arguments.done",
                      [n for n, _ in events])
        answer = self.respond([
            {"role": "user", "content": "Rain?"}, call,
            {"type": "function_call_output", "call_id": call["call_id"],
             "output": "cats"}], tools=[tool])
        self.assertEqual(answer.json["output"][0]["type"], "message", answer)
        sent = self.sent()["messages"]
        self.assertEqual([m["role"] for m in sent],
                         ["system", "user", "assistant", "tool"])
        self.assertEqual(sent[3]["content"], "cats")

    def test_response_ends(self):
        self.use("openai:mock-length")
        body = self.respond().json
        self.assertEqual(body["status"], "incomplete")
        self.assertEqual(body["incomplete_details"],
                         {"reason": "max_output_tokens"})
        self.use("openai:mock-words-9-cut-3")
        name, data = self.events(self.respond(stream=True))[-1]
        self.assertEqual(name, "response.failed")
        self.assertEqual(data["response"]["status"], "failed")

    def test_response_refused(self):
        for change, code, param in (
                ({"previous_response_id": "resp_1"}, "unsupported_parameter",
                 "previous_response_id"),
                ({"background": True}, "unsupported_parameter", "background"),
                ({"messages": []}, "unknown_parameter", "messages"),
                ({"input": 7}, "invalid_type", "input"),
                ({"input": []}, "invalid_value", "input"),
                ({"input": [{"type": "file_search_call"}]},
                 "unsupported_value", "input[0]"),
                ({"input": [{"role": "user", "content": [
                    {"type": "input_image", "image_url": "x"}]}]},
                 "unsupported_value", "input[0].content[0]"),
                ({"tools": [{"type": "web_search"}]}, "unsupported_value",
                 "tools[0]"),
                ({"text": {"format": {"type": "xml"}}}, "invalid_value",
                 "text.format")):
            self.refused(self.respond(**dict({"said": "x"}, **{
                "said" if k == "input" else k: v
                for k, v in change.items()})), 400, code, param)
        self.refused(self.rig.get(V1 + "/responses/resp_1",
                                  headers=self.rig.auth()), 404, "not_found")

    # -- embeddings ------------------------------------------------------

    def embed(self, given="one", **body):
        return self.rig.request("POST", V1 + "/embeddings", dict(
            {"model": AGENT, "input": given}, **body), self.rig.auth())

    def test_embeddings(self):
        self.use("builtin:concierge", embedding_model="openai:mock-echo")
        texts = ["a", "bcd", "ef" * 2000]
        reply = self.embed(texts, encoding_format="float", dimensions=4)
        self.assertEqual(reply.status, 200, reply)
        body = reply.json
        self.assertEqual((body["object"], body["model"]), ("list", AGENT))
        self.assertEqual([d["index"] for d in body["data"]], [0, 1, 2])
        # The provider has one vector for one text, whoever asks with it.
        self.assertEqual([d["embedding"] for d in body["data"]],
                         [self.embed(t, dimensions=4).json["data"][0]
                          ["embedding"] for t in texts])
        self.assertEqual({len(d["embedding"]) for d in body["data"]}, {4})
        self.assertGreater(body["usage"]["prompt_tokens"], 1000)
        self.assertEqual(body["usage"]["prompt_tokens"],
                         body["usage"]["total_tokens"])
        row = self.row(reply.headers["x-turn-id"])
        self.assertEqual(
            (row["channel"], row["model"], row["user_text"],
             row["reply_text"], row["output_tokens"], row["status"]),
            ("embeddings", "openai:mock-echo", "a", "", 0, "completed"))
        self.assertEqual(row["input_tokens"], body["usage"]["prompt_tokens"])
        packed = self.embed("bcd", encoding_format="base64",
                            dimensions=4).json
        for got, said in zip(struct.unpack("<4f", base64.b64decode(
                packed["data"][0]["embedding"])),
                body["data"][1]["embedding"], strict=True):
            self.assertAlmostEqual(got, said, 5)
        tokens = self.embed([[1, 2, 3], [4]]).json
        self.assertEqual(len(tokens["data"]), 2)
        self.assertEqual(self.embed([1, 2, 3]).json["data"][0]["embedding"],
                         tokens["data"][0]["embedding"])
        many = self.embed(["x"] * 2048, dimensions=16)
        self.assertEqual(len(many.json["data"]), 2048)

    def test_embeddings_refused(self):
        self.use("builtin:concierge")
        self.refused(self.embed(), 400, "unsupported", "model",
                     "invalid_request_error")
        for change, code, param in (
                ({"given": ""}, "invalid_value", "input"),
                ({"given": []}, "invalid_value", "input"),
                ({"given": ["a", ""]}, "invalid_value", "input"),
                ({"given": {"a": 1}}, "invalid_value", "input"),
                ({"given": ["x"] * 2049}, "array_above_max_length", "input"),
                ({"encoding_format": "int8"}, "invalid_value",
                 "encoding_format"),
                ({"dimensions": 0}, "invalid_value", "dimensions"),
                ({"nonsense": 1}, "unknown_parameter", "nonsense")):
            self.refused(self.embed(**change), 400, code, param)
        for model, status in (("mock-500", 502), ("mock-429", 503)):
            self.use("builtin:concierge", embedding_model="openai:" + model)
            self.refused(self.embed(), status)
        done = self.rig.run(
            "agent", "configure", "acme-healthcare", AGENT, "-", check=False,
            stdin=json.dumps({"embedding_model": "anthropic:none"}))
        self.assertEqual(done.returncode, 1)
        self.assertIn("embedding_model", done.stdout + done.stderr)

    # -- refusals --------------------------------------------------------

    def test_bad_bodies(self):
        ok = [{"role": "user", "content": "x"}]
        image = [{"role": "user", "content": [
            {"type": "text", "text": "x"},
            {"type": "image_url", "image_url": {"url": "data:,"}}]}]
        for change, code, param in (
                ({"n": 2}, "unsupported_value", "n"),
                ({"nonsense": 1}, "unknown_parameter", "nonsense"),
                ({"logprobs": True}, "unsupported_parameter", "logprobs"),
                ({"functions": [1]}, "unsupported_parameter", "functions"),
                ({"temperature": 3}, "invalid_value", "temperature"),
                ({"max_tokens": 0}, "invalid_value", "max_tokens"),
                ({"messages": []}, "invalid_type", "messages"),
                ({"messages": image}, "unsupported_value",
                 "messages[0].content[1]"),
                ({"messages": [{"role": "king", "content": "x"}]},
                 "invalid_value", "messages[0].role"),
                ({"messages": [{"role": "user"}]}, "invalid_type",
                 "messages[0].content"),
                ({"messages": [{"role": "system", "content": "x"}]},
                 "invalid_value", "messages"),
                ({"messages": ok + [{"role": "tool", "tool_call_id": "c",
                                     "content": "x"}]}, None, "messages"),
                ({"messages": ok + [{"role": "assistant", "tool_calls": [
                    {"id": "c", "type": "function", "function": {
                        "name": "f", "arguments": "{}"}}]}]}, None,
                 "messages"),
                ({"tools": [{"type": "custom"}]}, "unsupported_value",
                 "tools[0].type"),
                ({"tools": [{"type": "function", "function": {"name": ""}}]},
                 "invalid_function_name", "tools[0].function.name"),
                ({"tool_choice": "auto"}, None, "tool_choice"),
                ({"stream_options": {"include_usage": True}}, None,
                 "stream_options"),
                ({"response_format": {"type": "xml"}}, "invalid_value",
                 "response_format"),
                ({"model": None}, "missing_required_parameter", "model")):
            reply = self.ask(**dict({"messages": ok}, **change))
            self.refused(reply, 400, code, param, "invalid_request_error")
        self.refused(self.ask(None), 400, "missing_required_parameter",
                     "messages")
        post = dict(self.rig.auth(), **{"Content-Type": "application/json"})
        many = '{"metadata":{"a":[%s]}}' % ",".join(["{}"] * 30000)
        for text in ("{", "[]", '"x"', many):
            self.refused(self.rig.request(
                "POST", V1 + "/chat/completions", text, post), 400)

    def test_no_such_model(self):
        for model in ("gpt-4o", "sales/none", "openai:gpt-4o", "Sales/x",
                      "a/b/c", "x" * 500):
            self.refused(self.ask("Hello", model=model), 404,
                         "model_not_found", "model", "invalid_request_error")

    def test_callers(self):
        for headers in ({}, {"Authorization": "Bearer sk-wrong"}):
            for method, path in (("GET", "/models"),
                                 ("POST", "/chat/completions")):
                self.refused(self.rig.request(method, V1 + path, {}, headers),
                             401, "invalid_api_key", None,
                             "invalid_request_error")
        self.refused(self.ask("Hello", key=self.rig.globex_key), 404,
                     "not_found")
        self.refused(self.rig.get(V1 + "/nothing", headers=self.rig.auth()),
                     404, "not_found")
        self.refused(self.rig.get(V1 + "/chat/completions",
                                  headers=self.rig.auth()), 405,
                     "method_not_allowed")
        self.refused(self.rig.request(
            "POST", V1 + "/chat/completions", "x",
            dict(self.rig.auth(), **{"Content-Type": "text/plain"})), 415,
            "unsupported_media_type")

    def test_widget(self):
        self.use("builtin:concierge")
        at = {"X-Widget-Key": self.rig.widget_key,
              "Origin": "http://127.0.0.1:7",
              "Content-Type": "application/json"}

        def ask(message, **body):
            return self.rig.request("POST", V1 + "/chat/completions", dict(
                {"model": AGENT, "messages": [
                    {"role": "user", "content": message}]}, **body), at)
        reply = ask("Hello")
        self.assertEqual(reply.status, 200, reply)
        self.refused(ask("Hello", model="sales/animal_health"), 404,
                     "model_not_found", "model")
        self.refused(ask("x" * 40000), 400, "string_above_max_length",
                     "messages")

    def test_body_size(self):
        self.use("openai:mock-echo")
        self.assertEqual(self.ask("word " * 150000).status, 200)
        self.refused(self.ask("x" * 1100000), 413, "request_too_large")
        self.refused(self.ask("x" * 3000000), 413, "request_too_large")

    def test_limit(self):
        self.use("openai:mock-echo", rate_limits={
            "max_requests_per_minute": 2})
        try:
            replies = [self.ask("Hello") for _ in range(3)]
            self.assertEqual([r.status for r in replies], [200, 200, 429])
            self.assertEqual(
                replies[0].headers["x-ratelimit-limit-requests"], "2")
            self.assertEqual(
                replies[0].headers["x-ratelimit-remaining-requests"], "1")
            self.refused(replies[2], 429, "rate_limit_exceeded", None,
                         "requests")
            self.assertGreaterEqual(int(replies[2].headers["retry-after"]), 1)
            self.assertIn("x-ratelimit-reset-requests", replies[2].headers)
            self.refused(self.ask("Hello", stream=True), 429,
                         "rate_limit_exceeded", None, "requests")
        finally:
            self.use("builtin:concierge")

    # -- failures --------------------------------------------------------

    def test_upstream(self):
        for how, status in (("500", 502), ("429", 503), ("401", 502)):
            self.use(f"openai:mock-{how}")
            for stream in (False, True):
                error = self.refused(self.ask("Hello", stream=stream), status)
                self.assertIn(error["type"], ("server_error",
                                              "service_unavailable_error"))

    def test_cut_in_the_middle(self):
        self.use("openai:mock-words-9-cut-3")
        chunks = self.chunks(self.ask("Hello", stream=True))
        self.assertEqual(sorted(chunks[-1]), ["error"])
        self.assertEqual(chunks[-1]["error"]["type"], "server_error")
        self.refused(self.ask("Hello"), 502)

    def test_silence(self):
        """Comments while the model is silent, and an error after them."""
        self.use("openai:mock-slow-1000-words-2")
        reply = self.ask("Hello", stream=True)
        self.assertIn(b": ping\n", reply.body)
        self.assertEqual(self.chunks(reply)[-1], "[DONE]")

    def test_reader_leaves(self):
        self.use("openai:mock-paced-200x50")
        c = self.rig.connect()
        c.request("POST", V1 + "/chat/completions", json.dumps({
            "model": AGENT, "stream": True, "messages": [
                {"role": "user", "content": "hang up"}]}),
            dict(self.rig.auth(), **{"Content-Type": "application/json"}))
        response = c.getresponse()
        turn = response.getheader("x-turn-id")
        response.readline()
        response.close()
        c.close()
        wait_until(lambda: self.provider.stats()["answering"] == 0, 5,
                   "the provider is let go")
        wait_until(lambda: self.rig.sql(
            f"select status from turns where id = '{turn}'") ==
            [["cancelled"]], 5, "the turn is stored")

    # -- idempotency -----------------------------------------------------

    def test_once(self):
        self.use("openai:mock-tool-slow-300")
        key = {"Idempotency-Key": str(uuid.uuid4())}
        body = {"tools": [WEATHER], "tool_choice": "required"}
        before = self.provider.stats()
        replies = []
        threads = [threading.Thread(target=lambda: replies.append(
            self.ask("Rain?", headers=key, **body))) for _ in range(3)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual([r.status for r in replies], [200] * 3)
        self.assertEqual(len({r.body for r in replies}), 1, replies)
        self.assertEqual(sorted(r.headers.get("idempotent-replayed", "")
                                for r in replies), ["", "true", "true"])
        self.assertEqual(
            self.rig.sql("select count(*) from turns where id = "
                         f"'{replies[0].headers['x-turn-id']}'"), [["1"]])
        self.assertNotEqual(before, self.provider.stats())
        self.refused(self.ask("Snow?", headers=key, **body), 422,
                     "idempotency_key_reused")

    def test_once_as_a_stream(self):
        self.use("openai:mock-words-5")
        key = {"Idempotency-Key": str(uuid.uuid4())}
        first, again = (self.chunks(self.ask("Hello", stream=True,
                                             headers=key)) for _ in range(2))

        def text(chunks):
            return "".join(c["choices"][0]["delta"].get("content", "")
                           for c in chunks[:-1])
        self.assertEqual(text(first), text(again))
        self.assertEqual(first[0]["id"], again[0]["id"])
        self.assertEqual(again[-1], "[DONE]")


if __name__ == "__main__":
    unittest.main()
