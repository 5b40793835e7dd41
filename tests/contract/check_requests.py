"""Check request bodies (JSON lines on standard input, from llm_contract
requests) against the vendors' published OpenAPI.  Argument: contracts/llm."""
import json
import sys

from jsonschema import Draft202012Validator

OPERATIONS = {
    "openai": ("openai.openapi.json", "/chat/completions"),
    "anthropic": ("anthropic.openapi.json", "/v1/messages"),
}


def validator(folder, name):
    file, path = OPERATIONS[name]
    with open(f"{folder}/{file}", encoding="utf-8") as f:
        doc = json.load(f)
    body = doc["paths"][path]["post"]["requestBody"]
    schema = dict(body["content"]["application/json"]["schema"])
    schema["components"] = doc["components"]
    return Draft202012Validator(schema)


def rules(provider, body):
    """What the vendors say in words, not in the schema."""
    messages = body["messages"]
    if body.get("stream") is not True:
        yield "not streamed"
    if provider == "openai":
        if body.get("stream_options") != {"include_usage": True}:
            yield "usage is not asked for"
        if body["model"] == "o4-mini" and (
            "max_tokens" in body or "temperature" in body
        ):
            yield "reasoning models refuse this parameter"
        asked = []
        for m in messages:
            if m["role"] == "assistant":
                asked = [c["id"] for c in m.get("tool_calls", [])]
            elif m["role"] == "tool":
                if m["tool_call_id"] not in asked:
                    yield "a tool result nobody asked for"
                else:
                    asked.remove(m["tool_call_id"])
            elif asked:
                yield "a call without its result"
    else:
        roles = [m["role"] for m in messages]
        if roles[0] != "user":
            yield "the first turn is not the user's"
        if any(a == b for a, b in zip(roles, roles[1:])):
            yield "turns do not alternate"
        for m in messages:
            kinds = [b["type"] for b in m["content"]]
            if "tool_result" in kinds[kinds.count("tool_result") :]:
                yield "tool results are not first"
            if any(b["type"] == "text" and not b["text"] for b in m["content"]):
                yield "an empty text block"
        if body.get("temperature", 0) > 1:
            yield "temperature above 1"


def main():
    folder = sys.argv[1]
    checks = {name: validator(folder, name) for name in OPERATIONS}
    for line in sys.stdin:
        case = json.loads(line)
        name = f"requests/{case['provider']}/{case['body']['model']}/{case['name']}"
        errors = [
            "/".join(str(p) for p in e.absolute_path) + ": " + e.message[:200]
            for e in checks[case["provider"]].iter_errors(case["body"])
        ]
        errors += rules(case["provider"], case["body"])
        if errors:
            print(f"not ok {name}: {errors[0]}")
        else:
            print(f"ok {name}")
    # The check itself must be able to fail.
    for provider, bad in (
        ("openai", {"model": "x", "messages": "no"}),
        ("anthropic", {"model": "x", "messages": []}),
    ):
        ok = any(checks[provider].iter_errors(bad))
        print(f"{'ok' if ok else 'not ok'} requests/{provider}/a wrong body is seen")


main()
