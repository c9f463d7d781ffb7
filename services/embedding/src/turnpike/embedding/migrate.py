"""Migrates embedding's schema: `python -m turnpike.embedding.migrate`."""

import asyncio

from turnpike.database.migration import MigrationUrls, migrate


def main() -> None:
    """Migrates to the newest revision."""
    urls = MigrationUrls.from_environment("EMBEDDING")
    asyncio.run(migrate("turnpike.embedding", schema="embedding", urls=urls))


if __name__ == "__main__":
    main()
