"""The console: who sees which page, what it costs, that nothing changes by
looking, and that what people say is text (ROBUSTNESS C9, C10, D8, D14)."""
import html
import json
import re
import unittest

import console
from rig import NOBODY, Rig, wait_until
from test_pages import CSP_SCRIPT, Browser

ACCOUNT = "acme-healthcare"
ALL = set(console.ROLES)
ADMINS = {"account_admin", "account_owner"}
MANAGERS = ADMINS | {"agent_manager"}
# page below /admin: who sees it; {agent} and {session} are of the account
PAGES = {
    "": ALL,
    "?period=1h": ALL,
    "?period=90d": ALL,
    "agents": ALL,
    "agents?status=archived": ALL,
    "agents/new": MANAGERS,
    "agents/{agent}": ALL,
    "agents/{agent}/config": ALL,
    "agents/{agent}/versions": ALL,
    "agents/{agent}/versions?version=1": ALL,
    "sessions": ALL,
    "sessions?status=completed&agent={agent}": ALL,
    "sessions?status=failed&day=2026-01-01": ALL,
    "sessions/{session}": ALL,
    "keys": ADMINS,
}
EVIL = "<img src=x onerror=alert(1)>\"'{{slug}}</title><script>alert(1)//"


class ConsoleTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = rig = Rig("console", params={"chat_workers": 1,
                                               "admin_workers": 2})
        cls.addClassCleanup(rig.close)
        console.past(rig)
        cls.browsers = {}
        for role, email in console.people(rig).items():
            b = Browser(rig)
            assert b.sign_in(email, console.PASSWORD).status == 303, b.page
            cls.browsers[role] = b
        (cls.agent,), = rig.sql(
            "select i.id from agent_instances i join accounts a on a.id = "
            f"i.account_id where a.slug = '{ACCOUNT}' and "
            "i.instance_name = 'human_health'")
        (cls.session,), = rig.sql(
            "select s.id from sessions s join accounts a on a.id = "
            f"s.account_id where a.slug = '{ACCOUNT}' order by s.id limit 1")

    def path(self, page, account=ACCOUNT):
        sep = "/" if page and page[0] != "?" else ""
        return f"/accounts/{account}/admin{sep}" + page.format(
            agent=self.agent, session=self.session)

    def see(self, role, page, status=200, **kw):
        b = self.browsers[role]
        reply = b.get(self.path(page), **kw)
        self.assertEqual(reply.status, status, (role, page, b.text()[-600:]))
        return b

    def test_who_sees_what(self):
        for page, roles in PAGES.items():
            for role in console.ROLES:
                self.see(role, page, 200 if role in roles else 403)

    def test_strangers(self):
        outside = Browser(self.rig)
        for page in PAGES:
            path = self.path(page)
            reply = outside.get(path)
            self.assertEqual((reply.status, reply.headers["location"][:6]),
                             (303, "/login"), path)
            # another account is as if it were not there
            for slug in ("globex", "nobody-here"):
                reply = self.browsers["account_owner"].get(
                    self.path(page, slug))
                self.assertEqual(reply.status, 404, (slug, page))
            # what is of machines opens no page
            reply = outside.get(path, headers=self.rig.auth())
            self.assertEqual(reply.status, 403, path)
        for kind in ("agent", "session"):
            for page in PAGES:
                if "/{%s}" % kind in page:
                    reply = self.browsers["account_owner"].get(
                        self.path(page.replace("{%s}" % kind, NOBODY)))
                    self.assertEqual(reply.status, 404, page)

    def test_each_page(self):
        """Its policy, its cost, nothing inline, only what the role may."""
        for page in PAGES:
            b = self.see("account_owner", page)
            reply = b.get(self.path(page))
            self.assertEqual(reply.headers["content-security-policy"],
                             CSP_SCRIPT)
            self.assertEqual(reply.headers["cache-control"], "no-store")
            cost = re.match(r'db;dur=[\d.]+;desc="(\d+) queries, (\d+) rows",'
                            r' total;dur=[\d.]+$',
                            reply.headers["server-timing"])
            self.assertLessEqual(int(cost.group(1)), 8, page)
            self.assertIn(f"<!-- {cost.group(1)} queries, "
                          f"{cost.group(2)} rows, ", b.page)
            for bad in (" style=", "<style", " onclick", "javascript:",
                        "hx-on", "http://", "https://"):
                self.assertNotIn(bad, b.page.replace(
                    "http://www.w3.org/2000/svg", ""), page)
            self.assertEqual(len(re.findall("<script", b.page)), 2, page)
            self.assertNotIn("{{", b.page)
            self.assertNotRegex(b.page, "<h1>\\s*</h1>")

    def test_the_menu(self):
        for role, b in self.browsers.items():
            self.see(role, "")
            for href in re.findall(r'class="place" href="([^"]*)"', b.page):
                self.assertEqual(b.get(href).status, 200, (role, href))
                b.get(self.path(""))

    def test_looking_changes_nothing(self):
        def state():
            return self.rig.sql(
                "select (select count(*) from audit_log), "
                "(select md5(string_agg(i::text, '' order by i.id)) from "
                "agent_instances i), (select count(*) from api_keys), "
                "(select count(*) from memberships)")
        before = state()
        for page in PAGES:
            self.see("account_owner", page)
            self.browsers["account_owner"].ask("HEAD", self.path(page))
        self.assertEqual(state(), before)

    def test_how_it_looks(self):
        """Light and dark, the language: kept; without a token: not."""
        b = self.see("account_owner", "")
        self.assertNotIn("data-bs-theme", b.page)
        reply = b.send("/me/appearance", theme="dark",
                       return_to=self.path(""))
        self.assertEqual((reply.status, reply.headers["location"]),
                         (303, self.path("")))
        self.assertIn('<html lang="en" data-bs-theme="dark">',
                      self.see("account_owner", "").page)
        b.send("/me/appearance", lang="de")
        self.assertIn("<h1>Übersicht</h1>", self.see("account_owner",
                                                     "").page)
        b.send("/me/appearance", lang="auto", theme="auto")
        self.assertIn("<h1>Dashboard</h1>", self.see("account_owner",
                                                     "").page)
        self.assertNotIn("data-bs-theme", b.page)
        self.assertIn("<h1>Übersicht</h1>", self.see(
            "account_owner", "", headers={
                "Accept-Language": "de-CH, en;q=0.5"}).page)
        self.assertEqual(b.send("/me/appearance", token="x",
                                theme="dark").status, 403)
        self.see("account_owner", "")
        self.assertEqual(b.send("/me/appearance", theme="'><b>").status, 303)
        self.see("account_owner", "")
        reply = b.send("/me/appearance", return_to="https://evil.example/")
        self.assertEqual(reply.headers["location"], "/me")

    def test_the_slash(self):
        b = self.browsers["viewer"]
        reply = b.get(self.path("") + "/")
        self.assertEqual((reply.status, reply.headers["location"]),
                         (303, self.path("")))
        self.assertEqual(b.get("/accounts//").status, 404)

    def test_the_dashboard(self):
        def figures(period):
            page = self.see("analyst", f"?period={period}").page
            api = self.browsers["analyst"].ask(
                "GET", f"/api/v1/accounts/{ACCOUNT}/overview?period={period}")
            return page, api.json
        for period in ("1h", "24h", "7d", "30d", "90d"):
            page, o = figures(period)
            sums = [sum(r["requests"] for r in o[part])
                    for part in ("series", "agents", "models")]
            self.assertEqual(sums, [o["totals"]["requests"]] * 3, period)
            self.assertGreater(o["totals"]["requests"], 0)
            self.assertEqual(page.count('role="img"'), 6)
            self.assertIn('aria-current="page">', page)
        self.assertGreater(o["before"]["requests"], 0)
        # what is no period is the usual one
        self.see("analyst", "?period=%00")
        self.see("analyst", "?period=7y")
        # who may see no usage is told so
        b = self.see("support", "")
        self.assertIn("Your role shows no usage here", b.page)
        self.assertNotIn("svg class=\"wide", b.page)

    # -- changing ---------------------------------------------------------

    def send(self, who, on, path, want, **fields):
        """The form of the page ${on}, sent to ${path}."""
        b = self.see(who, on)
        reply = b.send(self.path(path), **fields)
        self.assertEqual(reply.status, want, (path, b.text()[-900:]))
        return b, reply.headers.get("location")

    def audited(self, action):
        return int(self.rig.sql(
            "select count(*) from audit_log l join accounts a on a.id = "
            f"l.account_id where a.slug = '{ACCOUNT}' and "
            f"action = '{action}'")[0][0])

    def test_agents(self):
        role, done = "agent_manager", self.audited("agent.create")
        b, to = self.send(role, "agents/new", "agents/new", 303,
                          agent_type="sales", instance_name="made_here",
                          display_name="Made <here>")
        self.assertEqual(self.audited("agent.create"), done + 1)
        self.assertRegex(to, r"/admin/agents/[0-9a-f-]{36}\?done=agent_made$")
        self.assertEqual(b.get(to).status, 200)
        self.assertIn("Made &lt;here&gt;", b.page)
        self.assertIn("The agent is there.", b.page)
        one = to.split("/admin/")[1].split("?")[0]
        # what is wrong stands at its field, and what was typed stays
        b, _ = self.send(role, "agents/new", "agents/new", 422,
                         agent_type="sales", instance_name="No Good",
                         display_name="Kept")
        self.assertRegex(b.page, 'value="No Good"[^>]*aria-invalid="true"')
        self.assertIn('value="Kept"', b.page)
        b, _ = self.send(role, "agents/new", "agents/new", 409,
                         agent_type="sales", instance_name="made_here")
        self.assertIn('role="alert"', b.page)
        self.send(role, "agents/new", "agents/new", 422,
                  agent_type="nothing", instance_name="x")
        for state in ("inactive", "active", "archived", "active"):
            _, to = self.send(role, one, one, 303, status=state)
            self.assertEqual(self.rig.sql(
                "select status from agent_instances where instance_name = "
                "'made_here'"), [[state]])
        self.send(role, one, one, 303, display_name="Another name")
        self.assertIn("<h1>Another name</h1>", self.see(role, one).page)
        self.send(role, one, one, 422, display_name="x" * 201)
        # who may only look, and what no page of ours has sent
        self.send("viewer", "agents", one, 403, status="archived")
        self.send(role, one, one, 403, status="archived", token="x")
        self.send(role, one, one, 403, status="archived",
                  headers={"Origin": "https://evil.example"})
        self.assertEqual(self.rig.sql(
            "select status, display_name from agent_instances where "
            "instance_name = 'made_here'"), [["active", "Another name"]])

    def test_configuration(self):
        role, page = "agent_manager", "agents/{agent}/config"

        def state():
            found = re.search(r'name="state" value="([^"]*)"',
                              self.browsers[role].page).group(1)
            return html.unescape(found)

        def stored():
            return json.loads(self.rig.sql(
                "select configuration from agent_instances where id = "
                f"'{self.agent}'")[0][0])
        before = stored()
        self.see(role, page)
        first = state()
        b, to = self.send(role, page, page, 303, do="save", state=first,
                          **{"as": "form"}, max_tokens="777",
                          max_requests_per_minute="60",
                          system_prompt_override="Be <brief>.")
        self.assertEqual(b.get(to).status, 200)
        self.assertRegex(b.text(), r"live in +(\d)/\1 +workers, \d+ ms")
        self.assertEqual(stored(), {
            **before, "max_tokens": 777, "system_prompt_override":
            "Be <brief>.", "rate_limits": {
                **before.get("rate_limits", {}),
                "max_requests_per_minute": 60}})
        self.assertIn("Be &lt;brief&gt;.", b.page)
        # somebody else was first: told, and nothing lost
        b, _ = self.send(role, page, page, 412, do="save", state=first,
                         **{"as": "json"}, json='{"max_tokens": 778}')
        self.assertIn("Somebody else has saved meanwhile.", b.text())
        self.assertIn("&quot;max_tokens&quot;: 778", b.page)
        self.assertNotEqual(state(), first)
        reply = b.send(self.path(page), do="save", state=state(),
                       **{"as": "json"}, json='{"max_tokens": 778}')
        self.assertEqual(reply.status, 303)
        self.assertEqual(stored(), {"max_tokens": 778})
        # what is wrong stands at its field and is not stored
        for do in ("save", "preview"):
            b, _ = self.send(role, page, page, 422, do=do, **{"as": "form"},
                             state="*", max_tokens="many", temperature="9")
            for name in ("max_tokens", "temperature"):
                self.assertRegex(
                    b.page, f'id="{name}"[^>]*aria-invalid="true"')
            self.assertIn('value="many"', b.page)
        b, _ = self.send(role, page, page, 422, do="save", **{"as": "json"},
                         state="*", json='{"max_tokens": ')
        self.assertIn("{&quot;max_tokens&quot;: </textarea>", b.page)
        b, _ = self.send(role, page, page, 200, do="preview",
                         **{"as": "json"}, json='{"max_tokens": 1234}')
        self.assertIn("&quot;max_tokens&quot;: 1234", b.page)
        self.assertEqual(stored(), {"max_tokens": 778})
        # back to the first version
        versions = "agents/{agent}/versions"
        self.assertIn("777", self.see(role, versions + "?version=2").text())
        self.send(role, versions, versions + "/1/restore", 303)
        self.assertEqual(stored(), before)
        self.send(role, versions, versions + "/99/restore", 404)
        self.send(role, versions, versions + "/1/restore", 403, token="x")
        self.send("viewer", page, page, 403, do="save", state="*",
                  **{"as": "json"}, json="{}")
        self.assertEqual(stored(), before)

    def test_keys(self):
        role = "account_admin"
        b, _ = self.send(role, "keys", "keys", 200, name="a <program>",
                         role="support", days="30")
        key = re.search('<pre id="new-key">(sb_live_[^<]+)</pre>', b.page)
        reply = self.rig.chat(key=key.group(1))
        self.assertEqual(reply.status, 200, reply)
        b = self.see(role, "keys")
        self.assertNotIn(key.group(1), b.page)
        self.assertIn("a &lt;program&gt;", b.page)
        (kid,), = self.rig.sql("select id from api_keys where name = "
                               "'a <program>'")
        b, _ = self.send(role, "keys", f"keys/{kid}/rotate", 200)
        new = re.search('<pre id="new-key">(sb_live_[^<]+)</pre>', b.page)
        wait_until(lambda: self.rig.chat(key=key.group(1)).status == 401, 2,
                   "the old key is refused")
        self.assertEqual(self.rig.chat(key=new.group(1)).status, 200)
        (kid,), = self.rig.sql("select id from api_keys where name = "
                               "'a <program>' and revoked_at is null and "
                               "expires_at > now()")
        _, to = self.send(role, "keys", f"keys/{kid}/revoke", 303)
        self.assertIn("The key is revoked.", b.get(to) and b.page)
        wait_until(lambda: self.rig.chat(key=new.group(1)).status == 401, 2,
                   "the revoked key is refused")
        # nobody gives more than he has
        b, _ = self.send(role, "keys", "keys", 403, name="x",
                         role="account_owner")
        self.assertIn('role="alert"', b.page)
        self.send(role, "keys", "keys", 422, name="", role="viewer")
        self.send(role, "keys", "keys", 403, name="x", role="viewer",
                  token="")
        self.send("viewer", "agents", "keys", 403, name="x", role="viewer")
        for what in ("revoke", "rotate"):
            self.send(role, "keys", f"keys/{NOBODY}/{what}", 404)
            self.send(role, "keys", f"keys/x/{what}", 404)

    def test_what_was_said(self):
        b = self.see("support", "sessions/{session}")
        said = b.text()
        self.assertIn("How do I book an appointment for next week?", said)
        self.assertIn("And on Saturdays?", said)

    def test_what_people_say_is_text(self):
        rig = self.rig
        rig.sql("update accounts set name = 'A " + EVIL.replace("'", "''") +
                f"' where slug = '{ACCOUNT}'")
        rig.sql("update agent_instances set display_name = 'B " +
                EVIL.replace("'", "''") + f"' where id = '{self.agent}'")
        rig.sql("update users set display_name = 'C " +
                EVIL.replace("'", "''") +
                "' where email = 'account_owner@example.com'")
        rig.chat(message="D " + EVIL, session_key="evil:" + "e" * 20)
        for page in PAGES:
            b = self.see("account_owner", page)
            self.assertNotIn("<img", b.page, page)
            self.assertNotIn("<script>", b.page, page)
            self.assertIn("A &lt;img src=x", b.page, page)


if __name__ == "__main__":
    unittest.main()
