"""A small API that believes Anteroom's access tokens, and nothing else.

    python3 -m uvicorn --app-dir apps/api main:app

On Debian that is /usr/bin/python3 with the packages python3-fastapi, python3-uvicorn and python3-jwt.
"""

import logging
from collections import Counter

from fastapi import FastAPI, Request, Security
from fastapi.responses import JSONResponse

from auth import IssuerUnavailable, caller
from docs import add_docs

# FastAPI's own documentation is off: docs.py serves it without third parties.
app = FastAPI(title="Anteroom demo API", openapi_url=None, docs_url=None, redoc_url=None)
add_docs(app)

# Marks left, by subject. In memory, because this is a demo; a real API would have a table keyed by `sub`.
marks: Counter = Counter()


@app.get("/healthz", summary="Is the API running?")
def healthz() -> dict:
    return {"status": "ok"}


@app.get("/me", summary="What the API knows about you")
def me(claims: dict = Security(caller, scopes=["api:read"])) -> dict:
    return {
        "greeting": "Hello from the API. Your access token is good.",
        "sub": claims["sub"],
        "client_id": claims["client_id"],
        "scope": claims["scope"],
        "marks": marks[claims["sub"]],
    }


@app.post("/me/marks", summary="Leave a mark", status_code=201)
def leave_mark(claims: dict = Security(caller, scopes=["api:write"])) -> dict:
    marks[claims["sub"]] += 1
    return {"marks": marks[claims["sub"]]}


@app.exception_handler(IssuerUnavailable)
def issuer_unavailable(request: Request, error: IssuerUnavailable) -> JSONResponse:
    """Not 401: the caller's token may be perfectly good, only we cannot tell."""
    logging.getLogger(__name__).warning("%s", error)
    return JSONResponse({"detail": "The issuer cannot be reached just now."}, 503, {"Retry-After": "5"})
