"""A gateway that others use, beside ours in one run: same machine, same
provider, same client, one after the other.

It comes from npm, named in bench/package.json, and is no part of anything
else: "npm ci --prefix bench" fetches it.  It passes requests on and stores
nothing; ours knows the caller, holds his limits and keeps every turn.
"""
import json
import os
import signal
import subprocess

from measure import load, ours, pss_of
from rig import free_port, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
START = os.path.join("node_modules", "@portkey-ai", "gateway", "build",
                     "start-server.js")
MIB = 1048576


def completion(model, **more):
    return json.dumps(dict({"model": model, "messages": [
        {"role": "user", "content": "How are you today?"}]}, **more))


class Rival:
    """The Portkey gateway on a port of its own; where it is not there, why."""

    @staticmethod
    def missing():
        if not os.path.exists(os.path.join(HERE, START)):
            return "not there: npm ci --prefix bench fetches it"
        return None

    def __init__(self, provider_port):
        self.port = free_port()
        self.server = subprocess.Popen(
            ["node", START, f"--port={self.port}", "--headless"], cwd=HERE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.head = ["-H", "Authorization: Bearer nobody",
                     "-H", "x-portkey-provider: openai", "-H",
                     "x-portkey-custom-host: "
                     f"http://127.0.0.1:{provider_port}/v1", "-m", "POST"]
        wait_until(lambda: self.ask(1, 1, "mock")["finished"] > 0, 20,
                   "the other gateway answers")

    def ask(self, conns, seconds, model, *more):
        return load("-c", conns, "-d", seconds, *self.head, "-b",
                    completion(model), *more, self.port,
                    "/v1/chat/completions")

    def memory(self):
        return pss_of([self.server.pid])

    def close(self):
        self.server.send_signal(signal.SIGTERM)
        try:
            self.server.wait(5)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()


def part_gateway(b, agent):
    """Chat completions of the OpenAI format, through each."""
    why = Rival.missing()
    if why:
        b.row("Portkey gateway", why)
        return
    path = "/accounts/acme-healthcare/v1/chat/completions"

    def mine(conns, seconds):
        return load("-c", conns, "-d", seconds, *b.head, "-b",
                    completion(agent), b.rig.port, path)
    rival = Rival(b.provider.port)
    try:
        got = {}
        for name, ask, memory in (
                ("Portkey", lambda c, s: rival.ask(c, s, "mock"),
                 rival.memory),
                ("ours", mine, lambda: pss_of(ours(b.rig)))):
            ask(64, 2)
            got[name] = many, one = ask(64, b.args.seconds), ask(
                1, b.args.seconds)
            for g in (many, one):
                assert set(g["statuses"]) == {"200"} and not g["errors"], g
            got[name] += (memory(),)
    finally:
        rival.close()
    b.result["gateway"] = {k: {"many": v[0], "one": v[1], "pss": v[2]}
                           for k, v in got.items()}
    a, z = got["Portkey"], got["ours"]
    b.row("chat completions, 64 callers (ours: key, limits, all stored)",
          f"{z[0]['per_second']:,.0f}/s",
          f"Portkey, nothing stored: {a[0]['per_second']:,.0f}/s",
          f"{z[0]['per_second'] / a[0]['per_second']:.1f}", ">= 10",
          z[0]["per_second"] >= 10 * a[0]["per_second"])
    for which, callers in ((0, "64 callers"), (1, "one caller")):
        b.row(f"  latency, {callers}, p50 / p99",
              " / ".join(f"{z[which]['latency_ms'][p]:.2f}"
                         for p in ("p50", "p99")) + " ms",
              "Portkey " +
              " / ".join(f"{a[which]['latency_ms'][p]:.2f}"
                         for p in ("p50", "p99")) + " ms")
    b.row("  memory after it (PSS of all our processes)",
          f"{z[2] / MIB:.0f} MiB", f"Portkey {a[2] / MIB:.0f} MiB")
