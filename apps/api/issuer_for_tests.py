"""An issuer to test against: real keys and tokens, published over real HTTP."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

AUDIENCE = "http://api.test"
DISCOVERY = "/.well-known/openid-configuration"


class Issuer:
    """Publishes a discovery document and the public halves of its keys, and counts who asks for them."""

    def __init__(self) -> None:
        self.keys: dict = {}
        self.fetches = 0
        self.broken: set = set()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = self.name = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add_key(self, kid: str, private_key) -> None:
        self.keys[kid] = private_key

    def token(self, kid="ec", alg="ES256", typ="at+jwt", without="", **claims) -> str:
        now = int(time.time())
        payload = {
            "iss": self.url, "aud": AUDIENCE, "sub": "usr_ada", "client_id": "demo-web",
            "iat": now, "exp": now + 600, "scope": "api:read", **claims,
        }
        payload.pop(without, None)
        return jwt.encode(payload, self.keys[kid], algorithm=alg, headers={"kid": kid, "typ": typ})

    def _jwks(self) -> dict:
        return {"keys": [{"kid": kid, "use": "sig", **public_jwk(key)} for kid, key in self.keys.items()]}

    def _discovery(self) -> dict:
        return {
            "issuer": self.name,
            "jwks_uri": f"{self.url}/keys",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
        }

    def _handler(self) -> type:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetches += self.path == "/keys"
                self.send_response(503 if self.path in issuer.broken else 200)
                self.end_headers()
                body = issuer._jwks() if self.path == "/keys" else issuer._discovery()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *args) -> None:
                pass

        return Handler


def public_jwk(private_key) -> dict:
    public = private_key.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        x, y = (n.to_bytes(32, "big") for n in (public.public_numbers().x, public.public_numbers().y))
        return {"kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y)}
    if isinstance(public, rsa.RSAPublicKey):
        n = public.public_numbers().n.to_bytes(256, "big")
        return {"kty": "RSA", "n": b64(n), "e": "AQAB"}
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64_json(value: dict) -> str:
    return b64(json.dumps(value).encode())
