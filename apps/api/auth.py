"""Who is calling, and what may they do? Verifies the issuer's JWT access tokens (RFC 9068)."""

import json
import os
import threading
import time
from http.client import HTTPException as BrokenAnswer
from typing import Callable, Optional
from urllib.error import HTTPError
from urllib.request import urlopen

import jwt
from fastapi import Depends, HTTPException
from fastapi.security import OAuth2AuthorizationCodeBearer, SecurityScopes

ISSUER = os.environ.get("ANTEROOM_ISSUER", "http://localhost:4000")
AUDIENCE = os.environ.get("API_AUDIENCE", "http://localhost:8000")

# Fixed here and never taken from the token, so that neither `none` nor an HMAC with our public key as its
# secret gets through (RFC 8725 section 3.1).
ALGORITHMS = ["ES256", "RS256", "PS256", "EdDSA"]
REQUIRED_CLAIMS = ["exp", "iat", "sub", "client_id"]
CLOCK_SKEW_SECONDS = 10

KEYS_LIFESPAN_SECONDS = 600
REFETCH_INTERVAL_SECONDS = 10
FETCH_TIMEOUT_SECONDS = 5

SCOPES = {
    "api:read": "See what the API knows about you",
    "api:write": "Leave a mark in the API",
}

# Tells Swagger UI how to sign in. docs.py fills in the two addresses later: at import the issuer may not be
# running yet.
oauth2 = OAuth2AuthorizationCodeBearer(
    authorizationUrl=ISSUER, tokenUrl=ISSUER, scheme_name="Anteroom", scopes=SCOPES, auto_error=False
)


class IssuerUnavailable(Exception):
    """The issuer's discovery document or key set cannot be had just now. main.py answers 503."""


def discover() -> dict:
    """The issuer's description of itself (OpenID Connect Discovery 1.0, section 4.3)."""
    document = _fetch_json(f"{ISSUER}/.well-known/openid-configuration")
    if document.get("issuer") != ISSUER:
        raise IssuerUnavailable(f"The discovery document at {ISSUER} is about {document.get('issuer')}.")
    return document


def _fetch_json(url: str) -> dict:
    try:
        with urlopen(url, timeout=FETCH_TIMEOUT_SECONDS) as response:
            return json.load(response)
    except HTTPError as error:
        error.close()  # it holds the connection
        raise IssuerUnavailable(f"{url}: {error}") from error
    except (OSError, BrokenAnswer, ValueError) as error:
        raise IssuerUnavailable(f"{url}: {error}") from error


class IssuerKeys(jwt.PyJWKClient):
    """The issuer's signing keys, kept for ten minutes, fetched again when a token names an unknown one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(uri=ISSUER, cache_jwk_set=True, lifespan=KEYS_LIFESPAN_SECONDS)
        self._clock = clock
        self._lock = threading.Lock()
        self._refetch_after = clock()

    def fetch_data(self) -> dict:
        """Replaces PyJWT's own, which forgets the known keys when a fetch fails and in 2.6 waits for ever."""
        jwk_set = _fetch_json(discover()["jwks_uri"])
        # Raises for a set without a usable key, which must not take the place of a good one.
        jwt.PyJWKSet.from_dict(jwk_set)
        self.jwk_set_cache.put(jwk_set)
        return jwk_set

    def find(self, kid: str) -> Optional[jwt.PyJWK]:
        key = self.match_kid(self.get_signing_keys(), kid)
        if key is None and self._may_refetch():
            key = self.match_kid(self.get_signing_keys(refresh=True), kid)
        return key

    def _may_refetch(self) -> bool:
        """True once in ten seconds, so that made-up key ids do not make us flood the issuer."""
        with self._lock:
            due = self._clock() >= self._refetch_after
            if due:
                self._refetch_after = self._clock() + REFETCH_INTERVAL_SECONDS
            return due


issuer_keys = IssuerKeys()


def verify(token: str) -> dict:
    """The claims of a valid access token. Raises jwt.InvalidTokenError, or IssuerUnavailable."""
    header = jwt.get_unverified_header(token)
    # An ID token is signed by the same issuer: the type tells the two apart (RFC 9068 section 4).
    if str(header.get("typ")).lower() not in ("at+jwt", "application/at+jwt"):
        raise jwt.InvalidTokenError("not an access token")
    key = issuer_keys.find(str(header.get("kid")))
    if key is None:
        raise jwt.InvalidTokenError("unknown key")
    return jwt.decode(
        token,
        key.key,
        algorithms=ALGORITHMS,
        issuer=ISSUER,
        audience=AUDIENCE,
        leeway=CLOCK_SKEW_SECONDS,
        options={"require": REQUIRED_CLAIMS},
    )


def caller(needed: SecurityScopes, token: Optional[str] = Depends(oauth2)) -> dict:
    """The claims of the caller's access token, for `Security(caller, scopes=[...])`.

    A plain `def`: fetching keys blocks, so FastAPI runs this on a thread and not in its event loop.
    Answers are those of RFC 6750 section 3.1.
    """
    if not token:
        raise _refusal(401, "An access token is needed.", "Bearer")
    try:
        claims = verify(token)
    except (jwt.PyJWKClientError, jwt.PyJWKSetError) as error:
        raise IssuerUnavailable(f"{ISSUER} publishes no key that can be used.") from error
    # TypeError: the algorithm does not go with that kind of key. RecursionError: JSON nested too deep.
    except (jwt.PyJWTError, TypeError, ValueError, RecursionError) as error:
        # The name of the error and not its message, which may repeat what the token says.
        reason = f"The access token is not valid: {type(error).__name__}."
        raise _refusal(401, reason, 'Bearer error="invalid_token"') from error

    if not set(needed.scopes) <= set(claims.get("scope", "").split()):
        challenge = f'Bearer error="insufficient_scope", scope="{needed.scope_str}"'
        raise _refusal(403, f"This needs the scope {needed.scope_str}.", challenge)
    return claims


def _refusal(status: int, detail: str, challenge: str) -> HTTPException:
    return HTTPException(status, detail, {"WWW-Authenticate": challenge})
