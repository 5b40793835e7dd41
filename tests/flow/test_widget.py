"""Widget tokens: a page changes its widget key for one (INTERFACE: Chat;
ROBUSTNESS C1)."""
import gzip
import json
import os
import re
import time
import unittest

from manage import pointers
from rig import SOURCE, wait_until
from widget import (ACCOUNT, ORIGIN, OTHER, PER_MINUTE, TOKEN, WidgetCase,
                    b64, claims_of, head_of, signed)


class WidgetTokenTest(WidgetCase):
    def test_what_a_token_tells(self):
        reply = self.ask()
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(set(reply.json), {"token", "expires_in", "agent",
                                           "appearance"})
        self.assertEqual((reply.json["expires_in"], reply.json["agent"],
                          reply.json["appearance"]), (3600, None, {}))
        self.assertEqual(reply.headers["access-control-allow-origin"], ORIGIN)
        self.assertEqual(reply.headers["cache-control"], "no-store")
        self.assertEqual(reply.headers["ratelimit-limit"], str(PER_MINUTE))
        head, claims = (head_of(reply.json["token"]),
                        claims_of(reply.json["token"]))
        self.assertEqual((head["alg"], head["typ"], claims["aud"]),
                         ("HS256", "widget+jwt", ORIGIN))
        self.assertNotIn(self.key, json.dumps([head, claims]))
        self.assertNotIn(reply.json["token"], self.rig.log())
        # the same of the body that says nothing, and of a named agent
        self.assertEqual(self.ask(body={}).json["agent"], None)
        named = self.ask(body={"agent": "sales/animal_health"})
        self.assertEqual((named.json["agent"]["type"],
                          named.json["agent"]["name"]),
                         ("sales", "animal_health"))
        self.assertTrue(named.json["agent"]["display_name"])

    def test_a_key_for_one_agent(self):
        agents = {a["instance_name"]: a["id"]
                  for a in self.owner.all("agents")}
        looks = {"title": "Ask Acme", "color": "#0b5FFF", "theme": "auto",
                 "position": "bottom-left", "greeting": "Guten Tag",
                 "placeholder": "Ihre Frage …"}
        key_id, key = self.widget_key(agent_id=agents["animal_health"],
                                      appearance=looks)
        self.assertEqual(self.owner.get(
            f"widget-keys/{key_id}").json["appearance"], looks)
        told = self.ask(key).json
        self.assertEqual((told["agent"]["name"], told["appearance"]),
                         ("animal_health", looks))
        self.assertEqual(self.ask(key, body={
            "agent": "sales/animal_health"}).status, 200)
        self.assertEqual(self.ask(key, body={
            "agent": "sales/human_health"}).status, 404)
        token = self.token(key)
        self.assertEqual(self.chat(token, agent="sales/human_health").status,
                         404)
        self.assertEqual(self.chat(token, agent="sales/animal_health").status,
                         200)
        # a change of how it looks is told at once
        state = self.owner.get(f"widget-keys/{key_id}").headers["etag"]
        reply = self.owner.patch(f"widget-keys/{key_id}", {
            "appearance": {"title": "Ask us"}}, If_Match=state)
        self.assertEqual(reply.json["appearance"], {"title": "Ask us"})
        self.assertEqual(self.owner.patch(
            f"widget-keys/{key_id}", {"appearance": {}},
            If_Match=state).status, 412)
        wait_until(lambda: self.ask(key).json["appearance"] == {
            "title": "Ask us"}, 2, "told")
        # an agent that is switched off is nobody's any more
        self.owner.patch(f"agents/{agents['animal_health']}",
                         {"status": "inactive"})
        wait_until(lambda: self.ask(key).status == 404, 2, "inactive")
        self.owner.patch(f"agents/{agents['animal_health']}",
                         {"status": "active"})
        wait_until(lambda: self.ask(key).status == 200, 2, "active")

    def test_appearances_are_checked(self):
        for looks, where in (
                ({"title": ""}, "/appearance/title"),
                ({"title": "x" * 81}, "/appearance/title"),
                ({"color": "red"}, "/appearance/color"),
                ({"color": "#12345g"}, "/appearance/color"),
                ({"position": "top"}, "/appearance/position"),
                ({"theme": None}, "/appearance/theme"),
                ({"greeting": 5}, "/appearance/greeting"),
                ({"launcher": ""}, "/appearance/launcher"),
                ({"quick_replies": ["x"] * 7}, "/appearance/quick_replies"),
                ({"quick_replies": [""]}, "/appearance/quick_replies/0"),
                ({"ask_email": "maybe"}, "/appearance/ask_email"),
                ({"consent_url": "javascript:alert(1)"},
                 "/appearance/consent_url"),
                ({"handoff": "yes"}, "/appearance/handoff"),
                ({"script": "x"}, "/appearance/script"),
                ([], "/appearance"), ("x", "/appearance")):
            reply = self.owner.post("widget-keys", {
                "name": "x", "allowed_origins": [ORIGIN],
                "appearance": looks})
            self.assertEqual((reply.status, pointers(reply)),
                             (422, [where]), (looks, reply))

    def test_who_may_ask(self):
        self.assertEqual(self.ask(origin=None).status, 403)
        for origin in ("https://evil.example", "null", ORIGIN + ":444",
                       ORIGIN + "/", "http://shop.example"):
            reply = self.ask(origin=origin)
            self.assertEqual(reply.status, 403, origin)
            self.assertNotIn("access-control-allow-origin", reply.headers)
        self.assertEqual(self.ask("sb_pub_" + "A" * 43).status, 401)
        self.assertEqual(self.ask("x").status, 401)
        self.assertEqual(self.ask(path="/accounts/globex/widget/token").status,
                         404)
        self.assertEqual(self.ask(path="/accounts/no/widget/token").status,
                         404)
        for bearer in (self.rig.key, self.token()):
            reply = self.rig.request("POST", TOKEN, None, dict(
                self.bearer(bearer), **{"X-Widget-Key": self.key}))
            self.assertEqual(reply.status, 403, reply)
        self.assertEqual(self.rig.get(TOKEN).status, 405)
        for body, status in (("{", 400), ("[]", 422), ({"x": 1}, 422),
                             ({"agent": "sales"}, 422),
                             ({"agent": "sales/no_such"}, 404)):
            self.assertEqual(self.ask(body=body).status, status, body)
        reply = self.rig.request("POST", TOKEN, "{}", {
            "X-Widget-Key": self.key, "Origin": ORIGIN,
            "Content-Type": "text/plain"})
        self.assertEqual(reply.status, 415, reply)

    def test_preflight(self):
        for path in (TOKEN, ACCOUNT + "/chat/sales/human_health"):
            reply = self.rig.request("OPTIONS", path, headers={
                "Origin": ORIGIN, "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers":
                "authorization, x-widget-key, content-type"})
            self.assertEqual((reply.status, reply.headers.get(
                "access-control-allow-origin")), (204, ORIGIN), path)
            allowed = reply.headers["access-control-allow-headers"].lower()
            for name in ("authorization", "x-widget-key", "content-type"):
                self.assertIn(name, allowed)

    def test_everything_a_visitor_does(self):
        """Chat, stream, resume, turn, messages, feedback: as with the key."""
        token = self.token()
        reply = self.chat(token, message="one")
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.headers["access-control-allow-origin"], ORIGIN)
        session = reply.json["session_key"]
        mine = self.bearer(token)
        stream = self.rig.stream(message="two", headers=mine,
                                 session_key=session)
        events = stream.all()
        stream.close()
        self.assertEqual(events[-1][0], "done")
        turn = events[0][2]["turn_id"]
        self.assertEqual(events[0][2]["session_key"], session)
        again = self.rig.resume(turn, headers=mine)
        self.assertEqual((again.status, again.all()[-1][0]), (200, "done"))
        again.close()
        # pages of the server's own site do not say where they are
        again = self.rig.resume(turn, headers=self.bearer(token, None))
        self.assertEqual(again.status, 200)
        again.close()
        path = f"{ACCOUNT}/turns/{turn}"
        self.assertEqual(self.rig.get(path, headers=mine).json["state"],
                         "completed")
        self.assertEqual(self.rig.request("DELETE", path,
                                          headers=mine).status, 200)
        path = f"{ACCOUNT}/sessions/{session}/messages"
        said = self.rig.get(path, headers=mine)
        self.assertEqual([m["content"] for m in said.json["data"]
                          if m["role"] == "user"], ["one", "two"])
        answer = said.json["data"][1]["id"]
        self.assertEqual(self.rig.request(
            "POST", f"{path}/{answer}/feedback", {"rating": 1},
            mine).status, 201)
        # a person is asked for: once, and it is seen
        path_of = f"{ACCOUNT}/sessions/{session}/handoff"
        first = self.rig.request("POST", path_of, None, mine)
        again = self.rig.request("POST", path_of, None, mine)
        self.assertEqual((first.status, again.status, first.json),
                         (201, 200, again.json), again)
        self.assertEqual(first.headers["access-control-allow-origin"], ORIGIN)
        handed = self.owner.get("sessions?status=handoff").json["data"]
        self.assertEqual([(s["session_key"], s["status"], s["handoff_at"])
                          for s in handed],
                         [(session, "handoff", first.json["handoff_at"])])
        stranger = self.bearer(self.token(self.widget_key()[1]))
        self.assertEqual(self.rig.request("POST", path_of, None,
                                          stranger).status, 404)
        # the key and its tokens are one caller; another key is not
        both = {"X-Widget-Key": self.key, "Origin": OTHER}
        self.assertEqual(self.rig.get(path, headers=both).status, 200)
        other = self.bearer(self.token(self.widget_key()[1]))
        self.assertEqual(self.rig.get(path, headers=other).status, 404)
        self.assertEqual(self.rig.get(
            f"{ACCOUNT}/turns/{turn}", headers=other).status, 404)
        self.assertEqual(self.rig.chat(
            headers=other, session_key=session).status, 404)
        # and neither names a session itself
        for name in ("mine", session[:-1] + ("A" if session[-1] != "A"
                                             else "B"),
                     self.rig.chat().json["session_key"]):
            self.assertEqual(self.chat(token, session_key=name).status, 404)
        # nor manages anything
        for path in ("/api/v1/accounts/acme-healthcare/agents", "/api/v1/me"):
            self.assertIn(self.rig.get(path, headers=mine).status, (401, 403))
        self.assertEqual(self.rig.request("POST", "/api/v1/auth/logout",
                                          headers=mine).status, 401)

    def test_a_token_is_good_at_its_origin(self):
        token = self.token()
        self.assertEqual(self.chat(token).status, 200)
        for origin in (OTHER, "http://localhost:1", "null", None,
                       "https://evil.example"):
            reply = self.chat(token, origin)
            self.assertEqual(reply.status, 403, origin)
            self.assertNotIn("access-control-allow-origin", reply.headers)
        self.assertEqual(self.chat(token, account="globex").status, 404)
        port = self.token(origin="http://localhost:5173")
        self.assertEqual(self.chat(port, "http://localhost:5173").status, 200)
        self.assertEqual(self.chat(port, "http://localhost:5174").status, 403)

    def test_what_becomes_of_the_key(self):
        """Another list of origins, and the key's end: within a second."""
        key_id, key = self.widget_key()
        token = self.token(key)
        self.assertEqual(self.chat(token).status, 200)
        self.owner.patch(f"widget-keys/{key_id}", {"allowed_origins": [OTHER]})
        since = time.monotonic()
        wait_until(lambda: self.chat(token).status == 403, 2, "origins")
        self.assertLess(time.monotonic() - since, 1.5)
        other = self.token(key, OTHER)
        self.assertEqual(self.chat(other, OTHER).status, 200)
        self.assertEqual(self.owner.delete(f"widget-keys/{key_id}").status,
                         204)
        since = time.monotonic()
        wait_until(lambda: self.chat(other, OTHER).status == 401, 2, "revoked")
        self.assertLess(time.monotonic() - since, 1.5)
        # the page may read why, so that it can ask again
        reply = self.chat(other, OTHER)
        self.assertEqual(reply.headers["access-control-allow-origin"], OTHER)
        self.assertNotIn("access-control-allow-origin",
                         self.chat(other, "https://evil.example").headers)

    def test_forgeries(self):
        """C1: nothing but our own, unchanged; and neither kind is the
        other."""
        token = self.token()
        head, body, mac = token.split(".")
        good = claims_of(token)
        kid = head_of(token)["kid"]
        headers = [dict(head_of(token), **h) for h in (
            {"alg": "none"}, {"alg": "None"}, {"alg": "HS512"},
            {"typ": "at+jwt"}, {"typ": "JWT"}, {"kid": "../../etc/passwd"},
            {"kid": "' or 1=1 --"}, {"jku": "https://evil.example/"},
            {"crit": ["x"]})]
        forged = [b64(json.dumps(h).encode()) + "." + body + "." + m
                  for h in headers for m in (mac, "")]
        forged += [signed(head_of(token), dict(good, aud=OTHER), k)
                   for k in (b"", kid.encode(), self.key.encode())]
        forged += [head + "." + b64(json.dumps(dict(
            good, exp=good["exp"] + 9)).encode()) + "." + mac,
            token[:-2], token + "A", head + "." + body, token + "." + mac]
        bodies = set()
        for text in forged:
            reply = self.chat(text)
            self.assertEqual(reply.status, 401, text)
            bodies.add((reply.json["title"], reply.json["detail"]))
        self.assertEqual(len(bodies), 1, bodies)

    def test_asking_is_limited(self):
        """As often as one may talk, for each address."""
        _, key = self.widget_key()
        from_ = {"X-Forwarded-For": "198.51.100.77"}
        got = [self.ask(key, **from_).status for _ in range(PER_MINUTE + 2)]
        self.assertIn(429, got)
        self.assertEqual(set(got), {200, 429})
        reply = self.ask(key, **from_)
        self.assertIn("retry-after", reply.headers)
        self.assertEqual(reply.headers["access-control-allow-origin"], ORIGIN)
        self.assertEqual(self.ask(key, **{
            "X-Forwarded-For": "203.0.113.78"}).status, 200)
        # talking has its own measure
        self.assertEqual(self.rig.chat(headers=dict(
            from_, **{"X-Widget-Key": key, "Origin": ORIGIN})).status, 200)


class WidgetFilesTest(WidgetCase):
    """The chat's files, as the web server sends them to any site."""
    NAME = "widget-files"

    def file(self, path, **headers):
        reply = self.rig.request("GET", path, headers=headers)
        self.assertEqual((reply.status, reply.headers["content-type"]),
                         (200, "text/javascript; charset=utf-8"), path)
        self.assertEqual((reply.headers["access-control-allow-origin"],
                          reply.headers["cross-origin-resource-policy"]),
                         ("*", "cross-origin"))
        return reply

    def test_the_launcher_is_small(self):
        """It and all that it loads, compressed; names change with what is
        in them."""
        plain = self.file("/widget.js")
        small = self.file("/widget.js", **{"Accept-Encoding": "gzip"})
        self.assertEqual(small.headers["content-encoding"], "gzip")
        self.assertEqual(gzip.decompress(small.body), plain.body)
        self.assertLessEqual(len(small.body), 10 * 1024)
        self.assertEqual(plain.headers["cache-control"],
                         "public, max-age=300")
        folder = re.search(rb"static/widget-[0-9a-f]{12}/", plain.body)
        self.assertTrue(folder, plain.body[:600])
        folder, all_of_it, wanted = "/" + folder.group().decode(), 0, {
            "chat.js"}
        for name in iter(lambda: wanted and wanted.pop(), set()):
            part = self.file(folder + name)
            self.assertEqual(part.headers["cache-control"],
                             "public, max-age=31536000, immutable")
            wanted |= {n.decode() for n in re.findall(
                rb"from '\./([a-z]+\.js)'", part.body)}
            all_of_it += len(self.file(folder + name, **{
                "Accept-Encoding": "gzip"}).body)
        self.assertLess(all_of_it, 40 * 1024)
        missing = self.rig.get(folder + "none.js")
        self.assertEqual(missing.status, 404)
        self.assertNotIn("cache-control", missing.headers)

    def test_nothing_a_policy_would_refuse(self):
        """No HTML from text, no style attribute, no code from text."""
        root = os.path.join(SOURCE, "static")
        for base, _, files in os.walk(root):
            for name in files:
                with open(os.path.join(base, name)) as f:
                    text = f.read()
                for bad in ("innerHTML", "outerHTML", "insertAdjacentHTML",
                            "document.write", "eval(", "new Function",
                            "DOMParser", ".style", "setAttribute('style'",
                            "createContextualFragment", "srcdoc"):
                    self.assertNotIn(bad, text, name)


class WidgetLimitsTest(WidgetCase):
    NAME = "widget-limits"
    PARAMS = {"widget_per_minute": 6, "widget_session_per_minute": 3,
              "widget_token_life": "2s"}

    def test_a_token_counts_as_its_key(self):
        place = {"X-Forwarded-For": "198.51.100.1"}
        reply = self.ask()
        self.assertEqual(reply.json["expires_in"], 2)
        mine = dict(self.bearer(reply.json["token"]), **place)
        first = self.rig.chat(headers=mine)
        session = first.json["session_key"]
        got = [self.rig.chat(headers=mine, session_key=session).status
               for _ in range(4)]
        self.assertIn(429, got)
        fresh = [self.rig.chat(headers=dict(place, **{
            "X-Widget-Key": self.key, "Origin": ORIGIN})).status
            for _ in range(6)]
        self.assertIn(429, fresh)
        self.assertEqual(self.rig.chat(headers=dict(
            mine, **{"X-Forwarded-For": "203.0.113.9"})).status, 200)


if __name__ == "__main__":
    unittest.main()
