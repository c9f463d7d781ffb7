"""Sources, runs and items as messages."""

from datetime import datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from turnpike.api.embedding.v1 import source_service_pb2 as pb
from turnpike.embedding.sources.model import (
    Change,
    Item,
    ItemState,
    NewSource,
    RunState,
    Source,
    SourceRun,
    Spec,
)

_DAY = 86_400
_RUN_STATES = {
    RunState.QUEUED: pb.SOURCE_RUN_STATE_QUEUED,
    RunState.RUNNING: pb.SOURCE_RUN_STATE_RUNNING,
    RunState.SUCCEEDED: pb.SOURCE_RUN_STATE_SUCCEEDED,
    RunState.PARTIAL: pb.SOURCE_RUN_STATE_PARTIAL,
    RunState.FAILED: pb.SOURCE_RUN_STATE_FAILED,
}
_ITEM_STATES = {
    ItemState.OK: pb.SOURCE_ITEM_STATE_OK,
    ItemState.FAILED: pb.SOURCE_ITEM_STATE_FAILED,
    ItemState.SKIPPED: pb.SOURCE_ITEM_STATE_SKIPPED,
    ItemState.REMOVED: pb.SOURCE_ITEM_STATE_REMOVED,
}
_STATES_OF_ITEMS = {message: state for state, message in _ITEM_STATES.items()}
CHANGES = {
    Change.CREATED: pb.SOURCE_CHANGE_CREATED,
    Change.CHANGED: pb.SOURCE_CHANGE_CHANGED,
    Change.UNCHANGED: pb.SOURCE_CHANGE_UNCHANGED,
}


def to_new_source(message: pb.Source) -> NewSource:
    """Returns what a source is to be."""
    seconds = message.interval.seconds if message.HasField("interval") else _DAY
    return NewSource(
        name=message.name,
        collection=message.collection,
        folder=message.folder,
        spec=Spec(
            connector=message.connector,
            include=tuple(message.include),
            exclude=tuple(message.exclude),
            uris=tuple(dict.fromkeys(message.uris)),
            seconds=seconds,
            paused=message.paused,
            overwrites=message.on_edit == pb.ON_EDIT_OVERWRITE,
        ),
    )


def source_to_wire(source: Source) -> pb.Source:
    """Returns a source as a message."""
    spec = source.spec
    return pb.Source(
        name=source.name,
        collection=source.collection,
        folder=source.folder,
        connector=spec.connector,
        include=spec.include,
        exclude=spec.exclude,
        uris=spec.uris,
        interval=timedelta(seconds=spec.seconds),
        paused=spec.paused,
        on_edit=pb.ON_EDIT_OVERWRITE if spec.overwrites else pb.ON_EDIT_KEEP,
        principal=source.principal,
        etag=source.etag,
        next_run_time=_time(source.due),
        last_run=run_to_wire(source.last_run) if source.last_run else None,
        create_time=_time(source.created),
        update_time=_time(source.updated),
    )


def run_to_wire(run: SourceRun) -> pb.SourceRun:
    """Returns a run as a message."""
    counts = run.counts
    return pb.SourceRun(
        id=run.id,
        state=_RUN_STATES[run.state],
        reason=run.reason,
        detail=run.detail,
        listed=counts.listed,
        added=counts.added,
        changed=counts.changed,
        unchanged=counts.unchanged,
        removed=counts.removed,
        failed=counts.failed,
        skipped=counts.skipped,
        incomplete=run.incomplete,
        create_time=_time(run.created),
        start_time=_time(run.started),
        end_time=_time(run.ended),
    )


def item_to_wire(item: Item) -> pb.SourceItem:
    """Returns an item as a message."""
    return pb.SourceItem(
        uri=item.uri,
        document=str(item.document or ""),
        path=item.path,
        state=_ITEM_STATES[item.state],
        reason=item.reason,
        detail=item.detail,
        update_time=_time(item.updated),
    )


def to_item_state(message: int) -> ItemState | None:
    """Returns the state that items are to have; None for any."""
    return _STATES_OF_ITEMS.get(message)  # pyright: ignore[reportArgumentType] # an enum's number


def _time(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
