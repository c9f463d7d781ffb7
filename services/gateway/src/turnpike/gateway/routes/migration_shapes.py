"""Collections' ways to other models, as JSON."""

from typing import Annotated

from pydantic import Field

from turnpike.api.embedding.v1 import collection_service_pb2
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.routes.replies import time_of
from turnpike.gateway.routes.shapes import Reply, Request, Text, Time

_MIGRATION_STATES = {
    value: name.removeprefix("MIGRATION_STATE_")
    for name, value in collection_service_pb2.MigrationState.items()
}


class NewMigration(Request):
    """Which model a collection is to have."""

    model: Annotated[Text, Field(max_length=128)] = Field(
        default="", description="Empty: the default model."
    )


class Migration(Reply):
    """A collection's way to another model's vectors."""

    source: str
    target: str
    state: str = Field(description="`RUNNING REPLACING ACTIVATED ABORTED`.")
    done: int = Field(description="Texts that have the new vectors, former revisions' too.")
    total: int
    failed: int
    sample: int = Field(description="How many questions both models were asked.")
    recall: float = Field(description="What a search finds of the ten nearest by the new vectors.")
    agreement: float = Field(description="How many of the old ten documents are in the new ten.")
    source_hits: float = Field(description="How often the old ten have a question's own document.")
    target_hits: float
    created: Time
    ended: Time | None = Field(description="When the vectors not wanted any more were gone.")


def to_migration(message: collection_service_pb2.Migration) -> Migration:
    """Returns a migration as JSON has it."""
    return Migration(
        source=message.source,
        target=message.target,
        state=_MIGRATION_STATES[message.state],
        done=message.done,
        total=message.total,
        failed=message.failed,
        sample=message.sample,
        recall=message.recall,
        agreement=message.agreement,
        source_hits=message.source_hits,
        target_hits=message.target_hits,
        created=rfc3339(message.create_time),
        ended=time_of(message, "end_time"),
    )
