"""The registry's client under the protocol's conformance suite: signs in, lists, calls.

    python -m tests.tool_registry.conformance_client URL

The suite is the server, and judges what it is sent.
"""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from turnpike.tool_registry.definitions import parse
from turnpike.tool_registry.links.answers import to_task
from turnpike.tool_registry.links.confines import Confines
from turnpike.tool_registry.links.faults import InputRequiredError, LinkError
from turnpike.tool_registry.links.link import Link
from turnpike.tool_registry.listings import fetch_listing
from turnpike.tool_registry.model import Endpoint, Fault, Tool, ToolState, Transport
from turnpike.tool_registry.oauth.flow import Registry, Wish, begin, open_web, redeem
from turnpike.tool_registry.oauth.grants import Client

_CONFINES = Confines(allow_private=True, environment=(), memory_bytes=0, cpu_seconds=0)
_ECHO = "json_schema_echo"
_SIGN_INS = 3
_ROUNDS = 4
_BACK = "http://localhost:3000/callback"
_CLIENT = "https://conformance-test.local/client-metadata.json"
_VALUES: dict[str, Any] = {"number": 2, "integer": 2, "string": "two", "boolean": True}


async def main(url: str) -> None:
    """Does to the server at `url` what a turn would, and signs in as often as that may help."""
    headers: dict[str, str] = {}
    person = Person(url)
    for _ in range(_SIGN_INS + 1):
        refusal = await _speak(url, headers)
        if refusal is None or person.sign_ins == _SIGN_INS:
            return
        headers = await person.sign_in(refusal.scope)


async def _speak(url: str, headers: dict[str, str]) -> LinkError | None:
    """Lists the tools and calls each; returns the refusal that a sign-in may end."""
    endpoint = Endpoint(transport=Transport.HTTP, url=url, headers=headers)
    link = Link(endpoint, _CONFINES, on_change=lambda: None)
    opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(link.hold(opened))
        try:
            await opened
            await _call_all(link)
        except LinkError as error:
            if error.fault is not Fault.AUTH_NEEDED:
                raise
            return error
        finally:
            link.close()
    return None


async def _call_all(link: Link) -> None:
    listing = await fetch_listing(link, "suite")
    callable_ = {t.name: t for t in listing.tools.values() if t.state is ToolState.OK}
    for name, arguments in _wanted(callable_):
        try:
            await _call(link, name, arguments, parse(callable_[name].definition).input_schema)
        except LinkError as error:
            # What else the server refuses is for the suite to judge.
            if error.fault is Fault.AUTH_NEEDED:
                raise


async def _call(link: Link, name: str, arguments: dict[str, Any], schema: dict[str, Any]) -> None:
    """Calls a tool, and again with whatever its server asks a person for."""
    answers: dict[str, Any] = {}
    for _ in range(_ROUNDS):
        try:
            answer = await link.call_tool(
                name,
                arguments,
                meta={},
                input_schema=schema,
                is_unwanted=lambda: False,
                heard=lambda _: None,
                answers=answers,
            )
            to_task(answer)
        except InputRequiredError as error:
            answers = _answers(error.wanted)
        else:
            return


def _answers(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a person who accepts everything gives, and the server's state with it."""
    requests = wanted.get("inputRequests", {})
    responses = {
        key: {
            "action": "accept",
            "content": _arguments(asked.get("params", {}).get("requestedSchema", {})),
        }
        for key, asked in requests.items()
    }
    state = {"requestState": wanted["requestState"]} if "requestState" in wanted else {}
    return {"inputResponses": responses, **state}


class Person:
    """Who consents to whatever is asked, and the clients that servers registered for us."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._clients: dict[str, str] = {}
        self._scope = ""
        self.sign_ins = 0

    async def sign_in(self, scope: str) -> dict[str, str]:
        """Returns the headers that the next requests carry."""
        self.sign_ins += 1
        wish = Wish(
            url=self._url,
            headers={},
            scope=f"{self._scope} {scope}".strip() if scope else "",
            redirect_uri=_BACK,
            client_metadata_url=_CLIENT,
            state=secrets.token_urlsafe(32),
        )
        async with open_web(allow_private=True) as web:
            asked = await begin(
                web, wish, Registry(given=_given(), find=self._find, keep=self._keep)
            )
            back = await _visit(asked.authorization_url)
            assert back.get("state") == wish.state
            grant, tokens, _ = await redeem(
                web,
                asked.pending,
                code=back.get("code", ""),
                issuer=back.get("iss", ""),
                error=back.get("error", ""),
            )
        self._scope = grant.scope
        return {"authorization": f"Bearer {tokens.access}"}

    async def _find(self, issuer: str) -> str | None:
        return self._clients.get(issuer)

    async def _keep(self, issuer: str, client: str) -> None:
        self._clients[issuer] = client


class _OfAnyIssuer(dict[str, Client]):
    """The suite does not say beforehand whose client it gives."""

    def get(self, key: str, default: Any = None) -> Any:
        return next(iter(self.values()), default)


def _given() -> dict[str, Client]:
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    if "client_id" not in context:
        return {}
    secret = context.get("client_secret", "")
    method = "client_secret_basic" if secret else "none"
    return _OfAnyIssuer(any=Client(id=context["client_id"], secret=secret, method=method))


async def _visit(url: str) -> dict[str, str]:
    async with httpx.AsyncClient() as browser:
        response = await browser.get(url)
    query = parse_qs(urlsplit(response.headers["location"]).query)
    return {name: values[0] for name, values in query.items()}


def _wanted(tools: dict[str, Tool]) -> list[tuple[str, dict[str, Any]]]:
    """Returns the calls that the suite asks for, or one of each tool."""
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    if "toolCalls" in context:
        return [(call["name"], call["arguments"]) for call in context["toolCalls"]]
    if _ECHO in tools:
        (focal,) = tools.keys() - {_ECHO}
        return [(_ECHO, {"schema": parse(tools[focal].definition).input_schema})]
    return [(t.name, _arguments(parse(t.definition).input_schema)) for t in tools.values()]


def _arguments(schema: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = schema.get("properties", {})
    wanted = schema.get("required", list(shown))
    return {name: _VALUES.get(shown[name].get("type", ""), "two") for name in wanted}


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
