"""Whether the edge keeps the word of its OpenAPI document, whatever it is sent.

schemathesis sends each operation what the document allows and what it forbids, in a tenant
of its own. No operation is left out but the one stream that never ends: those of turns of
the scripted agent end by themselves.
"""

import asyncio
import copy
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.doubles.processes import Double
from tests.e2e.edge import JSON, Edge
from tests.e2e.suite import Suite, environment

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
ENDLESS = "/api/v1/approvals:watch"
"""What goes on until its reader hangs up; see `tests/gateway/test_inbox.py`."""

PHASES = ("examples", "coverage", "fuzzing")
"""What there is; the coverage of every bound of every field takes the longest by far."""

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
METHODS = {"get", "put", "post", "patch", "delete"}
NAMES = ["fuzzed-1", "fuzzed-2", "fuzzed-3", "fuzzed-4"]
BUDGETS = ["tenant.month", "agent.fuzzed-1.total"]
# How often a parameter is something that exists, so that more is reached than a 404.
KNOWN = 0.6

# What exists, by where it is named: a parameter (`path.turn`), a field of every body
# (`body.model`) or of one (`ChangedAgent.name`).
Known = dict[str, list[Any]]


async def fuzz(
    suite: Suite,
    stranger: Edge,
    model: Double,
    folder: Path,
    *,
    phases: Sequence[str],
    examples: int,
) -> tuple[bool, str]:
    """Sends each operation what the phases make of it; says whether all was well, and what was."""
    known = await known_values(stranger, model)
    document = (await stranger.http.get("/openapi.json")).json()
    del document["paths"][ENDLESS]
    (folder / "openapi.json").write_text(json.dumps(with_examples(document, known)))
    (folder / "schemathesis.toml").write_text(configuration(stranger, known, examples))
    status, printed = await schemathesis(
        *("run", "openapi.json", "--url", suite.url, "--no-color"),
        *("--phases", ",".join(phases), "--checks", ",".join(CHECKS)),
        folder=folder,
    )
    whole = f"Tested: {len(list(operations_of(document)))}" in printed
    return status == 0 and whole, printed


async def schemathesis(*arguments: str, folder: Path) -> tuple[int, str]:
    """Runs the program in a folder; returns its status and what it printed."""
    process = await asyncio.create_subprocess_exec(
        str(SCHEMATHESIS),
        *arguments,
        cwd=folder,
        env=environment(folder, {}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return process.returncode, printed.decode()


def operations_of(document: JSON) -> Iterator[tuple[str, JSON]]:
    """Gives the operations of an OpenAPI document, each with its method."""
    for item in document["paths"].values():
        yield from (each for each in item.items() if each[0] in METHODS)


def with_examples(document: JSON, known: Known) -> JSON:
    """Returns a document in which parameters and fields have what exists as examples."""
    shown = copy.deepcopy(document)
    for method, operation in operations_of(shown):
        for parameter in operation.get("parameters", []):
            if values := known.get(f"{parameter['in']}.{parameter['name']}"):
                parameter["schema"]["examples"] = doomed(values) if method == "delete" else values
    for title, schema in shown["components"]["schemas"].items():
        for name, field in schema.get("properties", {}).items():
            if values := known.get(f"{title}.{name}") or known.get(f"body.{name}"):
                field["examples"] = values
    return shown


def doomed(values: list[Any]) -> list[Any]:
    """Returns those that may be deleted; the others stay for the operations that follow."""
    return values[-2:]


def configuration(edge: Edge, known: Known, examples: int) -> str:
    """Returns what schemathesis reads: the same values each time, and some that exist.

    It takes no values from replies. They differ each time, and with the key that it is
    shown it would lock itself out.
    """
    credential = json.dumps(edge.http.headers["authorization"])
    places = [place for place in known if place.startswith(("path.", "query.", "body."))]
    lines = [
        f"headers = {{ Authorization = {credential} }}",
        "request-timeout = 60",
        "continue-on-failure = true",
        "warnings = false",
        f"generation = {{ deterministic = true, max-examples = {examples} }}",
        *(f"phases.{phase}.extra-data-sources.responses = false" for phase in PHASES),
        *(f'dictionaries."{place}".values = {json.dumps(known[place])}' for place in places),
        *(
            f'dictionaries."doomed.{place}".values = {json.dumps(doomed(known[place]))}'
            for place in places
        ),
        "[parameters]",
        *(bound(place, place) for place in places),
        # Its upper bound is two thousand texts: right, and seconds of work.
        '[[operations]]\ninclude-path = "/api/v1/embeddings"',
        'phases.coverage.generation.mode = "negative"',
        # Fields by the dozen, with bounds: every combination of them is minutes
        # of work. They are fuzzed like the others.
        '[[operations]]\ninclude-path-regex = "^/api/v1/(admission|budgets|limits|plans|refusals'
        '|subscriptions|usage)|^/v1/(chat|messages|responses)"\nphases.coverage.enabled = false',
        '[[operations]]\ninclude-method = "DELETE"\n[operations.parameters]',
        *(bound(place, f"doomed.{place}") for place in places),
    ]
    return "\n".join(lines)


def bound(place: str, dictionary: str) -> str:
    """Returns the line by which a parameter often has a value of a dictionary."""
    return f'"{place}" = {{ dictionary = "{dictionary}", probability = {KNOWN} }}'


async def known_values(edge: Edge, model: Double) -> Known:
    """Makes some of everything; returns by which names it is called where."""
    steady = await edge.agent("steady", "n=2", model.url)
    for name in NAMES:
        await edge.agent(name, "n=2", model.url)
        connector = {"transport": "http", "url": "http://127.0.0.1:9/mcp"}
        await edge.call("PUT", f"/connectors/{name}", connector)
    versions = (await edge.call("GET", f"/agents/{NAMES[0]}/versions"))["versions"]
    keys = [await edge.call("POST", "/keys", {"name": name, "role": "MEMBER"}) for name in NAMES]
    principals = ids([key["principal"] for key in keys])
    bans = [await edge.call("POST", "/bans", {"principal": each}) for each in principals]
    turns = [await edge.start(steady) for _ in NAMES]
    for turn in turns:
        await edge.read(turn["id"])
    threads = [turn["thread"] for turn in turns]
    for name in BUDGETS:
        await edge.call("PUT", f"/budgets/{name}", {"limit_micro_usd": 10**15})
    return {
        "path.name": [*BUDGETS, *NAMES],
        "query.tz": ["Asia/Tokyo"],
        "query.principal": principals,
        "path.id": [each for pair in zip(ids(bans), ids(keys), strict=True) for each in pair],
        "path.thread": threads,
        "path.turn": ids(turns),
        "query.thread": threads,
        "query.agent": [steady],
        "body.agent": [steady],
        "body.model": [steady],
        "body.version": ids(versions),
        "body.principal": principals,
        "body.key": [edge.http.headers["authorization"].removeprefix("Bearer ")],
        "body.base_url": [model.url],
        "body.transport": ["http"],
        "body.url": ["http://127.0.0.1:9/mcp"],
        "body.time_zone": ["Asia/Tokyo"],
        **{f"Changed{kind}.name": NAMES[:1] for kind in ("Agent", "Connector", "Model")},
        **{f"{kind}Connector.command": [[]] for kind in ("Changed", "New")},
    }


def ids(resources: list[JSON]) -> list[Any]:
    """Returns by what resources are found again."""
    return [resource["id"] for resource in resources]
