"""What an authorization server gave: tokens, and what renews them."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who we are to one authorization server."""

    id: str
    secret: str = field(default="", repr=False)
    method: str = "none"
    """How it shows itself: `client_secret_basic`, `client_secret_post`, or by its id alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a token endpoint answered."""

    access: str = field(repr=False)
    refresh: str = field(default="", repr=False)
    scope: str = ""
    seconds: int | None = None
    """How long it is good for, if that was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a person consented to, and the means to renew it."""

    issuer: str
    token_endpoint: str
    resource: str
    scope: str
    client: Client
    refresh_token: str = field(default="", repr=False)

    def renewed_by(self, tokens: Tokens) -> "Grant":
        """Returns the grant after `tokens`: servers leave out what stays the same."""
        return replace(
            self,
            refresh_token=tokens.refresh or self.refresh_token,
            scope=tokens.scope or self.scope,
        )

    def to_text(self) -> str:
        """Returns it as text; `grant_from` reads it."""
        return orjson.dumps(asdict(self)).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """How to have an authorization server take back what it gave."""

    endpoint: str
    client: Client

    def to_text(self) -> str:
        """Returns it as text; `revocation_from` reads it."""
        return orjson.dumps(asdict(self)).decode()


def revocation_from(text: str) -> Revocation:
    """Returns a revocation from its text."""
    values: dict[str, Any] = orjson.loads(text)
    return Revocation(endpoint=values["endpoint"], client=Client(**values["client"]))


def grant_from(text: str) -> Grant:
    """Returns a grant from its text."""
    values: dict[str, Any] = orjson.loads(text)
    client = Client(**values.pop("client"))
    return Grant(client=client, **values)


def client_from(text: str) -> Client:
    """Returns a client from its text, as `orjson` writes it."""
    return Client(**orjson.loads(text))
