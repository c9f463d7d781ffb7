"""Brings each service's schema up to date, all at the same time."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from turnpike.cli.stack.children import Child
from turnpike.cli.stack.errors import StackError, log_tail
from turnpike.cli.suite.exits import ended
from turnpike.cli.suite.keeper import describe_exit
from turnpike.cli.suite.plan import migration_command
from turnpike.cli.suite.services import Service

_TIMEOUT = timedelta(seconds=120)


async def migrate(service: Service, environment: Mapping[str, str], logs: Path) -> None:
    """Runs a service's migrations; raises StackError when they fail."""
    log = logs / f"{service.name}-migrate.log"
    log.unlink(missing_ok=True)
    child = Child(migration_command(service), log=log, env=dict(environment))
    try:
        async with asyncio.timeout(_TIMEOUT.total_seconds()):
            await ended(child)
    except TimeoutError:
        raise StackError(f"the migration of {service.name} does not end; see {log}") from None
    finally:
        child.stop()
    if child.exit_status != 0:
        how = describe_exit(child.exit_status)
        raise StackError(f"the migration of {service.name} {how}; see {log}{log_tail(log)}")
