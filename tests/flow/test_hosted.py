"""The hosted chat, without scripts: form, cookie, whole answers (INTERFACE:
Pages; ROBUSTNESS D8, D20)."""
import html
import re
import unittest

from manage import caller
from rig import Rig, Provider, wait_until
from test_pages import Browser

PATH = "/accounts/acme-healthcare/talk/sales/human_health"
MARKDOWN = ("## Dose\n\nTake **one** of [these](https://example.com/x).\n\n"
            "| kg | mg |\n|---|---:|\n| 40 | 5 |\n\n- a\n- b\n\n"
            "![x](https://evil.example/leak.png) <img src=x onerror=alert(1)>"
            " [y](javascript:alert(1))")
TAGS = set("p br ul ol li strong em del code pre a h3 hr blockquote div table "
           "thead tbody tr th td".split())


class Visitor(Browser):
    def say(self, text, **more):
        nonce = re.search(r'name="nonce" value="([^"]*)"', self.page)
        more.setdefault("nonce", nonce.group(1) if nonce else "")
        return self.send(PATH, message=text, token=None, **more)

    def messages(self):
        """[(class, HTML)] of the list."""
        return re.findall(r'<li class="(\w+)">(?:<span class="away">[^<]*'
                          r'</span>)?<div class="text" dir="auto">(.*?)</div>'
                          r'</li>\n', self.page, re.S)


class HostedTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = Rig("hosted", env=cls.provider.env(), params={
            "chat_workers": 2, "widget_per_minute": 500,
            "widget_session_per_minute": 500})
        cls.rig.configure("sales/human_health", {
            "model_override": "openai:mock-echo", "model_fallback": False})
        cls.owner = caller(cls.rig, "account_owner")
        keys = {k["name"]: k for k in cls.owner.all("widget-keys")}
        cls.owner.delete(f"widget-keys/{keys['Quickstart widget']['id']}")
        cls.key = keys["test widget"]

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def change(self, **changes):
        self.assertEqual(self.owner.patch(
            f"widget-keys/{self.key['id']}", changes).status, 200)

    def test_a_talk_without_scripts(self):
        v = Visitor(self.rig)
        reply = v.get(PATH)
        self.assertEqual((reply.status, reply.headers["content-type"]),
                         (200, "text/html; charset=utf-8"), reply)
        self.assertEqual(v.set, [])
        self.assertNotIn("sb_pub_", v.page)
        for bad in ("style=", "<style", "onload", "onclick"):
            self.assertNotIn(bad, v.page)
        reply = v.say(MARKDOWN)
        self.assertEqual((reply.status, reply.headers["location"]),
                         (303, PATH + "#line"), reply)
        self.assertRegex(v.set[0], rf"^sb-talk=s_[\w-]+; Path={PATH}; "
                         r"Max-Age=\d+; HttpOnly; SameSite=Lax$")
        v.get(PATH)
        got = v.messages()
        self.assertEqual([c for c, _ in got],
                         ["assistant", "user", "assistant"], v.page)
        self.assertEqual(html.unescape(got[1][1]), MARKDOWN)
        self.assertIn("<h3 class=\"large\">Dose</h3>", got[2][1])
        self.assertIn("<strong>one</strong>", got[2][1])
        self.assertIn('<a href="https://example.com/x" target="_blank" '
                      'rel="noopener noreferrer nofollow ugc">these</a>',
                      got[2][1])
        self.assertIn('<td class="end">5</td>', got[2][1])
        self.assertLessEqual(set(re.findall(r"<(\w+)", got[2][1])), TAGS)
        self.assertNotIn("src=\"", got[2][1])
        self.assertNotIn("href=\"javascript", got[2][1])
        # it goes on, and begins anew when that is wanted
        v.say("two")
        v.get(PATH)
        self.assertEqual(len(v.messages()), 5)
        v.send(PATH, again="1", token=None)
        self.assertEqual(v.jar, {})
        v.get(PATH)
        self.assertEqual(len(v.messages()), 1)

    def test_sent_twice_is_said_once(self):
        v = Visitor(self.rig)
        v.get(PATH)
        page = v.page
        self.provider.reset()
        first = v.say("once")
        cookie = dict(v.jar)
        v.page, v.jar = page, {}
        again = v.say("once")
        self.assertEqual((first.status, again.status), (303, 303))
        self.assertEqual(v.jar, cookie)
        v.get(PATH)
        self.assertEqual(len(v.messages()), 3)
        # the same number with another text is refused, and told
        v.page, v.jar = page, {}
        self.assertEqual(v.say("another").status, 422)
        self.assertIn("another</textarea>", v.page)

    def test_what_fails_is_told_and_kept(self):
        v = Visitor(self.rig)
        v.get(PATH)
        for text, status in (("", 422), ("  ", 422), ("x" * 40000, 422),
                             ("[[do:400]] <b>kept", 502)):
            reply = v.say(text)
            self.assertEqual(reply.status, status, text[:20])
            self.assertIn('role="alert"', v.page)
            self.assertIn(html.escape(text) + "</textarea>", v.page)
        self.assertNotIn("<b>kept", v.page)
        # a cookie of nobody's, or of another key's session, begins anew
        for value in ("s_nothing", "x y", self.rig.chat().json["session_key"]):
            v = Visitor(self.rig)
            v.jar["sb-talk"] = value
            self.assertEqual(v.get(PATH).status, 200, value)
            self.assertEqual(len(v.messages()), 1)
            v.jar["sb-talk"] = value
            self.assertEqual(v.say("hello").status, 303)
            v.get(PATH)
            self.assertEqual(len(v.messages()), 3)

    def test_only_its_own_page_sends(self):
        v = Visitor(self.rig)
        v.get(PATH)
        for headers in ({"Origin": "https://evil.example"},
                        {"Sec-Fetch-Site": "cross-site"}, {"Origin": None},
                        {"Origin": "null"}):
            self.assertEqual(v.say("x", headers=headers).status, 403, headers)
        self.assertEqual(v.ask("POST", PATH, '{"message":"x"}', {
            "Content-Type": "application/json",
            "Origin": f"http://{v.host}"}).status, 415)
        self.assertEqual(v.ask("POST", PATH + "/token", "", {
            "Origin": "https://evil.example"}).status, 403)

    def test_a_token_of_the_page(self):
        v = Visitor(self.rig)
        reply = v.ask("POST", PATH + "/token", "{}", {
            "Origin": f"http://{v.host}", "Content-Type": "application/json"})
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.json["agent"]["name"], "human_health")
        mine = {"Authorization": "Bearer " + reply.json["token"],
                "Origin": f"http://{v.host}"}
        self.assertEqual(self.rig.chat(headers=mine).status, 200)
        mine["Origin"] = "http://localhost:1"
        self.assertEqual(self.rig.chat(headers=mine).status, 403)

    def test_frames_and_looks(self):
        """Who may embed the chat may frame the page; how it looks is the
        key's."""
        self.change(appearance={
            "title": "Ask <Acme>", "greeting": "Hi & welcome",
            "placeholder": "Say \"it\""})
        try:
            v = Visitor(self.rig)

            def seen():
                return "Ask &lt;Acme&gt;" in v.get(PATH).body.decode()
            wait_until(seen, 2, "the title")
            self.assertIn("Hi &amp; welcome", v.page)
            policy = v.get(PATH).headers["content-security-policy"]
            self.assertIn("frame-ancestors 'self' http://127.0.0.1:* "
                          "http://localhost:*", policy)
            self.assertIn("default-src 'none'", policy)
            self.assertNotIn("unsafe", policy)
            self.assertNotIn("x-frame-options", v.get(PATH).headers)
            german = v.get(PATH, headers={"Accept-Language": "de-DE,de"})
            self.assertIn("<html lang=\"de\">", german.body.decode())
            self.assertIn("Senden", german.body.decode())
        finally:
            self.change(appearance={})

    def test_asked_before_the_first_word(self):
        self.change(appearance={"consent": "We keep <it>.",
                                "ask_email": "required"})
        try:
            v = Visitor(self.rig)
            wait_until(lambda: "We keep &lt;it&gt;." in v.get(
                PATH).body.decode(), 2, "the question")
            for more in ({}, {"consent": "1"}, {"email": "a@example.com"},
                         {"consent": "1", "email": "nobody"}):
                self.assertEqual(v.say("hello", **more).status, 422, more)
            self.assertEqual(v.say("hello", consent="1",
                                   email="ann@example.com").status, 303)
            v.get(PATH)
            self.assertNotIn("We keep", v.page)
            self.assertEqual(v.say("and more").status, 303)
            session = next(s for s in self.owner.get(
                "sessions").json["data"] if s["email"] == "ann@example.com")
            self.assertEqual(session["turns"], 2)
        finally:
            self.change(appearance={})

    def test_where_there_is_none(self):
        v = Visitor(self.rig)
        for path in ("/accounts/acme-healthcare/talk/sales/none",
                     "/accounts/none/talk/sales/human_health",
                     "/accounts/acme-healthcare/talk/sales/animal_health",
                     "/accounts/globex/talk/sales/widgets"):
            reply = v.get(path)
            self.assertEqual((reply.status, reply.headers["content-type"]),
                             (404, "text/html; charset=utf-8"), path)
            self.assertIn("no chat at this address", v.page)
            self.assertEqual(v.ask("POST", path + "/token", "", {
                "Origin": f"http://{v.host}"}).status, 404)
        self.assertEqual(v.get(PATH, headers={"Host": "evil.example"}).status,
                         403)
        # no key that allows this address: no page, within a second
        self.change(allowed_origins=["https://shop.example"])
        try:
            wait_until(lambda: v.get(PATH).status == 404, 2, "no page")
            self.assertEqual(v.say("x", nonce="").status, 404)
        finally:
            self.change(allowed_origins=["http://127.0.0.1:*",
                                         "http://localhost:*"])
        wait_until(lambda: v.get(PATH).status == 200, 2, "the page again")
        # nor any of an agent that is switched off
        agent = next(a for a in self.owner.all("agents")
                     if a["instance_name"] == "human_health")
        self.owner.patch(f"agents/{agent['id']}", {"status": "inactive"})
        wait_until(lambda: v.get(PATH).status == 404, 2, "no agent")
        self.owner.patch(f"agents/{agent['id']}", {"status": "active"})
        wait_until(lambda: v.get(PATH).status == 200, 2, "the agent again")


if __name__ == "__main__":
    unittest.main()
