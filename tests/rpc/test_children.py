"""Children of a process that speaks gRPC."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE

import pytest


@pytest.mark.parametrize("package", ["turnpike.embedding", "turnpike.tool_registry"])
async def test_children_that_start_while_calls_are_under_way_live(package: str):
    arguments = [sys.executable, "-m", "tests.rpc.spawning", package]
    process = await asyncio.create_subprocess_exec(*arguments, stdout=PIPE, stderr=DEVNULL)

    crashed, _ = await process.communicate()

    assert (process.returncode, crashed) == (0, b"0\n")
