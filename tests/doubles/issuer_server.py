"""An OpenID Connect issuer over HTTP: discovery, keys that can be rotated, and tokens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import time
from typing import Any

import jwt
import orjson
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

AUDIENCE = "turnpike"


@dataclass
class SigningKey:
    """A key of the issuer's, and its id."""

    kid: str
    private: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    def jwk(self) -> dict[str, Any]:
        public = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.kid, "use": "sig", "alg": "RS256"}


@dataclass
class IssuerServer:
    """The issuer; what it publishes may be changed at any time."""

    url: str = ""
    keys: list[SigningKey] = field(default_factory=lambda: [SigningKey("one")])
    fetches: int = 0
    """How often its keys were asked for."""

    status: int = 200
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, whoever asks for keys waits."""

    def token(self, key: SigningKey | None = None, /, **changed: Any) -> str:
        """A token of now; claims that are None are left out, `headers` are the header's."""
        key = key or self.keys[0]
        algorithm = changed.pop("algorithm", "RS256")
        headers = {"kid": key.kid, **changed.pop("headers", {})}
        now = int(time())
        claims: dict[str, Any] = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ada",
            "iat": now,
            "exp": now + 300,
            "name": "Ada",
            "email": "Ada@Example.com",
            "email_verified": True,
            **changed,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        secret = changed.get("secret", key.private)
        return jwt.encode(kept, secret, algorithm=algorithm, headers=headers)

    async def configuration(self, _request: web.Request) -> web.Response:
        document = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        return web.Response(body=orjson.dumps(document), status=self.status)

    async def published(self, _request: web.Request) -> web.Response:
        self.fetches += 1
        await self.gate.wait()
        document = {"keys": [key.jwk() for key in self.keys]}
        return web.Response(body=orjson.dumps(document), status=self.status)


@asynccontextmanager
async def serving_issuer() -> AsyncGenerator[IssuerServer]:
    """Serves an issuer on a port of its own."""
    issuer = IssuerServer()
    issuer.gate.set()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", issuer.configuration)
    app.router.add_get("/keys", issuer.published)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    issuer.url = _address(runner)
    try:
        yield issuer
    finally:
        await runner.cleanup()


def _address(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"
