"""One run of a source: what its server has is read, and its folder becomes that."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.embedding.claims import renewing
from turnpike.embedding.knowledge.errors import TenantLimitError
from turnpike.embedding.sources import item_rows, run_rows
from turnpike.embedding.sources.errors import ItemError, ItemSkippedError, RunEndedError
from turnpike.embedding.sources.fetching import Fetched, fetch
from turnpike.embedding.sources.model import (
    Begun,
    Counts,
    Item,
    ItemState,
    Job,
    Listing,
    Resource,
    RunState,
)
from turnpike.embedding.sources.registry import Registry
from turnpike.embedding.sources.shelving import Shelf
from turnpike.embedding.sources.uris import Paths, is_wanted

AT_ONCE = 4
"""How many resources of a source are read at a time."""

_MOST_TIMEOUTS = 5
"""After how many resources that never come a server is taken to hang."""

_Failure: TypeAlias = ItemError | ItemSkippedError


@dataclass(slots=True)
class _Going:
    """A run under way."""

    job: Job
    run: Begun
    known: Mapping[str, Item]
    paths: Paths
    unchanged: int = 0
    failed: int = 0
    skipped: int = 0
    timeouts: int = 0
    listed: dict[str, Resource] = field(default_factory=dict[str, Resource])

    @property
    def counts(self) -> Counts:
        return Counts(unchanged=self.unchanged, failed=self.failed, skipped=self.skipped)


class Syncing:
    """Runs sources; what was done of a run is there for whoever does the rest."""

    def __init__(self, engine: AsyncEngine, registry: Registry, shelf: Shelf) -> None:
        self._engine = engine
        self._registry = registry
        self._shelf = shelf

    async def run(self, job: Job) -> None:
        """Does a run.

        Raises:
            ClaimLostError: It is somebody else's by now, or the source is gone.
            UnavailableError: Something that is needed does not answer.
        """
        async with renewing(lambda: self._renew(job), job.source):
            going = await self._begun(job)
            state, reason, detail = RunState.SUCCEEDED, "", ""
            try:
                await self._sync(going)
            except RunEndedError as error:
                state, reason, detail = RunState.FAILED, error.reason, str(error)
            except TenantLimitError as error:
                state, reason, detail = RunState.FAILED, error.reason, str(error)
            if state is RunState.SUCCEEDED and going.failed:
                state = RunState.PARTIAL
            await self._end(going, state, reason, detail)

    async def poison(self, job: Job) -> None:
        """Ends a run that nobody survived; raises `ClaimLostError`."""
        going = await self._begun(job)
        detail = f"{job.attempts - 1} attempts did not end"
        await self._end(going, RunState.FAILED, "POISONED", detail)

    async def release(self, job: Job, *, seconds: float) -> None:
        """Gives a run back; raises `ClaimLostError`."""
        async with tenant_transaction(self._engine, job.tenant) as connection:
            await run_rows.release(connection, job, seconds=seconds)

    async def _renew(self, job: Job) -> None:
        async with tenant_transaction(self._engine, job.tenant) as connection:
            await run_rows.renew(connection, job)

    async def _begun(self, job: Job) -> _Going:
        async with tenant_transaction(self._engine, job.tenant) as connection:
            run = await run_rows.begin(connection, job)
            known = await item_rows.of_source(connection, job.tenant, job.source)
        paths = Paths(job.folder, (item.path for item in known.values()))
        return _Going(job, run, known, paths)

    async def _end(self, going: _Going, state: RunState, reason: str, detail: str) -> None:
        async with tenant_transaction(self._engine, going.job.tenant) as connection:
            await run_rows.end(
                connection, going.job, going.run, going.counts, state, reason=reason, detail=detail
            )

    async def _sync(self, going: _Going) -> None:
        listing = await self._listing(going.job)
        going.listed = _wanted(going.job, listing)
        async with tenant_transaction(self._engine, going.job.tenant) as connection:
            await run_rows.note_listing(
                connection,
                going.job,
                going.run,
                listed=len(going.listed),
                incomplete=listing.incomplete,
            )
        for group in _groups(self._changed(going)):
            found = await asyncio.gather(*(self._fetched(going.job, each) for each in group))
            for resource, fetched in zip(group, found, strict=True):
                await self._take(going, resource, fetched)
        # Of a list that was cut nobody knows what is gone.
        if not listing.incomplete:
            for uri, item in going.known.items():
                if uri not in going.listed and item.state is not ItemState.REMOVED:
                    await self._remove(going, item)

    async def _listing(self, job: Job) -> Listing:
        try:
            return await self._registry.list_all(job)
        except RunEndedError as error:
            # A server of templates alone lists nothing.
            if error.reason == "RESOURCES_UNSUPPORTED" and job.spec.uris:
                return Listing((), incomplete=False)
            raise

    def _changed(self, going: _Going) -> Iterator[Resource]:
        """Yields what has to be read: all but what the server says is as before."""
        for resource in going.listed.values():
            known = going.known.get(resource.uri)
            if going.run.anew or known is None or not resource.mark or known.mark != resource.mark:
                yield resource
            elif known.state is ItemState.OK:
                going.unchanged += known.run != going.run.id
            elif known.state is ItemState.SKIPPED:
                going.skipped += 1
            else:
                yield resource

    async def _fetched(self, job: Job, resource: Resource) -> Fetched | _Failure:
        try:
            return await fetch(self._registry, job, resource)
        except (ItemError, ItemSkippedError) as error:
            return error

    async def _take(self, going: _Going, resource: Resource, fetched: Fetched | _Failure) -> None:
        known = going.known.get(resource.uri)
        item = known or Item(
            uri=resource.uri,
            path=going.paths.of(resource.uri, _stated(resource, fetched)),
            state=ItemState.FAILED,
        )
        if isinstance(fetched, Exception):
            await self._leave(going, item, resource.mark, fetched)
            return
        if known and known.digest == fetched.digest and known.state is ItemState.OK:
            going.unchanged += known.run != going.run.id
            if known.mark != resource.mark:
                await self._note(going, replace(known, mark=resource.mark))
            return
        wanted = replace(item, mark=resource.mark, digest=fetched.digest)
        try:
            is_other = await self._shelf.put(going.job, going.run, wanted, fetched.draft)
        except (ItemError, ItemSkippedError) as error:
            # Read again each time: nobody says when its editor takes that back.
            await self._leave(going, item, "", error)
        else:
            going.unchanged += not is_other

    async def _remove(self, going: _Going, item: Item) -> None:
        try:
            await self._shelf.remove(going.job, going.run, item)
        except ItemSkippedError as error:
            await self._leave(going, item, "", error)

    async def _leave(self, going: _Going, item: Item, mark: str, why: _Failure) -> None:
        """Notes why an item is not what its server has."""
        is_skipped = isinstance(why, ItemSkippedError)
        going.skipped += is_skipped
        going.failed += not is_skipped
        going.timeouts += why.reason == "DEADLINE_EXCEEDED"
        state = ItemState.SKIPPED if is_skipped else ItemState.FAILED
        left = replace(
            item,
            state=state,
            reason=why.reason,
            detail=str(why),
            mark=mark if is_skipped else "",
        )
        if item != left:
            await self._note(going, left)
        if going.timeouts == _MOST_TIMEOUTS:
            raise RunEndedError("CONNECTOR_UNUSABLE", f"{_MOST_TIMEOUTS} resources never came")

    async def _note(self, going: _Going, item: Item) -> None:
        async with tenant_transaction(self._engine, going.job.tenant) as connection:
            await run_rows.hold(connection, going.job)
            await item_rows.put(connection, going.job, going.run, item)


def _wanted(job: Job, listing: Listing) -> dict[str, Resource]:
    spec = job.spec
    listed = {
        each.uri: each
        for each in listing.resources
        if is_wanted(each.uri, spec.include, spec.exclude)
    }
    return listed | {uri: Resource(uri=uri) for uri in spec.uris if uri not in listed}


def _stated(resource: Resource, fetched: Fetched | _Failure) -> str:
    return fetched.draft.media_type if isinstance(fetched, Fetched) else resource.media_type


def _groups(resources: Iterable[Resource]) -> Iterator[Sequence[Resource]]:
    several = list(resources)
    for first in range(0, len(several), AT_ONCE):
        yield several[first : first + AT_ONCE]
