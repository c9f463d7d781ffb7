"""How a running suite fares."""

import asyncio
from pathlib import Path
from typing import Any

from turnpike.cli.diagnosis.finding import Finding
from turnpike.cli.suite.health import grpc_says_serving, http_says_ready
from turnpike.cli.suite.home import Home, read_object


def is_running(home: Home) -> bool:
    """Whether a suite says that it runs on `home`."""
    return home.run_file.exists()


def check_processes(home: Home) -> list[Finding]:
    """Asks every process of the running suite how it is."""
    processes = read_object(home.run_file).get("processes")
    entries = processes if isinstance(processes, list) else []
    return asyncio.run(_check_all(home, entries))


async def _check_all(home: Home, entries: list[Any]) -> list[Finding]:
    return list(await asyncio.gather(*(_check(home, entry) for entry in entries)))


async def _check(home: Home, entry: dict[str, Any]) -> Finding:
    name, pid = str(entry.get("name")), entry.get("pid")
    log = home.logs / f"{name}.log"
    if not _exists(pid):
        return Finding(name, False, f"process {pid} is gone", f"run `turnpike up`; see {log}")
    if "http" in entry:
        serves = await http_says_ready(str(entry["http"]))
    else:
        serves = await grpc_says_serving(str(entry.get("grpc")))
    address = entry.get("http") or entry.get("grpc")
    detail = f"{'serves' if serves else 'does not serve'} at {address} (process {pid})"
    return Finding(name, serves, detail, f"see {log}")


def _exists(pid: object) -> bool:
    return Path(f"/proc/{pid}").exists()
