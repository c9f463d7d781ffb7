"""Bars for what takes a while, where somebody watches."""

import sys
from typing import BinaryIO, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars


class _Shown:
    """Bars on stderr while the block runs, if a person is there to see them."""

    def __init__(self, *columns: ProgressColumn, is_shown: bool) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            *columns,
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not (is_shown and sys.stderr.isatty()),
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._bars.stop()


class Progress(_Shown):
    """One bar for all files, and one for the chunks of the file at hand; on stderr."""

    def __init__(self, files: int, *, is_shown: bool) -> None:
        super().__init__(MofNCompleteColumn(), is_shown=is_shown)
        self._files = self._bars.add_task("documents", total=files)
        self._chunks = self._bars.add_task("", total=None, visible=False)

    def begin(self, name: str) -> None:
        """Tells which file is at hand."""
        self._bars.reset(self._chunks, description=name, visible=True)

    def tell(self, state: str, done: int, total: int) -> None:
        """Tells how far it is."""
        self._bars.update(
            self._chunks, completed=done, total=total or None, description=state.lower()
        )

    def end(self) -> None:
        """Tells that it is done."""
        self._bars.advance(self._files)


class Transfer(_Shown):
    """One bar for the bytes of one file; on stderr."""

    def __init__(self, name: str, *, is_shown: bool) -> None:
        super().__init__(DownloadColumn(), TransferSpeedColumn(), is_shown=is_shown)
        self._bytes = self._bars.add_task(name, total=None)

    def tell(self, done: int, total: int) -> None:
        """Tells how many bytes are there, and of how many."""
        self._bars.update(self._bytes, completed=done, total=total)

    def reading(self, file: BinaryIO, size: int) -> BinaryIO:
        """Returns a file that tells how much of it was read."""
        return self._bars.wrap_file(file, total=size, task_id=self._bytes)
