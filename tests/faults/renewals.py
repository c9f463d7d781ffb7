"""What is done to the registry while it renews a credential."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from html import unescape

import httpx

from tests.doubles.oauth_server import AuthorizationServer, protected, serving_authorization
from tests.doubles.scripted_mcp import ScriptedServer, tool
from tests.e2e.edge import JSON, Edge
from tests.e2e.suite import Process, until, until_it
from tests.faults.crowds import locked
from tests.faults.invariants import unsettled
from tests.faults.stage import Stage
from tests.faults.trials import Result

TWENTY = 20
# A renewal whose process died is begun anew after twenty seconds.
END_SECONDS = 90
_END = """
UPDATE tool_registry.credentials SET renew_at = now(), expires = now() WHERE connector = $1
"""
# Nobody asks a server again that was asked a moment ago.
_ASKED_LONG_AGO = """
UPDATE tool_registry.connectors SET discovered_at = now() - interval '1 minute' WHERE name = $1
"""
_EXECUTORS = """
SELECT DISTINCT r.name FROM tool_registry.calls c
JOIN tool_registry.replicas r ON r.id = c.executor WHERE c.tool = $1
"""
_REFUSALS = "SELECT refusal FROM tool_registry.credentials WHERE connector = $1"
_STORING = """
SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE credentials%'
"""


@dataclass
class SignedIn:
    """A connector that everybody may use, its server, and who gives out its tokens."""

    stage: Stage
    edge: Edge
    name: str
    issuer: AuthorizationServer

    @property
    def tool(self) -> str:
        """Its one tool."""
        return f"{self.name}/one"

    async def sign_in(self) -> None:
        """Signs in for everybody, as a browser does, and waits until it is connected."""
        path = f"/connectors/{self.name}:login"
        begun = await self.edge.call("POST", path, {"shared": True})
        async with httpx.AsyncClient(follow_redirects=True) as browser:
            asked = await browser.get(begun["url"])
            fields = re.findall(r'name="(\w+)" value="([^"]*)"', asked.text)
            shown = {name: unescape(value) for name, value in fields}
            url = f"{self.edge.url}/api/v1/oauth/callback"
            (await browser.post(url, data=shown)).raise_for_status()
        await until_it(self._is_ok)

    async def end(self) -> None:
        """Has the access token end now."""
        await self.stage.query(_END, self.name)
        await self.stage.query(_ASKED_LONG_AGO, self.name)
        self.issuer.end_access()

    async def begin(self) -> str:
        """Starts a call; returns its turn."""
        async with self.edge.stream("POST", f"/tools/{self.tool}:call", {}) as stream:
            return stream.response.headers["location"].rsplit("/", 1)[-1]

    async def came_to(self, turn: str, *statuses: str) -> JSON:
        """Returns a turn once it has one of these statuses."""
        return await eventually(lambda: self.edge.turn(turn), lambda it: it["status"] in statuses)

    async def executors(self) -> list[Process]:
        """Returns whose the calls were."""
        rows = await self.stage.query(_EXECUTORS, self.tool)
        return [self.stage.suite.named(row["name"]) for row in rows]

    async def refusals(self) -> list[str]:
        """Returns what the credentials that there are were refused for."""
        return [row["refusal"] for row in await self.stage.query(_REFUSALS, self.name)]

    async def state(self) -> JSON:
        """Returns the connector."""
        return await self.edge.call("GET", f"/connectors/{self.name}")

    async def _is_ok(self) -> bool:
        return (await self.state())["state"] == "OK"


async def eventually(read: Callable[[], Awaitable[JSON]], fits: Callable[[JSON], bool]) -> JSON:
    """Returns what is read as soon as it fits; after a while, what there is."""
    found: JSON = {}

    async def is_so() -> bool:
        found.clear()
        found.update(await read())
        return fits(found)

    with suppress(TimeoutError):
        await until_it(is_so, END_SECONDS)
    return found


@asynccontextmanager
async def signed_in(stage: Stage, tag: str, *, rotates: bool) -> AsyncGenerator[SignedIn]:
    """Gives a connector whose server lets in who has a token, and that has one."""
    server = ScriptedServer([tool("one")])
    async with serving_authorization() as issuer, server.listening() as place:
        issuer.rotates = rotates
        server.accepts, server.documents = issuer.accepts, protected(issuer, place)
        edge, name = stage.edges[0], tag
        await edge.call("PUT", f"/connectors/{name}", {"transport": "http", "url": place})
        connected = SignedIn(stage, edge, name, issuer)
        await connected.sign_in()
        try:
            yield connected
        finally:
            await edge.call("DELETE", f"/connectors/{name}")


async def renewal_killed(stage: Stage, tag: str, *, rotates: bool) -> Result:
    """SIGKILLs the registry between the answer of the token endpoint and storing it.

    Where refresh tokens rotate, the only good one died with the process: that is said, the
    credential is kept beside it, and signing in anew is all that it takes. Where they do not,
    nobody notices.
    """
    async with signed_in(stage, tag, rotates=rotates) as connected:
        issuer = connected.issuer
        await connected.end()
        issuer.gate.clear()
        turn = await connected.begin()
        await until(lambda: issuer.renewals == 1)
        (victim,) = await connected.executors()
        async with locked(stage, "tool_registry.credentials"):
            issuer.gate.set()
            await until_it(lambda: _is_storing(stage))
            os.kill(victim.pid, signal.SIGKILL)
        faults = await (_lost if rotates else _unnoticed)(connected, turn)
        await stage.suite.restarted(victim)
    return Result(faults + await unsettled(stage))


async def _is_storing(stage: Stage) -> bool:
    return bool(await stage.query(_STORING))


async def _lost(connected: SignedIn, turn: str) -> list[str]:
    """The call waits for a sign-in, and goes on after it; nothing else is lost."""
    faults: list[str] = []
    waiting = await connected.came_to(turn, "WAITING", "COMPLETED", "FAILED")
    if waiting["status"] != "WAITING":
        faults.append(f"after the token was lost the turn is {waiting['status']}")
    state = await eventually(connected.state, lambda it: it["state"] == "NEEDS_AUTH")
    if state["state"] != "NEEDS_AUTH" or "invalid_grant" not in state["state_reason"]:
        faults.append(f"the connector is {state['state']}: {state['state_reason']!r}")
    refusals = await connected.refusals()
    if len(refusals) != 1 or "invalid_grant" not in refusals[0]:
        faults.append(f"the credentials' refusals are {refusals}")
    await connected.sign_in()
    later = await connected.came_to(await connected.begin(), "COMPLETED", "WAITING", "FAILED")
    faults += _unless_ok(later)
    tools = (await connected.edge.call("GET", "/tools"))["tools"]
    (shown,) = [each for each in tools if each["name"] == connected.tool]
    if shown["state"] != "OK":
        faults.append(f"the tool that was approved is {shown['state']} after the sign-in")
    await connected.edge.call("POST", f"/turns/{turn}:cancel", {})
    return faults


async def _unnoticed(connected: SignedIn, turn: str) -> list[str]:
    """The call is made with what another replica asked for."""
    faults = _unless_ok(await connected.came_to(turn, "WAITING", "COMPLETED", "FAILED"))
    refusals = await connected.refusals()
    if refusals != [""]:
        faults.append(f"the credentials' refusals are {refusals}")
    return faults


async def expiry_on_two_registries(stage: Stage, tag: str) -> Result:
    """Twenty calls at a token's end, on two replicas: one asks for another, none is refused."""
    async with signed_in(stage, tag, rotates=True) as connected:
        faults: list[str] = []
        for times in (1, 2):  # the second time with the token that the first one brought
            await connected.end()
            turns = await asyncio.gather(*(connected.begin() for _ in range(TWENTY)))
            ended = [await connected.came_to(each, "COMPLETED", "WAITING") for each in turns]
            faults += [fault for each in ended for fault in _unless_ok(each)]
            if connected.issuer.renewals != times:
                faults.append(f"{connected.issuer.renewals} token requests at {times} ends")
        if len(await connected.executors()) < len(stage.suite.of("tool-registry")):
            faults.append("one replica had all the calls")
        if await connected.refusals() != [""]:
            faults.append(f"the credentials' refusals are {await connected.refusals()}")
    return Result(faults + await unsettled(stage))


def _unless_ok(turn: JSON) -> list[str]:
    outcomes = [call["outcome"] for call in turn["calls"]]
    if (turn["status"], outcomes) == ("COMPLETED", ["OK"]):
        return []
    return [f"{turn['id']} is {turn['status']} with {outcomes}"]
