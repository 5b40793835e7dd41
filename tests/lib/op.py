"""An OpenID provider for tests, on loopback, that lets everybody in at once and
can be told to misbehave.  Everything it was asked is in ${asked}."""
import base64
import hashlib
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature)

EVENT = "http://schemas.openid.net/event/backchannel-logout"


def b64(data):
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(n, size=None):
    return b64(n.to_bytes(size or (n.bit_length() + 7) // 8, "big"))


class Key:
    """A signing key and its JWK."""

    def __init__(self, alg="RS256", kid="k1"):
        self.alg, self.kid = alg, kid
        if alg[:2] in ("RS", "PS"):
            self.key = rsa.generate_private_key(65537, 2048)
        elif alg == "ES256":
            self.key = ec.generate_private_key(ec.SECP256R1())
        else:
            self.key = ed25519.Ed25519PrivateKey.generate()

    def jwk(self):
        public = self.key.public_key()
        jwk = {"use": "sig", "alg": self.alg, "kid": self.kid}
        if self.kid is None:
            del jwk["kid"]
        if self.alg[:2] in ("RS", "PS"):
            n = public.public_numbers()
            return dict(jwk, kty="RSA", n=number(n.n), e=number(n.e))
        if self.alg == "ES256":
            n = public.public_numbers()
            return dict(jwk, kty="EC", crv="P-256", x=number(n.x, 32),
                        y=number(n.y, 32))
        from cryptography.hazmat.primitives import serialization
        raw = public.public_bytes(serialization.Encoding.Raw,
                                  serialization.PublicFormat.Raw)
        return dict(jwk, kty="OKP", crv="Ed25519", x=b64(raw))

    def sign(self, data):
        hashed = hashes.SHA256()
        if self.alg == "RS256":
            return self.key.sign(data, padding.PKCS1v15(), hashed)
        if self.alg == "PS256":
            return self.key.sign(data, padding.PSS(
                padding.MGF1(hashed), 32), hashed)
        if self.alg == "ES256":
            r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(hashed)))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return self.key.sign(data)

    def token(self, claims, **head):
        head = dict({"alg": self.alg, "kid": self.kid}, **head)
        head = {k: v for k, v in head.items() if v is not None}
        text = f"{b64(json.dumps(head))}.{b64(json.dumps(claims))}"
        return f"{text}.{b64(self.sign(text.encode()))}"


def half_hash(text, alg="RS256"):
    hashed = hashlib.sha512 if alg == "EdDSA" else hashlib.sha256
    whole = hashed(text.encode()).digest()
    return b64(whole[:len(whole) // 2])


class OP:
    """${twist}(claims) may change the ID token's claims, ${token}(op, claims)
    make another token of them; ${changes} are members of the discovery document
    (None takes one away), ${answer} those of the authorization response."""

    def __init__(self, alg="RS256"):
        self.keys = [Key(alg)]
        self.signs = self.keys[0]
        self.client = ("switchboard", "a secret of: the/client+")
        self.person = {"sub": "subject-1", "email": "ann@acme.example",
                       "email_verified": True, "name": "Ann Example"}
        self.reset()
        self.codes, self.access = {}, {}
        op = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                op.serve(self, "")

            def do_POST(self):
                n = int(self.headers.get("Content-Length", 0))
                op.serve(self, self.rfile.read(n).decode())

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def reset(self):
        self.twist = lambda claims: claims
        self.token = lambda op, claims: op.signs.token(claims)
        self.user = lambda claims: claims
        self.changes, self.answer, self.asked = {}, {}, []
        self.token_status, self.token_changes = 200, {}
        self.in_id_token = True  # the person's claims

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def count(self, path):
        return sum(p == path for p, _ in self.asked)

    # -- what it serves --------------------------------------------------

    def document(self):
        doc = {"issuer": self.issuer,
               "authorization_endpoint": self.issuer + "/authorize",
               "token_endpoint": self.issuer + "/token",
               "userinfo_endpoint": self.issuer + "/userinfo",
               "jwks_uri": self.issuer + "/jwks",
               "end_session_endpoint": self.issuer + "/logout",
               "response_types_supported": ["code"],
               "subject_types_supported": ["public"],
               "id_token_signing_alg_values_supported": [
                   "RS256", "PS256", "ES256", "EdDSA"],
               "code_challenge_methods_supported": ["S256"],
               "token_endpoint_auth_methods_supported": [
                   "client_secret_basic", "client_secret_post"],
               "authorization_response_iss_parameter_supported": True,
               "backchannel_logout_supported": True,
               "backchannel_logout_session_supported": True}
        doc.update(self.changes)
        return {k: v for k, v in doc.items() if v is not None}

    def serve(self, h, body):
        url = urllib.parse.urlsplit(h.path)
        form = {k: v[0] for k, v in urllib.parse.parse_qs(
            body or url.query, keep_blank_values=True).items()}
        self.asked.append((url.path, form))
        headers = {}
        if url.path == "/.well-known/openid-configuration":
            status, said = 200, self.document()
        elif url.path == "/jwks":
            status, said = 200, {"keys": [k.jwk() for k in self.keys]}
        elif url.path == "/authorize":
            headers["Location"] = self.authorize(form)
            status, said = 302, {}
        elif url.path == "/token":
            status, said = self.exchange(h, form)
        elif url.path == "/userinfo":
            status, said = self.userinfo(h)
        else:
            status, said = 404, {}
        data = json.dumps(said).encode()
        h.send_response(status)
        for name, value in headers.items():
            h.send_header(name, value)
        h.send_header("Content-Type", "application/json")
        h.send_header("Content-Length", str(len(data)))
        h.end_headers()
        h.wfile.write(data)

    def authorize(self, form):
        """Where it leads back to; the person need not be asked."""
        code = b64(hashlib.sha256(str((time.monotonic_ns(), form)).encode())
                   .digest())
        self.codes[code] = dict(form)
        answer = {"code": code, "state": form.get("state"),
                  "iss": self.issuer}
        answer.update(self.answer)
        answer = {k: v for k, v in answer.items() if v is not None}
        return form["redirect_uri"] + "?" + urllib.parse.urlencode(answer)

    def known(self, h, form):
        """Did the client show its secret, in one way?"""
        want = self.client
        basic = h.headers.get("Authorization", "")
        if basic.startswith("Basic "):
            text = base64.b64decode(basic[6:]).decode()
            return tuple(urllib.parse.unquote(p)
                         for p in text.split(":", 1)) == want
        return (form.get("client_id"), form.get("client_secret")) == want

    def exchange(self, h, form):
        asked = self.codes.pop(form.get("code"), None)
        if self.token_status != 200:
            return self.token_status, {"error": "server_error"}
        if not self.known(h, form):
            return 401, {"error": "invalid_client"}
        challenge = b64(hashlib.sha256(
            form.get("code_verifier", "").encode()).digest())
        if (asked is None or asked.get("code_challenge_method") != "S256" or
                asked["code_challenge"] != challenge or
                asked["redirect_uri"] != form.get("redirect_uri")):
            return 400, {"error": "invalid_grant"}
        access = "at-" + b64(hashlib.sha256(form["code"].encode()).digest())
        self.access[access] = dict(self.person)
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.client[0], "iat": now,
                  "exp": now + 300, "nonce": asked["nonce"],
                  "sub": self.person["sub"], "sid": "sid-" + access[3:9],
                  "at_hash": half_hash(access, self.signs.alg)}
        if self.in_id_token:
            claims = dict(self.person, **claims)
        claims = self.twist(claims)
        said = {"access_token": access, "token_type": "Bearer",
                "expires_in": 300, "id_token": self.token(self, claims)}
        said.update(self.token_changes)
        return 200, {k: v for k, v in said.items() if v is not None}

    def userinfo(self, h):
        claims = self.access.get(h.headers.get("Authorization", "")[7:])
        if claims is None:
            return 401, {"error": "invalid_token"}
        return 200, self.user(dict(claims))

    # -- telling of a sign-out -------------------------------------------

    def logout_token(self, key=None, head=None, **claims):
        now = int(time.time())
        said = {"iss": self.issuer, "aud": self.client[0], "iat": now,
                "exp": now + 120, "jti": b64(str(time.monotonic_ns())),
                "events": {EVENT: {}}}
        said.update(claims)
        said = {k: v for k, v in said.items() if v is not None}
        return (key or self.signs).token(
            said, **dict({"typ": "logout+jwt"}, **(head or {})))
