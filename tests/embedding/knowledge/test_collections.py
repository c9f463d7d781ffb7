"""Collections that are made what they are to be."""

from typing import Any

import pytest

from tests.embedding.knowledge.serving import Library, Tenant
from tests.waiting import refusal
from turnpike.api.embedding.v1 import collection_service_pb2 as pb

CREATED = pb.COLLECTION_CHANGE_CREATED
CHANGED = pb.COLLECTION_CHANGE_CHANGED
UNCHANGED = pb.COLLECTION_CHANGE_UNCHANGED


async def put(tenant: Tenant, *, fields: Any = None, **how: Any) -> pb.UpdateCollectionResponse:
    asked: dict[str, Any] = {"allow_missing": True, **how}
    collection = pb.Collection(name="notes", **(fields or {}))
    request = pb.UpdateCollectionRequest(collection=collection, **asked)
    return await tenant.library.collections.UpdateCollection(
        request, metadata=tenant.as_principal("admin")
    )


async def test_a_collection_is_created_changed_and_left_alone(shelves: Library) -> None:
    tenant, wanted = shelves.tenant(), {"language": "german", "metadata": {"of": "mine"}}

    would = await put(tenant, fields=wanted, validate_only=True)
    missing = await refusal(put(tenant, fields=wanted, allow_missing=False))
    made = await put(tenant, fields=wanted)
    again = await put(tenant, fields=wanted)
    only_said = await put(tenant, fields={"metadata": {"of": "yours"}}, validate_only=True)
    changed = await put(tenant, fields={"metadata": {"of": "yours"}})

    assert (would.change, missing.reason) == (CREATED, "NOT_FOUND")
    assert (made.change, made.collection.language) == (CREATED, "german")
    assert (again.change, again.collection.etag) == (UNCHANGED, made.collection.etag)
    assert only_said.change == changed.change == CHANGED
    assert changed.collection.metadata["of"] == "yours"
    stale = await refusal(put(tenant, fields=wanted, etag=made.collection.etag))
    assert stale.reason == "ETAG_MISMATCH"


@pytest.mark.parametrize(
    "other",
    [{"language": "english"}, {"max_tokens": 32}, {"overlap": 8}, {"model": "nowhere"}],
    ids=lambda other: next(iter(other)),
)
async def test_what_a_collection_was_made_with_stays(
    shelves: Library, other: dict[str, Any]
) -> None:
    tenant = shelves.tenant()
    await put(tenant, fields={"language": "german", "model": "all-minilm-l6-v2"})

    same = await put(tenant, fields={"language": "german", "model": "default"})
    error = await refusal(put(tenant, fields=other))

    assert same.change == UNCHANGED
    if "model" in other:
        assert error.reason == "NOT_FOUND"
    else:
        assert [field for field, _ in error.fields] == [f"collection.{next(iter(other))}"]
