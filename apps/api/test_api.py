"""The API against an issuer of its own.

    cd apps/api && /usr/bin/python3 -m unittest
"""

import base64
import hmac
import json
import logging
import os
import socket
import tempfile
import time
import unittest
from unittest.mock import patch

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from fastapi.testclient import TestClient

from issuer_for_tests import AUDIENCE, DISCOVERY, Issuer, b64, b64_json

issuer = Issuer()
issuer.add_key("ec", ec.generate_private_key(ec.SECP256R1()))
issuer.add_key("rsa", rsa.generate_private_key(public_exponent=65537, key_size=2048))
issuer.add_key("ed", ed25519.Ed25519PrivateKey.generate())

# The app reads its settings when it is imported. The empty folder stands in for Swagger UI's files.
swagger_ui = tempfile.TemporaryDirectory()
os.environ.update(ANTEROOM_ISSUER=issuer.url, API_AUDIENCE=AUDIENCE, SWAGGER_UI_DIR=swagger_ui.name)
import auth
import main

# Issuers in trouble are the subject here, not news.
logging.disable(logging.CRITICAL)


class ApiTest(unittest.TestCase):
    def setUp(self) -> None:
        issuer.broken.clear()
        self.now = 1000.0
        keys = patch.object(auth, "issuer_keys", auth.IssuerKeys(clock=lambda: self.now))
        keys.start()
        self.addCleanup(keys.stop)
        self.api = TestClient(main.app)

    def me(self, token: str):
        return self.api.get("/me", headers={"Authorization": f"Bearer {token}"})

    def assert_refused(self, token: str) -> None:
        answer = self.me(token)
        self.assertEqual(answer.status_code, 401, answer.text)
        self.assertEqual(answer.headers["www-authenticate"], 'Bearer error="invalid_token"')


class AccessTokens(ApiTest):
    def test_a_good_token_is_greeted_with_its_subject_client_and_scope(self) -> None:
        answer = self.me(issuer.token())
        self.assertEqual(answer.status_code, 200, answer.text)
        self.assertEqual(answer.json()["sub"], "usr_ada")
        self.assertEqual(answer.json()["client_id"], "demo-web")
        self.assertEqual(answer.json()["scope"], "api:read")

    def test_every_algorithm_an_api_may_register_is_accepted(self) -> None:
        for kid, alg in [("ec", "ES256"), ("rsa", "RS256"), ("rsa", "PS256"), ("ed", "EdDSA")]:
            with self.subTest(alg):
                self.assertEqual(self.me(issuer.token(kid=kid, alg=alg)).status_code, 200)

    def test_without_a_token_the_answer_is_401_with_a_bare_challenge(self) -> None:
        for headers in [{}, {"Authorization": "Basic YWRhOng="}, {"Authorization": "Bearer"}]:
            with self.subTest(headers):
                answer = self.api.get("/me", headers=headers)
                self.assertEqual(answer.status_code, 401)
                self.assertEqual(answer.headers["www-authenticate"], "Bearer")

    def test_an_id_token_is_not_an_access_token(self) -> None:
        self.assert_refused(issuer.token(kid="rsa", alg="RS256", typ="JWT"))

    def test_a_token_for_another_api_is_refused(self) -> None:
        self.assert_refused(issuer.token(aud="http://other-api.test"))

    def test_a_token_of_another_issuer_is_refused(self) -> None:
        self.assert_refused(issuer.token(iss="http://evil.test"))

    def test_a_token_is_refused_once_it_has_expired_beyond_ten_seconds_of_skew(self) -> None:
        now = int(time.time())
        self.assertEqual(self.me(issuer.token(exp=now - 5)).status_code, 200)
        self.assert_refused(issuer.token(exp=now - 15))

    def test_a_token_that_lacks_a_claim_is_refused(self) -> None:
        for claim in ["iss", "aud", "exp", "iat", "sub", "client_id"]:
            with self.subTest(claim):
                self.assert_refused(issuer.token(without=claim))

    def test_a_token_signed_with_none_is_refused(self) -> None:
        _, payload, _ = issuer.token().split(".")
        for alg in ["none", "None", "NONE"]:
            header = b64_json({"alg": alg, "typ": "at+jwt", "kid": "ec"})
            self.assert_refused(f"{header}.{payload}.")

    def test_a_token_signed_with_our_public_key_as_an_hmac_secret_is_refused(self) -> None:
        _, payload, _ = issuer.token().split(".")
        signed = f"{b64_json({'alg': 'HS256', 'typ': 'at+jwt', 'kid': 'rsa'})}.{payload}"
        secret = issuer.keys["rsa"].public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.assert_refused(f"{signed}.{b64(hmac.digest(secret, signed.encode(), 'sha256'))}")

    def test_a_tampered_token_is_refused(self) -> None:
        header, payload, signature = issuer.token().split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        self.assert_refused(f"{header}.{b64_json({**claims, 'sub': 'usr_eve'})}.{signature}")

    def test_a_token_whose_algorithm_does_not_fit_its_key_is_refused(self) -> None:
        header, payload, signature = issuer.token(kid="rsa", alg="RS256").split(".")
        for kid in ["ec", "ed"]:
            other = b64_json({"alg": "RS256", "typ": "at+jwt", "kid": kid})
            self.assert_refused(f"{other}.{payload}.{signature}")

    def test_rubbish_is_refused_and_never_a_500(self) -> None:
        deep = b64(b"[" * 5000)
        not_an_object = b64(b"[]")
        for token in ["x", "a.b.c", "...", "é.é.é", "e30.e30.", f"{deep}.e30.", f"{not_an_object}.e30."]:
            with self.subTest(token[:20]):
                answer = self.api.get("/me", headers={b"Authorization": f"Bearer {token}".encode()})
                self.assertEqual(answer.status_code, 401)
        good = {"alg": "ES256", "typ": "at+jwt", "kid": "ec"}
        for header in [{"kid": 7}, {"kid": None}, {"kid": ["ec"]}, {"typ": 1}, {"alg": 5}, {"alg": None}]:
            with self.subTest(header):
                self.assert_refused(f"{b64_json({**good, **header})}.e30.e30")
        for missing in good:
            with self.subTest(missing):
                self.assert_refused(f"{b64_json({k: v for k, v in good.items() if k != missing})}.e30.e30")


class Scopes(ApiTest):
    def test_a_token_without_the_scope_is_told_which_one_it_needs(self) -> None:
        for method, path, scope, needed in [
            ("GET", "/me", "api:write", "api:read"),
            ("GET", "/me", "", "api:read"),
            ("POST", "/me/marks", "api:read", "api:write"),
        ]:
            with self.subTest(path):
                headers = {"Authorization": f"Bearer {issuer.token(scope=scope)}"}
                answer = self.api.request(method, path, headers=headers)
                self.assertEqual(answer.status_code, 403)
                challenge = f'Bearer error="insufficient_scope", scope="{needed}"'
                self.assertEqual(answer.headers["www-authenticate"], challenge)

    def test_a_scope_is_a_whole_word(self) -> None:
        self.assertEqual(self.me(issuer.token(scope="api:readwrite xapi:read")).status_code, 403)

    def test_a_writer_leaves_marks_that_only_they_see(self) -> None:
        tokens = [issuer.token(sub=sub, scope="api:read api:write") for sub in ["usr_ada", "usr_bob"]]
        ada, bob = ({"Authorization": f"Bearer {token}"} for token in tokens)
        self.assertEqual(self.api.post("/me/marks", headers=ada).json(), {"marks": 1})
        self.assertEqual(self.api.get("/me", headers=ada).json()["marks"], 1)
        self.assertEqual(self.api.get("/me", headers=bob).json()["marks"], 0)


class Keys(ApiTest):
    def test_the_key_set_is_fetched_once_for_many_tokens(self) -> None:
        before = issuer.fetches
        for _ in range(5):
            self.assertEqual(self.me(issuer.token()).status_code, 200)
        self.assertEqual(issuer.fetches - before, 1)

    def test_a_key_published_after_our_last_look_is_found(self) -> None:
        self.assertEqual(self.me(issuer.token()).status_code, 200)
        issuer.add_key("next", ec.generate_private_key(ec.SECP256R1()))
        self.addCleanup(issuer.keys.pop, "next")
        self.assertEqual(self.me(issuer.token(kid="next")).status_code, 200)

    def test_made_up_key_ids_cause_one_fetch_in_ten_seconds(self) -> None:
        self.assertEqual(self.me(issuer.token()).status_code, 200)
        before = issuer.fetches
        _, payload, signature = issuer.token().split(".")
        for seconds, fetches in [(0, 1), (9.9, 1), (10, 2), (19.9, 2), (20, 3)]:
            self.now = 1000 + seconds
            for n in range(3):
                header = b64_json({"alg": "ES256", "typ": "at+jwt", "kid": f"made-up-{seconds}-{n}"})
                self.assert_refused(f"{header}.{payload}.{signature}")
            self.assertEqual(issuer.fetches - before, fetches, f"after {seconds} s")

    def test_an_issuer_in_trouble_is_503_until_it_recovers(self) -> None:
        for path in [DISCOVERY, "/keys"]:
            with self.subTest(path):
                issuer.broken.add(path)
                answer = self.me(issuer.token())
                self.assertEqual(answer.status_code, 503)
                self.assertIn("retry-after", answer.headers)
                self.assertNotIn("www-authenticate", answer.headers)
        issuer.broken.clear()
        self.assertEqual(self.me(issuer.token()).status_code, 200)

    def test_an_issuer_without_a_usable_key_or_by_another_name_is_503(self) -> None:
        token = issuer.token()
        for wrong in [{"keys": {}}, {"name": "http://evil.test"}]:
            with self.subTest(wrong), patch.multiple(issuer, **wrong):
                self.assertEqual(self.me(token).status_code, 503)

    def test_a_fetch_that_fails_leaves_the_known_keys_alone(self) -> None:
        self.assertEqual(self.me(issuer.token()).status_code, 200)
        issuer.broken.add("/keys")
        _, payload, signature = issuer.token().split(".")
        header = b64_json({"alg": "ES256", "typ": "at+jwt", "kid": "made-up"})
        self.assertEqual(self.me(f"{header}.{payload}.{signature}").status_code, 503)
        self.assertEqual(self.me(issuer.token()).status_code, 200)

    def test_an_issuer_that_is_gone_or_never_answers_is_503(self) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            token = issuer.token()
            address = f"http://127.0.0.1:{silent.getsockname()[1]}"
            with patch.multiple(auth, ISSUER=address, FETCH_TIMEOUT_SECONDS=0.2):
                self.assertEqual(self.me(token).status_code, 503)  # refuses connections
                silent.listen()
                self.assertEqual(self.me(token).status_code, 503)  # accepts them and says nothing


class Docs(ApiTest):
    def test_the_page_signs_in_with_pkce_for_this_api_and_loads_nothing_from_elsewhere(self) -> None:
        page = self.api.get("/docs").text
        self.assertIn('"usePkceWithAuthorizationCodeGrant": true', page)
        self.assertIn(f'"resource": "{AUDIENCE}"', page)
        self.assertNotIn("https://", page)
        self.assertEqual(self.api.get("/docs/oauth2-redirect").status_code, 200)

    def test_the_schema_names_the_issuers_endpoints_and_each_scope(self) -> None:
        schema = self.api.get("/openapi.json").json()
        flow = schema["components"]["securitySchemes"]["Anteroom"]["flows"]["authorizationCode"]
        self.assertEqual(flow["authorizationUrl"], f"{issuer.url}/authorize")
        self.assertEqual(flow["tokenUrl"], f"{issuer.url}/token")
        self.assertEqual(set(flow["scopes"]), {"api:read", "api:write"})
        self.assertEqual(schema["paths"]["/me/marks"]["post"]["security"], [{"Anteroom": ["api:write"]}])

    def test_the_schema_waits_for_the_issuer_and_health_does_not(self) -> None:
        issuer.broken.add(DISCOVERY)
        self.assertEqual(self.api.get("/openapi.json").status_code, 503)
        self.assertEqual(self.api.get("/healthz").json(), {"status": "ok"})
