"""Sources: folders that are kept as a server's resources are."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.conftest import Keys, Schemas
from tests.embedding.knowledge.serving import library, settings_for
from tests.embedding.sources.feeding import Feed, Wiki, counts, hanging
from tests.tool_registry.serving import Registry
from tests.waiting import refusal, until
from turnpike.api.embedding.v1 import collection_service_pb2, document_service_pb2
from turnpike.api.embedding.v1 import source_service_pb2 as pb
from turnpike.database.migration import MigrationUrls
from turnpike.embedding.settings import Settings
from turnpike.embedding.sources.run_rows import KEPT


async def execute(feed: Feed, statement: str, **values: Any) -> None:
    """Changes the tenant's rows behind everybody's back."""
    async with feed.tenant.library.superuser() as connection:
        await connection.execute(text("SET LOCAL search_path = embedding"))
        await connection.execute(text(statement), {"tenant": UUID(feed.tenant.id), **values})


async def test_resources_become_documents_and_only_what_changed_is_read_and_written(
    feed: Feed, wiki: Wiki
):
    wiki.say("file:///a/one.md", "# One\n\nFirst.", at="2026-01-01")
    wiki.say("file:///two.md", "# Two\n\nSecond.", at="2026-01-01")
    wiki.say("file:///bare.md", "# Three\n\nSays not when.")

    made = await feed.put()
    first = await feed.ended()

    assert (made.change, made.source.folder) == (pb.SOURCE_CHANGE_CREATED, "/wiki")
    assert (first.state, first.listed) == (pb.SOURCE_RUN_STATE_SUCCEEDED, 3)
    assert counts(first) == {"added": 3}
    places = ["/wiki/a/one.md", "/wiki/bare.md", "/wiki/two.md"]
    assert await feed.tenant.paths() == places
    found = await feed.tenant.get("/wiki/a/one.md")
    assert (found.title, dict(found.metadata)) == ("One", {"uri": "file:///a/one.md"})
    for place in places:
        await feed.tenant.indexed(place)
    feed.tenant.embedded.clear()
    wiki.reads.clear()

    again = await feed.run()

    assert counts(again) == {"unchanged": 3}
    assert wiki.reads == ["file:///bare.md"]
    assert await feed.changes() == ["sync"] * 3

    wiki.say("file:///two.md", "# Two\n\nSecond, changed.", at="2026-01-02")
    wiki.say("file:///a/one.md", "# One\n\nFirst.", at="2026-01-02")
    changed = await feed.run()

    assert counts(changed) == {"changed": 1, "unchanged": 2}
    assert (await feed.tenant.indexed("/wiki/two.md")).embedded == 1
    assert feed.tenant.embedded == ["# Two\n\nSecond, changed."]
    assert (await feed.tenant.get("/wiki/a/one.md")).revision == 1
    wiki.reads.clear()
    assert counts(await feed.run(anew=True)) == {"unchanged": 3}
    assert sorted(wiki.reads) == sorted(wiki.texts)


async def test_what_is_gone_is_deleted_as_a_revision_that_can_be_taken_back(feed: Feed, wiki: Wiki):
    wiki.say("file:///a/one.md", "one")
    wiki.say("file:///two.md", "two")
    await feed.put()
    await feed.ended()
    wiki.forget("file:///a/one.md")

    assert counts(await feed.run()) == {"removed": 1, "unchanged": 1}

    assert await feed.tenant.paths() == ["/wiki/two.md"]
    assert await feed.tenant.folders() == ["/wiki"]
    removed = (await feed.items())["file:///a/one.md"]
    assert removed.state == pb.SOURCE_ITEM_STATE_REMOVED
    assert counts(await feed.run()) == {"unchanged": 1}
    (last, *_) = (
        await feed.tenant.call(
            "ListChanges", document_service_pb2.ListChangesRequest(collection="notes")
        )
    ).changes
    await feed.tenant.call(
        "RevertChanges",
        document_service_pb2.RevertChangesRequest(collection="notes", change=last.id),
    )
    assert await feed.tenant.paths() == ["/wiki/a/one.md", "/wiki/two.md"]
    assert counts(await feed.run()) == {"unchanged": 1}
    assert await feed.tenant.paths() == ["/wiki/a/one.md", "/wiki/two.md"]


async def test_what_was_gone_and_is_back_is_the_same_document(feed: Feed, wiki: Wiki):
    wiki.say("file:///one.md", "one")
    await feed.put()
    await feed.ended()
    before = await feed.tenant.get("/wiki/one.md")
    wiki.forget("file:///one.md")
    await feed.run()
    wiki.say("file:///one.md", "one")

    assert counts(await feed.run()) == {"added": 1}

    after = await feed.tenant.get("/wiki/one.md")
    assert (after.id, after.revision, after.digest) == (before.id, 3, before.digest)


async def test_of_a_list_that_was_cut_nothing_is_taken_for_gone(feed: Feed, wiki: Wiki):
    wiki.say("file:///one.md", "one")
    wiki.say("file:///two.md", "two")
    await feed.put()
    await feed.ended()
    wiki.forget("file:///two.md")
    wiki.endless = True

    cut = await feed.run()

    assert (cut.incomplete, counts(cut)) == (True, {"unchanged": 1})
    assert await feed.tenant.paths() == ["/wiki/one.md", "/wiki/two.md"]


async def test_each_item_fares_by_itself_and_says_how(feed: Feed, wiki: Wiki):
    wiki.say("file:///good.md", "good")
    wiki.say("file:///broken.md", "unreadable")
    wiki.broken.add("file:///broken.md")
    wiki.say("file:///picture.png", "", mimeType="image/png")
    wiki.say("file:///huge.md", "", size=2**40)
    wiki.texts["file:///by-template.md"] = "filled in"
    await feed.put(uris=["file:///by-template.md", "file:///nowhere.md"])

    run = await feed.ended()

    assert run.state == pb.SOURCE_RUN_STATE_PARTIAL
    assert counts(run) == {"added": 2, "failed": 2, "skipped": 2}
    items = await feed.items()
    assert {uri.rpartition("/")[2]: item.reason for uri, item in items.items()} == {
        "good.md": "",
        "by-template.md": "",
        "broken.md": "RESOURCE_REFUSED",
        "nowhere.md": "NOT_FOUND",
        "picture.png": "MEDIA_TYPE_UNKNOWN",
        "huge.md": "RESOURCE_TOO_LARGE",
    }
    assert list(await feed.items(state=pb.SOURCE_ITEM_STATE_FAILED)) == [
        "file:///broken.md",
        "file:///nowhere.md",
    ]
    assert "file:///picture.png" not in wiki.reads
    wiki.broken.clear()
    wiki.texts["file:///nowhere.md"] = "here"
    repaired = await feed.run()
    assert (repaired.state, counts(repaired)) == (
        pb.SOURCE_RUN_STATE_SUCCEEDED,
        {"added": 2, "unchanged": 2, "skipped": 2},
    )


async def test_what_people_changed_is_left_alone_and_said_to_be(feed: Feed, wiki: Wiki):
    for name in ("edited", "deleted", "moved", "mine"):
        wiki.say(f"file:///{name}.md", "theirs")
    await feed.tenant.put("/wiki/mine.md", "a person's own")
    await feed.put()
    first = await feed.ended()
    assert (counts(first), (await feed.items())["file:///mine.md"].reason) == (
        {"added": 3, "failed": 1},
        "PATH_TAKEN",
    )
    await feed.tenant.put("/wiki/edited.md", "a person's")
    place: dict[str, Any] = {"collection": "notes"}
    await feed.tenant.call(
        "DeleteDocument",
        document_service_pb2.DeleteDocumentRequest(path="/wiki/deleted.md", **place),
    )
    await feed.tenant.call(
        "MoveDocument",
        document_service_pb2.MoveDocumentRequest(path="/wiki/moved.md", new_path="/m.md", **place),
    )
    assert counts(await feed.run()) == {"unchanged": 3, "failed": 1}
    for name in ("edited", "deleted", "moved"):
        wiki.say(f"file:///{name}.md", "theirs, newer")

    run = await feed.run()

    assert counts(run) == {"skipped": 3, "failed": 1}
    reasons = {item.reason for item in (await feed.items()).values()}
    assert reasons == {"EDITED_HERE", "PATH_TAKEN"}
    assert await feed.tenant.paths() == ["/m.md", "/wiki/edited.md", "/wiki/mine.md"]
    assert (await feed.tenant.read("/wiki/edited.md")).text == "a person's"

    await feed.put(on_edit=pb.ON_EDIT_OVERWRITE)
    overwritten = await feed.ended()
    assert counts(overwritten) == {"added": 1, "changed": 2, "failed": 1}
    assert await feed.tenant.paths() == [
        "/wiki/deleted.md",
        "/wiki/edited.md",
        "/wiki/mine.md",
        "/wiki/moved.md",
    ]
    assert (await feed.tenant.read("/wiki/edited.md")).text == "theirs, newer"
    assert (await feed.tenant.read("/wiki/mine.md")).text == "a person's own"


async def test_sources_stand_beside_each_other_and_own_their_folders(feed: Feed, wiki: Wiki):
    wiki.say("file:///x/one.md", "one")
    wiki.say("file:///y/two.md", "two")
    await asyncio.gather(
        feed.put("left", include=["file:///x/*"], folder="/l"),
        feed.put("right", exclude=["file:///x/*"], folder="/r/deep"),
    )
    assert counts(await feed.ended("left")) == counts(await feed.ended("right")) == {"added": 1}
    assert await feed.tenant.paths() == ["/l/x/one.md", "/r/deep/y/two.md"]

    for folder in ("/r/deep", "/r", "/r/deep/er", "/"):
        refused = await refusal(feed.put("third", folder=folder))
        assert (refused.reason, refused.metadata["source"]) in (
            ("FOLDER_OWNED", "right"),
            ("FOLDER_OWNED", "left"),
        )
    # Both find the folder free, one by one: the second waits, and then sees the first.
    both = await asyncio.gather(
        feed.put("a", folder="/n/a"), feed.put("b", folder="/n"), return_exceptions=True
    )
    assert sum(isinstance(each, Exception) for each in both) == 1

    moved = await refusal(feed.put("left", folder="/elsewhere"))
    assert [field for field, _ in moved.fields] == ["source.folder"]
    await feed.call("DeleteSource", pb.DeleteSourceRequest(name="left"))
    assert "/l/x/one.md" in await feed.tenant.paths()
    await feed.put("again", include=["file:///x/*"], folder="/l")
    assert counts(await feed.ended("again")) == {"unchanged": 1}


async def test_a_run_that_is_taken_over_is_gone_on_with_and_nothing_is_written_twice(
    feed: Feed, wiki: Wiki, source_settings: Settings, source_urls: MigrationUrls, keys: Keys
):
    wiki.say("file:///one.md", "one")
    wiki.say("file:///two.md", "two", at="2026-01-01")
    slow = source_settings.model_copy(update={"source_read_seconds": 60})
    async with library(slow, keys, source_urls) as first:
        slow_feed = Feed(feed.tenant.on(first), feed.registry, wiki)
        async with hanging(wiki):
            # Whichever replica has it, it waits for the server.
            await slow_feed.put()
            await until(lambda: wiki.server.count("resources/read") >= 2, seconds=60)
            (run,) = await feed.runs()
            assert run.state == pb.SOURCE_RUN_STATE_RUNNING
            # As after a kill: the claim runs out, and somebody else comes.
            begun = wiki.server.count("resources/read")
            await execute(
                feed,
                "UPDATE sources SET fence = fence + 1, due_at = now() WHERE tenant = :tenant",
            )
            await until(lambda: wiki.server.count("resources/read") >= begun + 2, seconds=60)
        last = await feed.ended()

    assert (last.id, last.state) == (run.id, pb.SOURCE_RUN_STATE_SUCCEEDED)
    assert counts(last) == {"added": 2}
    for path in ("/wiki/one.md", "/wiki/two.md"):
        assert (await feed.tenant.get(path)).revision == 1
    assert await feed.changes() == ["sync", "sync"]


async def test_a_run_that_nobody_survives_ends_and_the_next_one_may_do_better(
    feed: Feed, wiki: Wiki
):
    wiki.say("file:///one.md", "one")
    async with hanging(wiki):
        await feed.put(paused=True)
        await feed.call("RunSource", pb.RunSourceRequest(name="wiki"))
        await until(lambda: wiki.server.count("resources/read") >= 1, seconds=60)
        await execute(
            feed,
            "UPDATE sources SET fence = fence + 1, attempts = 5, due_at = now()"
            " WHERE tenant = :tenant",
        )
        poisoned = await feed.ended()

    assert (poisoned.state, poisoned.reason) == (pb.SOURCE_RUN_STATE_FAILED, "POISONED")
    assert counts(await feed.run()) == {"added": 1}


async def test_a_server_that_hangs_ends_the_run_and_not_the_replica(
    wiki: Wiki, registry: Registry, schemas: Schemas, keys: Keys, tmp_path: Path
):
    # A database in which no replica with more patience runs sources.
    urls = await schemas.apart("embedding")
    patient = settings_for(urls, keys, tmp_path, tool_registry_target=registry.target)
    hasty = patient.model_copy(update={"source_read_seconds": 1})
    for number in range(9):
        wiki.say(f"file:///{number}.md", str(number))
    async with library(hasty, keys, urls) as replica:
        feed = Feed(replica.tenant(), registry, wiki)
        await feed.begin()
        async with hanging(wiki):
            await feed.put()
            run = await feed.ended()

        assert (run.state, run.reason, run.failed) == (
            pb.SOURCE_RUN_STATE_FAILED,
            "CONNECTOR_UNUSABLE",
            5,
        )
        assert {item.reason for item in (await feed.items()).values()} == {"DEADLINE_EXCEEDED"}
    async with library(patient, keys, urls) as replica:
        again = Feed(feed.tenant.on(replica), registry, wiki)
        assert counts(await again.run()) == {"added": 9}


async def test_why_nothing_can_be_read_is_the_run_s_reason(feed: Feed, wiki: Wiki):
    await feed.put("nowhere", connector="nowhere")
    assert (await feed.ended("nowhere")).reason == "NOT_FOUND"
    wiki.server.token = "secret"
    await feed.put()
    run = await feed.ended()
    assert (run.state, run.reason) == (pb.SOURCE_RUN_STATE_FAILED, "CONNECTOR_UNUSABLE")


async def test_runs_are_asked_for_queued_and_due_by_the_clock(feed: Feed, wiki: Wiki):
    wiki.say("file:///one.md", "one")
    await feed.put(interval=timedelta(hours=1))
    await feed.ended()
    due = (await feed.get()).next_run_time.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(minutes=50) < due < timedelta(minutes=70)

    async with hanging(wiki):
        await feed.call("RunSource", pb.RunSourceRequest(name="wiki"))
        await until(lambda: wiki.server.count("resources/read") >= 2, seconds=60)
        behind = [
            (await feed.call("RunSource", pb.RunSourceRequest(name="wiki", anew=anew))).run.id
            for anew in (False, True)
        ]
    assert len(set(behind)) == 1

    async def is_over() -> bool:
        return (await feed.ended()).id == behind[0]

    await until(is_over, seconds=60, every=0.1)
    before = len(await feed.runs())
    await execute(feed, "UPDATE sources SET due_at = now() WHERE tenant = :tenant")
    await until(lambda: _has_runs(feed, before + 1), seconds=60, every=0.1)
    await feed.put(interval=timedelta(hours=1), paused=True)
    await feed.ended()
    assert not (await feed.get()).HasField("next_run_time")


async def _has_runs(feed: Feed, wanted: int) -> bool:
    return len(await feed.runs()) >= wanted


async def test_old_runs_are_forgotten(feed: Feed):
    await feed.put()
    await feed.ended()
    await execute(
        feed,
        "INSERT INTO source_runs (tenant, source, state, anew)"
        " SELECT tenant, id, 'SUCCEEDED', false FROM sources, generate_series(1, :kept)"
        " WHERE tenant = :tenant",
        kept=KEPT,
    )

    newest = await feed.run()

    request = pb.ListSourceRunsRequest(name="wiki", page_size=500)
    kept = (await feed.call("ListSourceRuns", request)).runs
    assert (len(kept), kept[0].id) == (KEPT, newest.id)


async def test_a_source_is_changed_tried_and_refused_as_everything_that_is_configured(
    feed: Feed,
):
    tried = await feed.call(
        "UpdateSource",
        pb.UpdateSourceRequest(
            source=pb.Source(name="wiki", collection="notes", connector="wiki"),
            allow_missing=True,
            validate_only=True,
        ),
    )
    assert (tried.change, tried.source.folder) == (pb.SOURCE_CHANGE_CREATED, "/wiki")
    assert (await refusal(feed.get())).reason == "NOT_FOUND"

    made = (await feed.put(paused=True)).source
    assert (await feed.put(paused=True)).change == pb.SOURCE_CHANGE_UNCHANGED
    request = pb.UpdateSourceRequest(source=made, etag="another")
    assert (await refusal(feed.call("UpdateSource", request))).reason == "ETAG_MISMATCH"
    assert (await refusal(feed.put("x", collection="nowhere"))).reason == "NOT_FOUND"
    listed = await feed.call("ListSources", pb.ListSourcesRequest(collection="notes"))
    assert [each.name for each in listed.sources] == ["wiki"]
    other = await refusal(
        feed.tenant.library.sources.GetSource(
            pb.GetSourceRequest(name="wiki"),
            metadata=feed.tenant.library.tenant().as_principal("owner"),
        )
    )
    assert other.reason == "NOT_FOUND"


@pytest.mark.parametrize("runs", ["paused", "under way"])
async def test_a_collection_is_deleted_with_its_sources(feed: Feed, wiki: Wiki, runs: str):
    wiki.say("file:///one.md", "one")
    async with hanging(wiki):
        await feed.put(paused=runs == "paused")
        if runs == "under way":
            await until(lambda: wiki.server.count("resources/read") >= 1, seconds=60)
        await feed.tenant.library.collections.DeleteCollection(
            collection_service_pb2.DeleteCollectionRequest(name="notes"),
            metadata=feed.tenant.as_principal("admin"),
        )
    assert (await refusal(feed.get())).reason == "NOT_FOUND"
