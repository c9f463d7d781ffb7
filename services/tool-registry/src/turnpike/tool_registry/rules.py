"""Which connectors can be, and which the operator allows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from turnpike.egress.addresses import AddressRefusedError, check_address
from turnpike.rpc.errors import InvalidArgumentError
from turnpike.tool_registry.model import KNOWLEDGE, Endpoint, Spec, Transport

_HEADER_NAME = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
HEADER_VALUE = re.compile(r"[\x20-\x7e\x80-\xff\t]*")
"""What a header can say."""

_ENV_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
# The protocol's own, and those that frame a message.
_OWN_HEADERS = frozenset(
    {
        "accept",
        "connection",
        "content-length",
        "content-type",
        "host",
        "last-event-id",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator allows."""

    stdio_commands: tuple[tuple[str, ...], ...]
    allow_private: bool

    def checked(self, spec: Spec) -> Spec:
        """Returns a connector that can be, or raises `InvalidArgumentError`."""
        endpoint = spec.endpoint
        if spec.owner and endpoint.transport is Transport.STDIO:
            raise InvalidArgumentError("connector.transport", "a person's connector is no child")
        if endpoint.transport is Transport.STDIO:
            self._check_stdio(endpoint)
        else:
            self._check_http(endpoint)
        return spec

    def _check_stdio(self, endpoint: Endpoint) -> None:
        if not endpoint.command:
            raise InvalidArgumentError("connector.command", "a stdio connector needs a command")
        if endpoint.command not in self.stdio_commands:
            raise InvalidArgumentError(
                "connector.command", "the operator does not allow this command"
            )
        _refuse(endpoint.url, "connector.url", "a stdio connector has none")
        _refuse(endpoint.headers, "connector.headers", "a stdio connector has none")
        for name in endpoint.env:
            if not _ENV_NAME.fullmatch(name):
                raise InvalidArgumentError("connector.env", f"{name!r} is no variable's name")

    def _check_http(self, endpoint: Endpoint) -> None:
        _refuse(endpoint.command, "connector.command", "an HTTP connector has none")
        _refuse(endpoint.env, "connector.env", "an HTTP connector has none")
        if endpoint.url == KNOWLEDGE and endpoint.transport is Transport.HTTP:
            _refuse(endpoint.headers, "connector.headers", "a built-in connector has none")
            return
        _check_url(endpoint.url, allow_private=self.allow_private)
        check_headers("connector.headers", endpoint.headers)


def check_headers(field: str, headers: Mapping[str, str]) -> None:
    """Raises `InvalidArgumentError` unless these can be sent along."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or _is_own(name):
            raise InvalidArgumentError(field, f"{name!r} cannot be set")
        if not HEADER_VALUE.fullmatch(value):
            raise InvalidArgumentError(
                field, f"the value of {name!r} has a character that no header has"
            )


def with_kept_secrets(spec: Spec, old: Spec | None) -> Spec:
    """Fills in what an update leaves empty to keep it: for the same server, and no other.

    Raises:
        InvalidArgumentError: There is nothing to keep, or it was given for another server.
    """
    endpoint = spec.endpoint
    # Who may change where a secret goes may not thereby read what it is.
    kept = old.endpoint if old and old.place == spec.place else None
    filled = replace(
        endpoint,
        headers=_kept("connector.headers", endpoint.headers, kept.headers if kept else {}),
        env=_kept("connector.env", endpoint.env, kept.env if kept else {}),
    )
    return replace(spec, endpoint=filled)


def _kept(field: str, given: Mapping[str, str], old: Mapping[str, str]) -> dict[str, str]:
    for name, value in given.items():
        if not value and name not in old:
            raise InvalidArgumentError(
                field, f"{name!r} has no value, and none to keep for this server"
            )
    return {name: value or old[name] for name, value in given.items()}


def _refuse(value: object, field: str, message: str) -> None:
    if value:
        raise InvalidArgumentError(field, message)


def _is_own(name: str) -> bool:
    lower = name.lower()
    return lower in _OWN_HEADERS or lower.startswith("mcp-")


def _check_url(url: str, *, allow_private: bool) -> None:
    field = "connector.url"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidArgumentError(field, f"is no URL: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidArgumentError(field, "must be an absolute http or https URL")
    if parts.username or parts.password or parts.fragment:
        raise InvalidArgumentError(field, "must not hold credentials or a fragment; use headers")
    try:
        check_address(host, allow_private=allow_private)
    except AddressRefusedError as error:
        raise InvalidArgumentError(field, str(error.strerror)) from error
    except ValueError:
        return  # A name: it is judged when it is connected to, by what it resolves to.
