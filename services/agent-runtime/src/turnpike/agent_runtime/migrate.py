"""Migrates agent-runtime's schema: `python -m turnpike.agent_runtime.migrate`."""

import asyncio

from turnpike.database.migration import MigrationUrls, migrate


def main() -> None:
    """Migrates to the newest revision."""
    urls = MigrationUrls.from_environment("AGENT_RUNTIME")
    asyncio.run(migrate("turnpike.agent_runtime", schema="agent_runtime", urls=urls))


if __name__ == "__main__":
    main()
