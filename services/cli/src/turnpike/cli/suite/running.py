"""What runs: `run.json`, for whoever wants to find the suite's parts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from turnpike.cli.suite.home import Home
from turnpike.cli.suite.keeper import Keeper
from turnpike.cli.suite.plan import Process
from turnpike.cli.suite.services import Service


@dataclass
class Running:
    """Everything that is kept running, and its description on disk."""

    home: Home
    postgres_url: str = ""
    redis_url: str = ""
    databases: list[Keeper] = field(default_factory=list[Keeper])
    services: list[tuple[Process, Keeper]] = field(default_factory=list[tuple[Process, Keeper]])
    published: bool = False

    def keepers(self) -> Sequence[Keeper]:
        """Returns every keeper, databases first."""
        return [*self.databases, *(keeper for _, keeper in self.services)]

    def replicas(self, service: Service) -> Sequence[Keeper]:
        """Returns the keepers of one service."""
        return [keeper for process, keeper in self.services if process.service is service]

    def publish(self) -> None:
        """Writes `run.json`; from now on each restart is written too."""
        self.published = True
        self.write()

    def write(self) -> None:
        """Writes `run.json` at once, complete or not at all, if it is published."""
        if not self.published:
            return
        content = {
            "processes": [
                process.describe(keeper.child.pid)
                for process, keeper in sorted(self.services, key=lambda pair: pair[0].name)
                if keeper.child
            ],
            "postgres": self.postgres_url,
            "redis": self.redis_url,
            "databases": [
                {"name": keeper.name, "pid": keeper.child.pid}
                for keeper in self.databases
                if keeper.child
            ],
        }
        self.home.write_private(self.home.run_file, json.dumps(content, indent=2))

    def withdraw(self) -> None:
        """Removes `run.json`: nothing runs any more."""
        self.published = False
        self.home.run_file.unlink(missing_ok=True)
