"""Trying a connector out before it is relied on, with an answer that machines understand."""

import asyncio
import time
from dataclasses import dataclass
from uuid import UUID, uuid4

from turnpike.tool_registry.discovery import fault_in
from turnpike.tool_registry.links.faults import LinkError
from turnpike.tool_registry.links.pool import Key, Links
from turnpike.tool_registry.listings import fetch_listing
from turnpike.tool_registry.model import Fault, Spec
from turnpike.tool_registry.veils import Veil

_PROBE_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What came of trying a connector out."""

    fault: Fault
    message: str
    seconds: float
    protocol_version: str = ""
    server_name: str = ""
    server_version: str = ""
    tools: int = 0
    warnings: tuple[str, ...] = ()


async def probe(links: Links, tenant: UUID, spec: Spec, veil: Veil) -> Probe:
    """Opens a session of its own, lists the tools, and closes it again; never raises."""
    # A name that no connector has: nobody shares this session.
    key = Key(tenant, f"?{uuid4()}", "")
    begun = time.monotonic()
    try:
        async with asyncio.timeout(_PROBE_SECONDS), links.using(key, spec.endpoint) as link:
            listing = await fetch_listing(link, key.connector)
            name, version = link.server
            return Probe(
                fault=Fault.NONE,
                message="",
                seconds=time.monotonic() - begun,
                protocol_version=link.version,
                server_name=name[:200],
                server_version=version[:200],
                tools=len(listing.tools),
                warnings=tuple(warning.value for warning in listing.warnings),
            )
    except (LinkError, TimeoutError) as error:
        return Probe(
            fault=fault_in(error),
            message=veil.over(str(error) or "the server did not answer in time")[:500],
            seconds=time.monotonic() - begun,
        )
    finally:
        links.forget(tenant, key.connector)
