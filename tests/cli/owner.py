"""A process that owns a PostgreSQL and a Redis until its input ends: `owner.py HOME [ACCOUNT]`."""

import json
import os
import sys
from pathlib import Path

from turnpike.cli.stack.accounts import choose_account
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.cli.stack.redis import LocalRedis


def main() -> None:
    home = Path(sys.argv[1])
    with LocalPostgres(home / "postgres") as postgres, LocalRedis(home / "redis") as redis:
        facts = {
            "euid": os.geteuid(),
            "account": choose_account().spec,
            "postgres": postgres.url,
            "redis": redis.url,
            "pids": [postgres.child.pid, redis.child.pid],
        }
        print(json.dumps(facts), flush=True)
        sys.stdin.read()


main()
