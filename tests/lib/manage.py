"""The management API for tests: a caller with a key, and short ways to ask."""
import json

BASE = "/api/v1/accounts/"
ROLES = ("viewer", "support", "analyst", "agent_manager", "account_admin",
         "account_owner")


class Caller:
    """Someone with a key and the account that he speaks of."""

    def __init__(self, rig, key, account="acme-healthcare"):
        self.rig, self.key, self.account = rig, key, account

    def of(self, account):
        return Caller(self.rig, self.key, account)

    def ask(self, method, path, body=None, **headers):
        """${path} below the account, or from the root if it begins with /."""
        sent = {k.replace("_", "-"): v for k, v in headers.items()}
        if self.key is not None:
            sent["Authorization"] = f"Bearer {self.key}"
        if not path.startswith("/"):
            path = BASE + self.account + ("/" + path if path else "")
        return self.rig.request(method, path, body, sent)

    def get(self, path="", **headers):
        return self.ask("GET", path, **headers)

    def post(self, path, body=None, **headers):
        return self.ask("POST", path, body, **headers)

    def patch(self, path, body, **headers):
        return self.ask("PATCH", path, body, **headers)

    def put(self, path, body, **headers):
        return self.ask("PUT", path, body, **headers)

    def delete(self, path, **headers):
        return self.ask("DELETE", path, **headers)

    def all(self, path, limit=200):
        """Every entry of a list, page by page."""
        found, after = [], None
        while True:
            sign = "&" if "?" in path else "?"
            page = self.get(f"{path}{sign}limit={limit}" + (
                f"&after={after}" if after else ""))
            assert page.status == 200, page
            found += page.json["data"]
            after = page.json["next"]
            if after is None:
                return found


def caller(rig, role, account="acme-healthcare"):
    """A caller with a new key of that role."""
    key = rig.cli("key", "create", account, "--kind", "api", "--name",
                  f"a {role}", "--role", role)["key"]
    return Caller(rig, key, account)


def member(rig, account, role, email):
    """A new person with that role in the account; the id."""
    rig.run("user", "create", email, "--account", account, "--role", role)
    (found,), = rig.sql(f"select id from users where email = '{email}'")
    return found


def pointers(reply):
    return sorted(e["pointer"] for e in reply.json.get("errors", []))


def pretty(reply):
    return json.dumps(reply.json, indent=1)
