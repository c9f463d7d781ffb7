"""Migrates gatekeeper's schema: `python -m turnpike.gatekeeper.migrate`."""

import asyncio

from turnpike.database.migration import MigrationUrls, migrate


def main() -> None:
    """Migrates to the newest revision."""
    urls = MigrationUrls.from_environment("GATEKEEPER")
    asyncio.run(migrate("turnpike.gatekeeper", schema="gatekeeper", urls=urls))


if __name__ == "__main__":
    main()
