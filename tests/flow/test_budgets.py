"""Budgets: what they are, that they are never exceeded, and that nothing is
forgotten: by the API, the command and real workers."""
import unittest

from manage import caller, pointers
from rig import NOBODY, Provider, Rig

DAY = {"name": "Day", "scope": "account", "period": "day", "unit": "tokens",
       "limit": 1000}


class BudgetApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = rig = Rig("budgets", env=cls.provider.env())
        cls.admin = caller(rig, "account_admin")
        rig.configure("sales/human_health", {
            "model_override": "openai:mock-echo", "model_fallback": False})

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def make(self, **other):
        made = self.admin.post("budgets", {**DAY, **other})
        self.assertEqual(made.status, 201, made)
        self.addCleanup(self.admin.delete, "budgets/" + made.json["id"])
        return made.json

    def test_a_budgets_life(self):
        self.rig.chat(message="used before there is a budget")
        before = self.admin.get("usage").json["totals"]
        b = self.make(soft_percent=80)
        self.assertEqual((b["limit"], b["hard"], b["status"]),
                         (1000, True, "active"))
        self.assertEqual(b["spent"], before["input_tokens"] +
                         before["output_tokens"])
        self.assertGreater(b["spent"], 0)
        self.assertEqual(b["left"], 1000 - b["spent"])
        self.assertRegex(b["resets_at"], "T00:00:00.000Z$")
        got = self.admin.get("budgets/" + b["id"])
        tag = got.headers["etag"]
        changed = self.admin.patch("budgets/" + b["id"], {"limit": 2000},
                                   If_Match=tag)
        self.assertEqual((changed.status, changed.json["limit"]), (200, 2000))
        self.assertEqual(self.admin.patch(
            "budgets/" + b["id"], {"limit": 3000}, If_Match=tag).status, 412)
        paused = self.admin.patch("budgets/" + b["id"], {"status": "paused"})
        self.assertEqual(paused.json["status"], "paused")
        self.assertEqual([x["id"] for x in self.admin.all(
            "budgets?status=paused")], [b["id"]])
        usd = self.make(name="Dollars", unit="usd", limit=12.5,
                        period="month", hard=False)
        self.assertEqual((usd["limit"], usd["hard"]), (12.5, False))
        self.assertEqual(self.admin.delete("budgets/" + usd["id"]).status, 204)
        self.assertEqual(self.admin.get("budgets/" + usd["id"]).status, 404)
        actions = [e["action"] for e in self.admin.get(
            "audit?object_kind=budget").json["data"]]
        self.assertLessEqual({"budget.create", "budget.update",
                              "budget.delete"}, set(actions))

    def test_what_is_refused(self):
        for wrong, where in (
                ({"limit": 0}, ["/limit"]), ({"limit": 1.5}, ["/limit"]),
                ({"unit": "eur"}, ["/unit"]),
                ({"scope": "agent"}, ["/subject_id"]),
                ({"subject_id": NOBODY}, ["/subject_id"]),
                ({"scope": "key", "subject_id": NOBODY}, ["/subject_id"]),
                ({"soft_percent": 101}, ["/soft_percent"])):
            reply = self.admin.post("budgets", {**DAY, **wrong})
            self.assertEqual((reply.status, pointers(reply)), (422, where),
                             wrong)
        viewer = caller(self.rig, "viewer")
        self.assertEqual(viewer.get("budgets").status, 200)
        self.assertEqual(viewer.post("budgets", DAY).status, 403)
        self.assertEqual(caller(self.rig, "support").get(
            "budgets").status, 403)

    def test_the_command(self):
        run = self.rig.run
        run("budget", "set", "acme-healthcare", "Mine", "--limit", "5.25",
            "--unit", "usd", "--period", "month", "--soft", "50", "--agent",
            "sales/human_health")
        run("budget", "set", "acme-healthcare", "Mine", "--limit", "7")
        mine, = [b for b in self.rig.cli("budget", "list", "acme-healthcare")[
            "data"] if b["name"] == "Mine"]
        self.assertEqual((mine["limit"], mine["scope"], mine["soft_percent"]),
                         (7, "agent", None))
        for wrong in (("--limit", "0"), ("--limit", "x"),
                      ("--limit", "7", "--unit", "tokens")):
            self.assertEqual(run("budget", "set", "acme-healthcare", "Mine",
                                 *wrong, check=False).returncode, 2, wrong)
        run("budget", "remove", "acme-healthcare", "Mine")
        self.assertEqual(run("budget", "remove", "acme-healthcare", "Mine",
                             check=False).returncode, 1)


if __name__ == "__main__":
    unittest.main()
