"""An MCP server's place and what it is given, with variables in them and without."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import quote, unquote, urlsplit

from turnpike.rpc.errors import InvalidArgumentError
from turnpike.tool_registry.errors import VariableUnusableError
from turnpike.tool_registry.model import Endpoint
from turnpike.tool_registry.rules import HEADER_VALUE
from turnpike.tool_registry.templates import NameInvalidError, fill, names_in
from turnpike.tool_registry.variables import Variable


def names_of(endpoint: Endpoint) -> frozenset[str]:
    """Returns the variables that an endpoint names.

    Raises:
        InvalidArgumentError: One is named where none can be, or by no name.
    """
    found: set[str] = set()
    for field, text in _texts(endpoint):
        try:
            found |= names_in(text)
        except NameInvalidError as error:
            raise InvalidArgumentError(field, str(error)) from error
    _refuse(endpoint.command[:1], "connector.command", "which program runs")
    _refuse((urlsplit(endpoint.url).netloc,), "connector.url", "where secrets are sent")
    return frozenset(found)


def filled(endpoint: Endpoint, found: Mapping[str, Variable], owner: str) -> Endpoint:
    """Returns an endpoint with the values of all that it names.

    Args:
        endpoint: Names them.
        found: The variables of those names, as far as there are any.
        owner: The person whose connector it is; empty for the tenant's.

    Raises:
        VariableUnusableError: One is not there, or cannot stand where it is named.
    """
    for field, text in _texts(endpoint):
        for name in sorted(names_in(text)):
            _check(field, name, found.get(name), owner)
    values = {name: variable.value or "" for name, variable in found.items()}
    return replace(
        endpoint,
        url=fill(endpoint.url, values, _in_url),
        command=tuple(fill(part, values) for part in endpoint.command),
        headers={name: fill(text, values) for name, text in endpoint.headers.items()},
        env={name: fill(text, values) for name, text in endpoint.env.items()},
    )


def _texts(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    yield "connector.url", endpoint.url
    for place, part in enumerate(endpoint.command):
        yield f"connector.command[{place}]", part
    for name, text in endpoint.headers.items():
        yield f"connector.headers[{name}]", text
    for name, text in endpoint.env.items():
        yield f"connector.env[{name}]", text


def _check(field: str, name: str, variable: Variable | None, owner: str) -> None:
    if variable is None:
        raise VariableUnusableError(field, name, "which has no value")
    if variable.value is None:
        raise VariableUnusableError(field, name, "which cannot be opened any more")
    if owner and variable.secret and not variable.principal:
        # Whoever says where a connector is would be told the tenant's secrets there.
        raise VariableUnusableError(
            field, name, "which is the tenant's secret, and not for a person's connector"
        )
    if not _fits(field)(variable.value):
        raise VariableUnusableError(field, name, "whose value cannot stand there")


def _fits(field: str) -> Callable[[str], object]:
    if field.startswith("connector.headers"):
        return HEADER_VALUE.fullmatch
    if field == "connector.url":
        return lambda value: unquote(value) not in ("", ".", "..")
    return lambda value: "\0" not in value


def _in_url(value: str) -> str:
    # Within one segment of the path, or one value of the query.
    return quote(value, safe="")


def _refuse(texts: tuple[str, ...], field: str, what: str) -> None:
    if any(names_in(text) for text in texts):
        raise InvalidArgumentError(field, f"no variable says {what}")
