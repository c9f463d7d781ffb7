"""The README says what operators can set, and which tables, keys and metrics there are."""

import ast
import inspect
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from redis.asyncio import Redis

from tests.agent_runtime.serving import Tenant
from tests.database.test_rows import TABLES
from turnpike.agent_runtime.settings import Settings

README = (Path(__file__).parents[2] / "services" / "agent-runtime" / "README.md").read_text()

COMMON_METRICS = ("turnpike_rpc_",)
"""Those of every service."""

LIST_METRICS = """
import turnpike.agent_runtime.__main__
from turnpike.telemetry.metrics import REGISTRY
for metric in REGISTRY.collect():
    if metric.name.startswith("turnpike_"):
        print(metric.name + ("_total" if metric.type == "counter" else ""))
"""


def documentation(settings: type[BaseModel]) -> dict[str, str]:
    """Returns the text below each field, in one line."""
    found: dict[str, str] = {}
    for owner in settings.__mro__:
        if owner.__module__.startswith("turnpike."):
            body = ast.parse(inspect.getsource(owner)).body[0]
            assert isinstance(body, ast.ClassDef)
            for field, text in zip(body.body, body.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                    said = ast.literal_eval(text.value)
                    found.setdefault(ast.unparse(field.target), " ".join(str(said).split()))
    return found


def shown_default(name: str, field: FieldInfo) -> str:
    if name == "replica_name":
        return "`agent-runtime-<host>`"
    default: Any = field.default
    if field.is_required():
        return "must be set"
    if default is None:
        return "none"
    if isinstance(default, timedelta):
        return f"`{default.total_seconds():g}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def table(settings: type[BaseModel], prefix: str) -> str:
    """Returns the README's table of settings."""
    texts = documentation(settings)
    rows = [
        f"| `{prefix}{name.upper()}` | {shown_default(name, field)} | {texts[name]} |"
        for name, field in settings.model_fields.items()
    ]
    return "\n".join(["| name | default | |", "|---|---|---|", *rows])


def test_the_settings_are_those_that_there_are():
    expected = table(Settings, "AGENT_RUNTIME_")

    assert expected in README, f"put this in its place:\n{expected}"


async def test_every_table_is_described(superuser: asyncpg.Connection):
    names = {row["name"] for row in await superuser.fetch(TABLES, ["agent_runtime"])}

    assert names == set(re.findall(r"^\| `(\w+)` \| a[n]? ", README, re.MULTILINE))


async def test_every_key_is_described_and_lapses(tenant: Tenant, redis: Redis):
    await tenant.model()
    await tenant.agent()
    turn = await tenant.ended((await tenant.start()).id)

    keys = [key.decode() async for key in redis.scan_iter() if not key.startswith(b"gatekeeper:")]

    assert f"turn:{{{turn.id}}}:head" in keys
    for key in keys:
        shape = re.sub(r"[0-9a-f-]{32,36}", "…", key)
        assert f"`{shape}`" in README, key
        assert await redis.ttl(key) > 0, key


def test_every_metric_is_named():
    # In a process of its own: other services' tests bring their metrics into this one.
    output = subprocess.run(
        [sys.executable, "-c", LIST_METRICS], check=True, capture_output=True, text=True
    ).stdout
    names = {name for name in output.split() if not name.startswith(COMMON_METRICS)}

    assert names
    assert {name for name in names if f"`{name}" not in README} == set()
