"""Who changed what: as the account's people read it, and as an export proves
it."""
import unittest

from rig import Rig

ROLES = {"viewer": 403, "support": 403, "analyst": 403, "agent_manager": 403,
         "account_admin": 200, "account_owner": 200}


class AuditTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = rig = Rig("audit", demo=False)
        for slug in ("watched", "other"):
            rig.run("account", "create", slug, "--tier", "enterprise")
        cls.keys = {role: rig.cli("key", "create", "watched", "--kind", "api",
                                  "--name", role, "--role", role)["key"]
                    for role in ROLES}
        cls.foreign = rig.cli("key", "create", "other", "--kind", "api",
                              "--name", "x")["key"]
        cls.owner = rig.auth(cls.keys["account_owner"])

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def read(self, query="", slug="watched", headers=None):
        return self.rig.get(f"/api/v1/accounts/{slug}/audit{query}",
                            headers=headers or self.owner)

    def test_who_may_read(self):
        for role, status in ROLES.items():
            reply = self.read(headers=self.rig.auth(self.keys[role]))
            self.assertEqual(reply.status, status, role)
        self.assertEqual(
            self.rig.get("/api/v1/accounts/watched/audit").status, 401)
        # Another account, and one that is not there, are the same.
        for slug in ("other", "nobody"):
            self.assertEqual(self.read(slug=slug).status, 404, slug)
        self.assertEqual(
            self.read(headers=self.rig.auth(self.foreign)).status, 404)

    def test_pages_and_filters(self):
        whole = self.read("?limit=200").json
        self.assertIsNone(whole["next"])
        rows = whole["data"]
        self.assertEqual([r["seq"] for r in rows],
                         list(range(len(rows), 0, -1)))
        for new, old in zip(rows, rows[1:]):
            self.assertEqual(new["previous"], old["hash"])
        self.assertEqual(rows[-1]["action"], "account.create")
        self.assertEqual(rows[-1]["after"]["tier"], "enterprise")
        self.assertEqual(rows[-1]["actor"]["kind"], "cli")
        # No key stands there, only what is shown of it.
        text = self.read("?limit=200").body.decode()
        for key in self.keys.values():
            self.assertNotIn(key, text)
            self.assertIn(key[:12], text)

        seen, after = [], ""
        while after is not None:
            page = self.read(f"?limit=3&after={after}" if after
                             else "?limit=3").json
            self.assertLessEqual(len(page["data"]), 3)
            seen += page["data"]
            after = page["next"]
        self.assertEqual(seen, rows)

        def count(query):
            return len(self.read("?limit=200&" + query).json["data"])

        self.assertEqual(count("action=account.create"), 1)
        self.assertEqual(count("action=api_key.*"), len(ROLES))
        self.assertEqual(count("actor_kind=user"), 0)
        self.assertEqual(count("object_kind=api_key&actor_kind=cli"),
                         len(ROLES))
        self.assertEqual(count(f"object_id={rows[0]['object']['id']}"), 1)
        self.assertEqual(count(f"since={rows[0]['at']}"), 1)
        self.assertEqual(count(f"until={rows[-1]['at']}"), 0)
        for bad in ("limit=0", "after=x", "after=0", "since=today",
                    "since=2026-13-01T00:00:00Z", "until=2026-01-01"):
            reply = self.read("?" + bad)
            self.assertIn(reply.status, (400, 422), bad)
            self.assertEqual(reply.headers["content-type"],
                             "application/problem+json")


if __name__ == "__main__":
    unittest.main()
