"""Signing in with a browser: pages, cookies, forms (ROBUSTNESS C7, C9, C10, C11,
C13, C16, D7, D8)."""
import glob
import gzip
import html
import http.client
import http.cookies
import os
import re
import signal
import subprocess
import threading
import unittest
import urllib.parse

from rig import Reply, Rig, wait_until
from test_identity import PASSWORD
from test_second_factor import code, now

SIGN_INS = "/me/sign-ins/end"
CSP = ("default-src 'none'; style-src 'self'; img-src 'self' data:; "
       "form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
# of the pages with passkeys
CSP_SCRIPT = CSP + "; script-src 'self'; connect-src 'self'"
SCRIPT = re.compile(r'<script src="(/assets/passkey-[0-9a-f]{8}\.js)" '
                    'defer></script>')


class Browser:
    """What a browser does: keeps cookies, sends forms with its origin."""

    def __init__(self, rig, host=None):
        self.rig, self.jar, self.set = rig, {}, []
        self.host = host or f"127.0.0.1:{rig.port}"
        self.page = None

    def ask(self, method, path, body=None, headers=None, cookies=True):
        headers = {"Accept": "text/html", "Host": self.host, **(headers or {})}
        if cookies and self.jar:
            headers["Cookie"] = "; ".join(
                f"{k}={v}" for k, v in self.jar.items())
        headers = {k: v for k, v in headers.items() if v is not None}
        c = http.client.HTTPConnection("127.0.0.1", self.rig.port, timeout=30)
        c.request(method, path, body, headers)
        r = c.getresponse()
        reply = Reply(r.status, r.getheaders(), r.read())
        self.set = r.headers.get_all("Set-Cookie") or []
        c.close()
        for line in self.set:
            for name, m in http.cookies.SimpleCookie(line).items():
                if m["max-age"] == "0":
                    self.jar.pop(name, None)
                else:
                    self.jar[name] = m.value
        self.page = reply.body.decode(errors="replace")
        return reply

    def get(self, path, **kw):
        return self.ask("GET", path, **kw)

    @property
    def token(self):
        """Of the form on the page."""
        found = re.search(r'name="form_token" value="([^"]*)"', self.page)
        return found.group(1) if found else None

    def send(self, path, headers=None, token=..., **fields):
        """A form's POST."""
        token = self.token if token is ... else token
        if token is not None:
            fields["form_token"] = token
        return self.ask("POST", path, urllib.parse.urlencode(fields), {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": f"http://{self.host}", **(headers or {})})

    def sign_in(self, email, password=PASSWORD, **more):
        self.get("/login")
        return self.send("/login", email=email, password=password, **more)

    @property
    def cookie(self):
        """The name of the one that says who it is."""
        for name in self.jar:
            if re.fullmatch(r"(__Host-)?sb-[0-9a-f]{8}", name):
                return name
        return None

    @property
    def secret(self):
        return self.jar[self.cookie].split("~")[1]

    def text(self):
        return html.unescape(re.sub(r"<[^>]*>", " ", self.page))


class PagesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = Rig("pages", params={"chat_workers": 1, "admin_workers": 2,
                                       "mail_from": "sb@example.com"})
        cls.made = 0

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def person(self):
        PagesTest.made += 1
        address = f"p{PagesTest.made}@example.com"
        self.rig.run("user", "create", address, "--password-stdin",
                     stdin=PASSWORD)
        return address

    def signed_in(self, address=None):
        b = Browser(self.rig)
        reply = b.sign_in(address or self.person())
        self.assertEqual((reply.status, reply.headers["location"]),
                         (303, "/me"), reply)
        return b

    def goes(self, reply, where):
        self.assertEqual((reply.status, reply.headers.get("location")),
                         (303, where), reply)

    def everywhere(self, check):
        """In every worker: kept connections of nginx go round."""
        for _ in range(12):
            check()

    # -- signing in and out ---------------------------------------------

    def test_sign_in_and_out(self):
        address = self.person()
        b = Browser(self.rig)
        self.goes(b.get("/"), "/login")
        self.goes(b.get("/me"), "/login")
        self.goes(b.get("/logout"), "/login?return_to=/logout")
        reply = b.get("/login")
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.headers["content-security-policy"],
                         CSP_SCRIPT)
        self.assertEqual(reply.headers["x-content-type-options"], "nosniff")
        self.assertEqual(reply.headers["cache-control"], "no-store")
        self.assertEqual(reply.headers["content-type"],
                         "text/html; charset=utf-8")
        for bad in ("<script", "style=", "<style", "onload", "http://"):
            self.assertNotIn(bad, SCRIPT.sub("", b.page.replace(
                "http://www.w3.org/2000/svg", ""), 1))
        wrong = b.send("/login", email=address, password="x" * 20)
        self.assertEqual(wrong.status, 401)
        self.assertIn("E-mail address or password is wrong.", b.text())
        self.assertIn(f'value="{address}"', b.page)
        self.assertNotIn("x" * 20, b.page)
        self.assertIsNone(b.cookie)
        self.goes(b.send("/login", email=address, password=PASSWORD), "/me")
        line, = [s for s in b.set if s.startswith(b.cookie + "=")]
        self.assertIn("HttpOnly", line)
        self.assertIn("SameSite=Lax", line)
        self.assertIn("Path=/", line)
        self.assertNotIn("Domain", line)
        self.assertEqual(b.get("/me").status, 200)
        self.assertIn(address, b.page)
        self.goes(b.get("/"), "/me")
        self.goes(b.get("/login"), "/me")
        # GET shows a button and does nothing.
        self.assertEqual(b.get("/logout").status, 200)
        self.assertEqual(b.get("/me").status, 200)
        kept = dict(b.jar)
        b.get("/logout")
        self.goes(b.send("/logout"), "/login?done=signed-out")
        self.assertIsNone(b.cookie)
        # At once and in every worker, also with the cookie of before.
        b.jar = kept
        self.everywhere(lambda: self.goes(b.get("/me"), "/login"))
        self.assertEqual(b.ask("GET", "/api/v1/me").status, 401)

    def test_role_and_state_act_at_once(self):
        address = self.person()
        b, other = self.signed_in(address), self.signed_in(address)
        first = b.secret
        old = dict(b.jar)
        version = self.rig.sql("select token_version from users where "
                               f"email = '{address}'")[0][0]
        self.rig.sql("update users set token_version = token_version + 1 "
                     f"where email = '{address}'")
        # The next request that hears of it has another cookie.
        wait_until(lambda: b.get("/me").status == 200 and b.secret != first,
                   5, "another cookie")
        self.assertIn(f"sb_web_{int(version) + 1}_", b.secret)
        self.everywhere(lambda: self.assertEqual(b.get("/me").status, 200))
        # The one of before is dead after a moment, and who shows it ends
        # the sign-in; the other browser's goes on.
        self.rig.sql("update refresh_tokens set used_at = used_at - "
                     "interval '1 minute' where used_at is not null")
        thief = Browser(self.rig)
        thief.jar = old
        self.goes(thief.get("/me"), "/login")
        wait_until(lambda: b.get("/me").status == 303, 5, "it is over")
        self.assertEqual(other.get("/me").status, 200)
        self.rig.run("user", "deactivate", address)
        wait_until(lambda: other.get("/me").status == 303, 1, "disabled")
        self.everywhere(lambda: self.goes(other.get("/me"), "/login"))
        self.assertEqual(other.sign_in(address).status, 401)

    def test_another_cookie_at_each_sign_in(self):
        address = self.person()
        b = self.signed_in(address)
        seen = {b.secret}
        # Whatever a browser has been given before, it is not that.
        planted = dict(b.jar)
        other = Browser(self.rig)
        other.jar = dict(planted)
        other.get("/logout")
        other.send("/logout")
        other.jar.update(planted)
        other.jar.pop(b.cookie)
        other.jar[b.cookie or "x"] = "planted~planted"
        self.goes(other.sign_in(address), "/me")
        self.assertNotIn(other.secret, seen)
        self.assertNotIn("planted", other.secret)

    def test_the_password_ends_every_other(self):
        address = self.person()
        b, other = self.signed_in(address), self.signed_in(address)
        first = b.secret
        b.get("/me")
        new = "another very good phrase 7"
        said = b.send("/me/password", old_password="x" * 20,
                      new_password=new, again=new)
        self.assertEqual(said.status, 403)
        self.assertIn("The password is wrong.", b.text())
        said = b.send("/me/password", old_password=PASSWORD,
                      new_password=new, again=new + "!")
        self.assertEqual(said.status, 422)
        said = b.send("/me/password", old_password=PASSWORD,
                      new_password="short", again="short")
        self.assertEqual(said.status, 422)
        self.goes(b.send("/me/password", old_password=PASSWORD,
                         new_password=new, again=new), "/me?done=password")
        self.assertNotEqual(b.secret, first)
        self.everywhere(lambda: self.assertEqual(b.get("/me").status, 200))
        self.everywhere(lambda: self.goes(other.get("/me"), "/login"))
        self.assertEqual(other.sign_in(address).status, 401)
        self.goes(other.sign_in(address, new), "/me")
        # and out of this one, from that one
        b.get("/me")
        ids = re.findall(r'name="id" value="([0-9a-f-]{36})"', b.page)
        self.assertEqual(len(ids), 2)
        self.goes(b.send(SIGN_INS, id=ids[0]), "/me?done=ended")
        self.everywhere(lambda: self.goes(other.get("/me"), "/login"))
        self.assertEqual(b.get("/me").status, 200)
        self.assertEqual(b.send(SIGN_INS, id="nobody").status, 404)
        b.get("/me")
        self.goes(b.send(SIGN_INS, id="all"), "/login?done=signed-out")
        self.everywhere(lambda: self.goes(b.get("/me"), "/login"))

    def test_requests_that_cross(self):
        """A browser asks for many things at once; when the cookie is renewed
        by one answer, the others are served, and nobody is signed out."""
        address = self.person()
        b = self.signed_in(address)
        first = b.secret
        self.rig.sql("update users set token_version = token_version + 1 "
                     f"where email = '{address}'")
        got = []

        def ask():
            mine = Browser(self.rig)
            mine.jar = dict(b.jar)
            got.append((mine.get("/me").status, mine.secret))

        def renewed():
            threads = [threading.Thread(target=ask) for _ in range(8)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            return any(secret != first for _, secret in got)
        wait_until(renewed, 5, "the change has been heard of")
        self.assertEqual({status for status, _ in got}, {200})
        fresh = {secret for _, secret in got if secret != first}
        self.assertEqual(len(fresh), 1)
        b.jar[b.cookie] = "x~" + fresh.pop()
        self.assertEqual(b.get("/me").status, 200)

    def test_nobody_learns_who_there_is(self):
        """ROBUSTNESS C11: text, status and headers; the time is one hash's
        in both cases, and the API's tests look at it."""
        address = self.person()
        told = {}
        for i in range(6):
            for who in (address, "nobody" + address):
                b = Browser(self.rig)
                b.get("/login")
                reply = b.send("/login", email=who, password="x" * 20,
                               headers={"X-Forwarded-For": f"198.51.100.{i}"})
                told.setdefault(who, set()).add((
                    reply.status, re.sub(r'value="[^"]*"', "", b.page),
                    tuple(sorted(k for k in reply.headers))))
        known, unknown = told.values()
        self.assertEqual(known, unknown)
        self.assertEqual(len(known), 1)

    # -- the second factor ----------------------------------------------

    def factor(self, b):
        """Set up by forms: the secret, recovery codes, the last step."""
        b.get("/me")
        self.assertEqual(b.send("/me/second-factor",
                                password="x" * 20).status, 403)
        self.assertEqual(b.send("/me/second-factor",
                                password=PASSWORD).status, 200)
        secret = "".join(re.findall(r"<span>([A-Z2-7]+)</span>", b.page))
        self.assertIn('src="data:image/svg+xml,%3Csvg', b.page)
        step = now()
        wrong = b.send("/me/second-factor/confirm",
                       code=code(secret, step + 50))
        self.assertEqual(wrong.status, 422)
        self.assertNotIn(secret[:4], b.page)
        before = b.secret
        self.assertEqual(b.send("/me/second-factor/confirm",
                                code=code(secret, step)).status, 200)
        self.assertNotEqual(b.secret, before)
        codes = re.findall(r"<code>([a-z0-9-]{19})</code>", b.page)
        self.assertEqual(len(codes), 10)
        return secret, codes, step

    def test_second_factor(self):
        address = self.person()
        b = self.signed_in(address)
        secret, codes, step = self.factor(b)
        self.assertEqual(b.get("/me").status, 200)
        self.assertIn("Remove it", b.page)
        other = Browser(self.rig)
        self.goes(other.get("/login/code"), "/login")
        self.assertEqual(other.sign_in(address, "x" * 20).status, 401)
        other.get("/login")
        self.goes(other.send("/login", email=address, password=PASSWORD,
                             return_to="/logout"),
                  "/login/code?return_to=/logout")
        self.assertIsNone(other.cookie)
        # No way past the step.
        for path in ("/me", "/logout"):
            self.assertEqual(other.get(path).status, 303)
        self.assertEqual(other.ask("GET", "/api/v1/me").status, 401)
        self.assertEqual(other.get("/login/code?return_to=/logout").status,
                         200)
        said = other.send("/login/code", code=code(secret, step),
                          return_to="/logout")
        self.assertEqual(said.status, 401)
        self.assertIn("wrong, or was used before", other.text())
        self.goes(other.send("/login/code", code=codes[0].upper(),
                             return_to="/logout"), "/logout")
        self.assertEqual(other.get("/me").status, 200)
        # The challenge is used up with its code; another browser has none.
        third = Browser(self.rig)
        third.sign_in(address)
        third.get("/login/code")
        self.assertEqual(third.send("/login/code", code=codes[0]).status, 401)
        wait_until(lambda: now() > step, 40, "the next code")
        self.goes(third.send("/login/code", code=code(secret, now())), "/me")
        # Removed with the password only.
        b.get("/me")
        self.assertEqual(b.send("/me/second-factor/remove",
                                password="x" * 20).status, 403)
        before = b.secret
        self.goes(b.send("/me/second-factor/remove", password=PASSWORD),
                  "/me?done=factor-removed")
        self.assertNotEqual(b.secret, before)
        self.goes(Browser(self.rig).sign_in(address), "/me")

    def test_five_tries_of_a_challenge(self):
        address = self.person()
        secret, codes, step = self.factor(self.signed_in(address))
        b = Browser(self.rig)
        self.goes(b.sign_in(address), "/login/code")
        b.get("/login/code")
        kept = dict(b.jar)
        said = []

        def guess(i):
            mine = Browser(self.rig)
            mine.jar = dict(kept)
            mine.get("/login/code")
            said.append(mine.send("/login/code", code=f"{i:06}").status)
        threads = [threading.Thread(target=guess, args=(i,))
                   for i in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(set(said), {401})
        # The right one comes too late, and the answer is: from the start.
        reply = b.send("/login/code", code=codes[0])
        self.assertEqual(reply.status, 401)
        self.assertIn("Please sign in again", b.text())
        self.assertIsNone(b.cookie)
        # A challenge is bound to nobody's wish: forged ones are none.
        for name in list(kept):
            if name.endswith("-step"):
                b.jar[name] = kept[name][:-1] + \
                    ("A" if kept[name][-1] != "A" else "B")
        self.goes(b.get("/login/code"), "/login")

    # -- passwords by mail ----------------------------------------------

    def mailed(self, address):
        """The link in the newest mail to ${address}."""

        def look():
            for f in sorted(glob.glob(self.rig.path("run", "mail", "*")),
                            key=os.path.getmtime, reverse=True):
                with open(f, errors="replace") as m:
                    text = m.read().replace("=\n", "")
                if f"To: {address}" in text or f"To: <{address}>" in text:
                    found = re.search(r"(http://\S+/password\?token=3?D?\S+)",
                                      text.replace("=3D", "="))
                    if found:
                        return found.group(1)
            return None
        return wait_until(look, 10, "the mail")

    def test_a_link_sets_a_password(self):
        address = self.person()
        old = self.signed_in(address)
        b = Browser(self.rig)
        self.assertEqual(b.get("/password").status, 200)
        asked = b.send("/password/mail", email=address)
        self.assertEqual(asked.status, 202)
        known = b.page.replace(address, "")
        b.get("/password")
        asked = b.send("/password/mail", email="nobody@example.com")
        strip = re.compile(r'value="[^"]*"')
        self.assertEqual(strip.sub("", known), strip.sub(
            "", b.page.replace("nobody@example.com", "")))
        link = self.mailed(address)
        token = link.split("token=")[1]
        self.assertTrue(link.startswith(f"http://127.0.0.1:{self.rig.port}/"))
        fresh = Browser(self.rig)
        reply = fresh.get("/password?token=" + token)
        self.goes(reply, "/password")
        self.assertEqual(reply.headers["referrer-policy"], "no-referrer")
        self.assertEqual(fresh.get("/password").status, 200)
        self.assertNotIn(token, fresh.page)
        self.assertIn(address, fresh.page)
        # Looking at it used nothing up; a password that may be none neither.
        self.goes(fresh.get("/password?token=" + token), "/password")
        fresh.get("/password")
        bad = fresh.send("/password", new_password="short", again="short")
        self.assertEqual(bad.status, 422)
        bad = fresh.send("/password", new_password="a" * 30, again="b" * 30)
        self.assertEqual(bad.status, 422)
        new = "a third and better phrase 9"
        self.goes(fresh.send("/password", new_password=new, again=new),
                  "/login?done=password")
        wait_until(lambda: old.get("/me").status == 303, 2, "old sign-in")
        again = Browser(self.rig)
        for bad in (token, "sb_lnk_x", "x" * 200, "%3Cb%3E", "a%0d%0ab"):
            self.goes(again.get("/password?token=" + bad), "/password")
            self.assertEqual(again.get("/password").status, 404)
            self.assertIn("not good any more", again.text())
            self.assertEqual(again.get("/password").status, 200)
        again.get("/password?token=" + token)
        again.get("/login")
        used = again.send("/password", new_password=new, again=new)
        self.assertEqual(used.status, 404)
        self.assertIn("not good any more", again.text())
        self.goes(fresh.sign_in(address, new), "/me")
        self.assertNotIn(token, self.rig.log())

    # -- other sites ------------------------------------------------------

    def test_forms_of_others(self):
        """ROBUSTNESS C9."""
        address = self.person()
        b, mallory = self.signed_in(address), self.signed_in()
        mallory.get("/me")
        theirs = mallory.token
        b.get("/me")
        mine = b.token
        form = "application/x-www-form-urlencoded"
        body = urllib.parse.urlencode({"form_token": mine, "id": "all"})
        origin = f"http://{b.host}"

        def post(path=SIGN_INS, text=body, **headers):
            h = {"Content-Type": form, "Origin": origin}
            h.update({k.replace("_", "-"): v for k, v in headers.items()})
            return b.ask("POST", path, text, h).status
        refused = {
            "no token": post(text="id=all"),
            "empty token": post(text="id=all&form_token="),
            "another session's": post(text=urllib.parse.urlencode(
                {"form_token": theirs, "id": "all"})),
            "changed": post(text=body.replace(
                mine, ("A" if mine[0] != "A" else "B") + mine[1:])),
            "cross origin": post(Origin="https://evil.example"),
            "http for https": post(Origin=f"https://{b.host}"),
            "other port": post(Origin="http://127.0.0.1:1"),
            "null": post(Origin="null"),
            "no origin": post(Origin=None),
            "cross site": post(Sec_Fetch_Site="cross-site"),
            "same site": post(Sec_Fetch_Site="same-site"),
            "text/plain": post(Content_Type="text/plain"),
            "json": post(Content_Type="application/json",
                         text='{"form_token": "%s", "id": "all"}' % mine),
            "json as text": post(Content_Type="text/plain",
                                 text='{"form_token": "%s"}' % mine),
            "no type": post(Content_Type=None),
            "token in the query": post(
                path=SIGN_INS + "?form_token=" + mine, text="id=all"),
            "logout": post(path="/logout", text=""),
            "password": post(path="/me/password", text="old_password=x"),
            "factor": post(path="/me/second-factor", text="password=x"),
        }
        self.assertEqual({k: v for k, v in refused.items() if v != 403}, {})
        # By another name of the server there is no cookie at all.
        self.assertEqual(post(Host="evil.example",
                              Origin="http://evil.example"), 401)
        # What only reads does nothing, whatever it is dressed as.
        for path in (SIGN_INS + "?_method=POST&id=all&form_token=" + mine,
                     "/logout?_method=POST&form_token=" + mine):
            self.assertIn(b.ask("GET", path, headers={
                "X-HTTP-Method-Override": "POST"}).status, (200, 404, 405))
        self.assertEqual(b.get("/me").status, 200)
        # The sign-in's form too: nobody signs another in as himself.
        anon = Browser(self.rig)
        anon.get("/login")
        token, jar = anon.token, dict(anon.jar)
        bare = Browser(self.rig)
        self.assertEqual(bare.send("/login", token=token, email=address,
                                   password=PASSWORD).status, 403)
        self.assertEqual(bare.send("/login", token=None, email=address,
                                   password=PASSWORD).status, 403)
        anon.jar = jar
        self.assertEqual(anon.send("/login", token=token, email=address,
                                   password=PASSWORD, headers={
                                       "Origin": "https://evil.example"
                                   }).status, 403)
        self.goes(anon.send("/login", token=token, email=address,
                            password=PASSWORD), "/me")
        # And in the end it is hers that works.
        self.assertEqual(post(), 303)

    def test_the_api_by_cookie(self):
        b = self.signed_in()
        b.get("/me")
        token = b.token
        self.assertEqual(b.ask("GET", "/api/v1/me").status, 200)
        reply = b.ask("GET", "/api/v1/me", headers={
            "Origin": "https://evil.example",
            "Sec-Fetch-Site": "cross-site"})
        self.assertEqual(reply.status, 403)
        reply = b.ask("GET", "/api/v1/me", headers={
            "Origin": "https://evil.example"})
        for name in reply.headers:
            self.assertFalse(name.startswith("access-control-"), name)
        same = {"Origin": f"http://{b.host}"}
        path = "/api/v1/me/sign-ins"
        self.assertEqual(b.ask("DELETE", path, headers=same).status, 403)
        self.assertEqual(b.ask("DELETE", path, headers={
            "X-Form-Token": token}).status, 403)
        self.assertEqual(b.ask("DELETE", path, headers={
            "X-Form-Token": token, "Origin": "https://evil.example"}).status,
            403)
        self.assertEqual(b.ask("OPTIONS", path, headers={
            "Origin": "https://evil.example",
            "Access-Control-Request-Method": "DELETE"}).status, 405)
        # A chat worker takes no cookie.
        chat = b.ask("POST", "/accounts/acme-healthcare/chat/sales/"
                     "human_health", '{"message": "x"}',
                     {"Content-Type": "application/json"})
        self.assertEqual(chat.status, 401)
        # The cookie's token is no access token, nor the other way round.
        bearer = b.jar[b.cookie].split("~")[0]
        self.assertEqual(b.ask("GET", "/api/v1/me", cookies=False, headers={
            "Authorization": "Bearer " + bearer}).status, 401)
        self.assertEqual(b.ask("DELETE", path, headers=dict(
            same, **{"X-Form-Token": token})).status, 204)
        wait_until(lambda: b.get("/me").status == 303, 2, "signed out")

    def test_where_it_leads(self):
        """ROBUSTNESS C7, through the whole server."""
        address = self.person()
        for to in ("//evil.example", "/\\evil.example", "\\\\evil.example",
                   "/\t/evil.example", "/%09/evil.example",
                   "/%2f%2fevil.example", "https://evil.example",
                   "javascript:alert(1)", "data:text/html,x",
                   "@evil.example", "/@evil.example", "///evil.example",
                   "https:evil.example", "/\r\nX-Evil: 1"):
            b = Browser(self.rig)
            b.get("/login?return_to=" + urllib.parse.quote(to, safe=""))
            self.assertIn('name="return_to" value=""', b.page)
            reply = b.send("/login", email=address, password=PASSWORD,
                           return_to=to)
            self.goes(reply, "/me")
            self.assertNotIn("x-evil", reply.headers)
        b = Browser(self.rig)
        b.get("/login?return_to=/logout")
        self.assertIn('name="return_to" value="/logout"', b.page)
        self.goes(b.send("/login", email=address, password=PASSWORD,
                         return_to="/logout"), "/logout")

    # -- addresses --------------------------------------------------------

    def test_https_is_needed_elsewhere(self):
        b = Browser(self.rig, host="switchboard.example.com")
        self.assertEqual(b.get("/login").status, 403)
        self.assertIn("HTTPS", b.text())
        self.assertEqual(b.set, [])
        self.assertIsNone(b.token)
        self.goes(b.get("/me"), "/login")
        # localhost is 127.0.0.1 by another name
        b = Browser(self.rig, host=f"localhost:{self.rig.port}")
        self.assertEqual(b.get("/login").status, 200)
        self.goes(b.sign_in(self.person()), "/me")
        self.assertTrue(b.cookie.startswith("sb-"))

    # -- all else -----------------------------------------------------------

    def test_problems_are_pages(self):
        b = Browser(self.rig)
        reply = b.get("/nothing/here")
        self.assertEqual((reply.status, reply.headers["content-type"]),
                         (404, "text/html; charset=utf-8"))
        self.assertIn(reply.headers["x-request-id"], b.page)
        reply = b.ask("GET", "/nothing/here", headers={"Accept": "*/*"})
        self.assertEqual(reply.headers["content-type"],
                         "application/problem+json")
        reply = b.get("/api/v1/nothing")
        self.assertEqual(reply.headers["content-type"],
                         "application/problem+json")
        self.assertEqual(b.ask("DELETE", "/login").status, 405)
        self.spellings(self.signed_in())

    def spellings(self, b):
        """ROBUSTNESS D7: a page has one spelling."""
        self.assertEqual(b.get("/me").status, 200)
        bad = ["/%6de", "/m%65", "/%6D%65", "/%256de", "/me%20", "/me%09",
               "/me%0a", "/me%0d%0a", "/me%23", "/me%3f", "/me%3Fx", "/me;x",
               "/me;jsessionid=1", "/me.html", "/me.", "/me..", "/me/.",
               "/me/..;/me", "/..;/me", "/x/..;/me", "/.;/me", "/me%2e",
               "/me%2f", "/me%2F", "/me%5c", "/me\\", "/\\me", "/%5cme",
               "/%2fme", "/%2f%2fme", "/%2e/me", "/%2e%2e/me", "/x/%2e%2e/me",
               "/%252e%252e/me", "/./me", "/../me", "/x/../me", "/x/./../me",
               "//me", "///me", "/me//", "/me/", "/ME", "/Me", "/mE", "/me%00",
               "/me%00.css", "/%00me", "/me%c0%af", "/%c0%ae/me",
               "/%ef%bc%8fme", "/me%ff", "/login/../me", "/login/%2e%2e/me",
               "/assets/../me", "/assets/%2e%2e/me", "/static/../me",
               "/accounts/x/../../me", "/widget/../me",
               "/accounts/x/admin/../../../me", "/healthz/../me",
               "/api/../me", "/api/v1/../../me"]
        self.assertGreaterEqual(len(bad), 60)
        for path in bad:
            reply = b.ask("GET", path)
            self.assertIn(reply.status, (400, 401, 403, 404), path)
            self.assertNotIn("Where you are signed in", b.page, path)

    def test_the_style(self):
        b = Browser(self.rig)
        b.get("/login")
        path = re.search(r'href="(/assets/site-[0-9a-f]{8}\.css)"',
                         b.page).group(1)
        reply = b.get(path)
        self.assertEqual((reply.status, reply.headers["content-type"],
                          reply.headers["cache-control"]),
                         (200, "text/css; charset=utf-8",
                          "public, max-age=31536000, immutable"))
        # as it is, or as the build has compressed it
        for coding in ("gzip", "deflate, GZIP;q=0.5", "*;q=0.1, gzip;q=1"):
            packed = b.get(path, headers={"Accept-Encoding": coding})
            self.assertEqual((packed.headers["content-encoding"],
                              packed.headers["vary"]),
                             ("gzip", "Accept-Encoding"), coding)
            self.assertEqual(gzip.decompress(packed.body), reply.body)
        for coding in (None, "identity", "gzip;q=0", "gzip;q=0, x", "xgzip"):
            plain = b.get(path, headers={"Accept-Encoding": coding})
            self.assertEqual((plain.headers.get("content-encoding"),
                              plain.body), (None, reply.body), coding)
        self.assertEqual(b.get("/assets/site-00000000.css").status, 404)
        self.assertEqual(b.get("/assets/site.css").status, 404)
        b.get("/login")
        reply = b.get(SCRIPT.search(b.page).group(1))
        self.assertEqual((reply.status, reply.headers["content-type"],
                          reply.headers["cache-control"]),
                         (200, "text/javascript; charset=utf-8",
                          "public, max-age=31536000, immutable"))
        self.assertEqual(b.get("/assets/passkey-00000000.js").status, 404)
        # every other page has none, and lets none run
        reply = b.get("/password")
        self.assertEqual(reply.headers["content-security-policy"], CSP)
        self.assertNotIn("<script", b.page)

    def test_what_people_say_is_text(self):
        """ROBUSTNESS D8, D14."""
        for evil in ("<script>alert(1)</script>", '"><img src=x onerror=a>',
                     "{{me.email}}{%25s%n${7*7}", "' onfocus='a"):
            b = Browser(self.rig)
            b.get("/login")
            b.send("/login", email=evil, password="x" * 20)
            self.assertIn(f'value="{html.escape(evil)}"'.replace(
                "&#x27;", "&#39;"), b.page)
        address = self.person()
        b = Browser(self.rig)
        b.get("/login")
        b.send("/login", email=address, password=PASSWORD, headers={
            "User-Agent": "<script>alert(1)</script>{{x}}"})
        b.get("/me")
        self.assertIn("&lt;script&gt;alert(1)&lt;/script&gt;{{x}}", b.page)
        self.assertNotIn("<script", SCRIPT.sub("", b.page, 1))

    def test_guesses_are_slowed_down(self):
        """ROBUSTNESS C12: the same words whether it is a delay or a wrong
        password; who is signed in stays so."""
        address = self.person()
        live = self.signed_in(address)
        b = Browser(self.rig)
        for _ in range(6):
            b.get("/login")
            b.send("/login", email=address, password="x" * 20)
        wrong = b.text()
        reply = b.sign_in(address)
        self.assertEqual(reply.status, 401)
        self.assertEqual(b.text(), wrong)
        self.assertEqual(live.get("/me").status, 200)

    def test_broken_templates_are_told(self):
        path = self.rig.path("etc", "pages", "login.html")
        with open(path) as f:
            good = f.read()
        try:
            with open(path, "w") as f:
                f.write(good + "\n{{#never}}\n")
            n = good.count("\n") + 2
            done = subprocess.run(
                [self.rig.path("bin", "switchboardd"), "-t", "-c",
                 self.rig.conf], stderr=subprocess.PIPE, text=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(f"{path}:{n}: a section without an end",
                          done.stderr)
            # A worker that begins now has the pages of before.
            died, = self.rig.workers("admin worker")[:1]
            os.kill(died, signal.SIGKILL)
            wait_until(lambda: '"pages_refused"' in self.rig.log(), 10,
                       "the log says it")
            wait_until(lambda: len(self.rig.workers("admin worker")) == 2
                       and died not in self.rig.workers("admin worker"), 10,
                       "another worker")
            b = Browser(self.rig)
            self.everywhere(lambda: self.assertEqual(
                b.get("/login").status, 200))
        finally:
            with open(path, "w") as f:
                f.write(good)


class ApacheTest(unittest.TestCase):
    """The same behind the other web server."""

    def test_sign_in(self):
        rig = Rig("apache-pages", front="apache", params={
            "chat_workers": 1, "admin_workers": 2})
        try:
            rig.run("user", "create", "a@example.com", "--password-stdin",
                    stdin=PASSWORD)
            b = Browser(rig)
            self.assertEqual(b.get("/").status, 303)
            self.assertEqual(b.sign_in("a@example.com", "x" * 20).status, 401)
            reply = b.sign_in("a@example.com")
            self.assertEqual((reply.status, reply.headers["location"]),
                             (303, "/me"))
            reply = b.get("/me")
            self.assertEqual(reply.status, 200)
            self.assertEqual(reply.headers["content-security-policy"],
                             CSP_SCRIPT)
            self.assertEqual(b.send("/logout", token="x").status, 403)
            PagesTest.spellings(self, b)
            b.get("/me")
            style = re.search(r'href="(/assets/[^"]*)"', b.page).group(1)
            self.assertEqual(b.get(style).status, 200)
            kept = dict(b.jar)
            b.get("/me")
            self.assertEqual(b.send("/logout").status, 303)
            b.jar = kept
            for _ in range(8):
                self.assertEqual(b.get("/me").status, 303)
            self.assertEqual(b.get("/nothing").headers["content-type"],
                             "text/html; charset=utf-8")
        finally:
            rig.close()


class HttpsTest(unittest.TestCase):
    """TLS has ended before the web server that is in front of us."""

    def test_cookies_of_https(self):
        host = "switchboard.example.com"
        rig = Rig("https", params={"chat_workers": 1,
                                   "public_urls": f"https://{host}"})
        try:
            rig.run("user", "create", "a@example.com", "--password-stdin",
                    stdin=PASSWORD)
            b = Browser(rig, host=host)
            b.get("/login")
            reply = b.send("/login", email="a@example.com", password=PASSWORD,
                           headers={"Origin": f"http://{host}"})
            self.assertEqual(reply.status, 403)
            b.get("/login")
            reply = b.send("/login", email="a@example.com", password=PASSWORD,
                           headers={"Origin": f"https://{host}"})
            self.assertEqual((reply.status, reply.headers["location"]),
                             (303, "/me"))
            self.assertTrue(b.cookie.startswith("__Host-sb-"))
            for line in b.set:
                self.assertIn("; Secure", line)
            self.assertEqual(b.get("/me").status, 200)
            # A cookie without the prefix is not looked at here.
            b.jar = {b.cookie[len("__Host-"):]: b.jar[b.cookie]}
            self.assertEqual(b.get("/me").status, 303)
            # Nothing else is listed: not even this machine by its own name.
            b = Browser(rig)
            self.assertEqual(b.get("/login").status, 403)
            self.assertIn(f'href="https://{host}/login"', b.page)
        finally:
            rig.close()


if __name__ == "__main__":
    unittest.main()
