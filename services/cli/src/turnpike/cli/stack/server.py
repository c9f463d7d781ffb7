"""A server of one's own: a child that answers after a while."""

import time
from abc import ABC, abstractmethod
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Self

from turnpike.cli.stack.children import Child
from turnpike.cli.stack.errors import StackError, log_tail

_ATTEMPTS = 5
_POLL_SECONDS = 0.02


class LocalServer(ABC):
    """A server on a free loopback port; started again, it keeps the port."""

    name: ClassVar[str]
    patience: ClassVar[timedelta]
    """How long it may take until it answers."""

    def __init__(self, log: Path) -> None:
        self._child: Child | None = None
        self.port = 0
        self.log = log

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect."""

    @property
    def child(self) -> Child:
        """The running process."""
        if self._child is None:
            raise StackError(f"{self.name} is not started")
        return self._child

    def start(self) -> None:
        """Starts the server and waits until it answers; call it from the main thread."""
        for _ in range(_ATTEMPTS):
            self.spawn()
            if self.wait_ready():
                return
            self.port = 0
        raise StackError(f"{self.name} does not start; see {self.log}{log_tail(self.log)}")

    @abstractmethod
    def spawn(self) -> None:
        """Starts the process, on the port it had before or else on a free one."""

    def wait_ready(self) -> bool:
        """Waits until the server answers; False when it ended: its port may have been taken."""
        give_up = time.monotonic() + self.patience.total_seconds()
        while time.monotonic() < give_up:
            if self.child.exit_status is not None:
                return False
            if self.answers():
                return True
            time.sleep(_POLL_SECONDS)
        raise StackError(f"{self.name} does not answer; see {self.log}{log_tail(self.log)}")

    @abstractmethod
    def answers(self) -> bool:
        """Says whether the server answers by now."""

    @abstractmethod
    def stop(self) -> None:
        """Stops the server, waiting for no client."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()
