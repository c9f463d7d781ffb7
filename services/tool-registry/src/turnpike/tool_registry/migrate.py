"""Migrates tool-registry's schema: `python -m turnpike.tool_registry.migrate`."""

import asyncio

from turnpike.database.migration import MigrationUrls, migrate


def main() -> None:
    """Migrates to the newest revision."""
    urls = MigrationUrls.from_environment("TOOL_REGISTRY")
    asyncio.run(migrate("turnpike.tool_registry", schema="tool_registry", urls=urls))


if __name__ == "__main__":
    main()
