"""The audit over REST: a page, and an export that says where the chain begins."""

import httpx
import orjson

from tests.gateway.upstream import Upstream
from turnpike.api.agent_runtime.v1 import audit_service_pb2 as pb
from turnpike.cli.audit.chain import Head, verify

HASH = "a" * 64


async def test_an_export_says_where_the_chain_begins(upstream: Upstream, client: httpx.AsyncClient):
    said = orjson.dumps({"kind": "FORGOTTEN", "position": 6, "hash": HASH}).decode()
    page = pb.ListAuditEntriesResponse(
        entries=[pb.AuditEntry(entry=said)], anchor=pb.AuditAnchor(position=6, hash=HASH)
    )
    upstream.other.answers.update(ListAuditEntries=page)

    listed = await client.get("/api/v1/audit")
    exported = await client.get("/api/v1/audit:export?after=2")
    upstream.other.answers.update(ListAuditEntries=pb.ListAuditEntriesResponse())
    whole = await client.get("/api/v1/audit")

    first, *_ = lines = exported.text.splitlines()
    assert listed.json()["anchor"] == {"position": 6, "hash": HASH}
    assert orjson.loads(first) == {"anchor": {"position": 6, "hash": HASH}}
    report = verify(lines)
    assert (report.faults, report.begins, report.unsealed) == ([], Head(6, HASH), 1)
    assert whole.json() == {"entries": [], "next_page_token": "", "anchor": None}
    assert upstream.other.requests[1].after_position == 2
