"""A rig with widget keys, for tests of what pages do; JSON Web Tokens made by
hand."""
import base64
import hashlib
import hmac
import json
import unittest

from manage import caller
from rig import Provider, Rig

ORIGIN = "https://shop.example"
OTHER = "https://blog.example"
ACCOUNT = "/accounts/acme-healthcare"
TOKEN = ACCOUNT + "/widget/token"
PER_MINUTE = 200


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def head_of(token):
    return json.loads(unb64(token.split(".")[0]))


def claims_of(token):
    return json.loads(unb64(token.split(".")[1]))


def signed(head, claims, key, digest=hashlib.sha256):
    text = b64(json.dumps(head).encode()) + "." + b64(
        json.dumps(claims).encode())
    return text + "." + b64(hmac.new(key, text.encode(), digest).digest())


class WidgetCase(unittest.TestCase):
    """A rig with a widget key for two origins and every agent."""
    NAME, PARAMS = "widget", {}

    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = Rig(cls.NAME, env=cls.provider.env(), params=dict({
            "chat_workers": 2, "widget_per_minute": PER_MINUTE,
            "widget_session_per_minute": PER_MINUTE}, **cls.PARAMS))
        cls.rig.configure("sales/human_health", {
            "model_override": "openai:mock-echo", "model_fallback": False})
        cls.owner = caller(cls.rig, "account_owner")
        cls.key_id, cls.key = cls.widget_key()

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    @classmethod
    def widget_key(cls, who=None, **more):
        made = (who or cls.owner).post("widget-keys", dict({
            "name": "shop", "allowed_origins": [ORIGIN, OTHER,
                                                "http://localhost:*"]},
            **more))
        assert made.status == 201, made
        return made.json["id"], made.json["key"]

    def ask(self, key=None, origin=ORIGIN, body=None, path=TOKEN, **more):
        headers = {"X-Widget-Key": key or self.key}
        if origin is not None:
            headers["Origin"] = origin
        return self.rig.request("POST", path, body, dict(headers, **more))

    def token(self, *args, **kw):
        reply = self.ask(*args, **kw)
        self.assertEqual(reply.status, 200, reply)
        return reply.json["token"]

    @staticmethod
    def bearer(token, origin=ORIGIN):
        headers = {"Authorization": f"Bearer {token}"}
        if origin is not None:
            headers["Origin"] = origin
        return headers

    def chat(self, token, origin=ORIGIN, **kw):
        return self.rig.chat(headers=self.bearer(token, origin), **kw)
