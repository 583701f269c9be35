"""Documentation at /docs, whose Authorize button signs in at the issuer (authorization code with PKCE)."""

import os
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html, get_swagger_ui_oauth2_redirect_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from auth import AUDIENCE, discover

# A public client: a page in a browser cannot keep a secret. Its redirect URI is /docs/oauth2-redirect.
CLIENT_ID = os.environ.get("SWAGGER_CLIENT_ID", "demo-api-docs")

# Swagger UI itself, from the npm package swagger-ui-dist. Without the folder FastAPI's default applies, a
# public CDN, which closed networks cannot reach and which learns who reads these pages.
HERE = Path(__file__).resolve().parent
ASSETS = Path(os.environ.get("SWAGGER_UI_DIR", HERE / "../../node_modules/swagger-ui-dist"))
ASSET_URLS = {
    "swagger_js_url": "/docs/assets/swagger-ui-bundle.js",
    "swagger_css_url": "/docs/assets/swagger-ui.css",
    "swagger_favicon_url": "/docs/assets/favicon-32x32.png",
}


def add_docs(app: FastAPI) -> None:
    if ASSETS.is_dir():
        app.mount("/docs/assets", StaticFiles(directory=ASSETS))

    @app.get("/docs", include_in_schema=False)
    def page() -> HTMLResponse:
        return get_swagger_ui_html(
            title=app.title,
            openapi_url="/openapi.json",
            oauth2_redirect_url="/docs/oauth2-redirect",
            init_oauth={
                "clientId": CLIENT_ID,
                "usePkceWithAuthorizationCodeGrant": True,
                # Whom the token is for (RFC 8707): with it the issuer makes a JWT that this API can verify.
                "additionalQueryStringParams": {"resource": AUDIENCE},
            },
            **(ASSET_URLS if ASSETS.is_dir() else {}),
        )

    @app.get("/docs/oauth2-redirect", include_in_schema=False)
    def redirect() -> HTMLResponse:
        return get_swagger_ui_oauth2_redirect_html()

    @app.get("/openapi.json", include_in_schema=False)
    def schema() -> dict:
        endpoints = discover()
        document = app.openapi()
        flow = document["components"]["securitySchemes"]["Anteroom"]["flows"]["authorizationCode"]
        flow["authorizationUrl"] = endpoints["authorization_endpoint"]
        flow["tokenUrl"] = endpoints["token_endpoint"]
        return document
