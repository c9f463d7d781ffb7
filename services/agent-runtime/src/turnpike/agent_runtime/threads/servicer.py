"""Serves turnpike.api.agent_runtime.v1.ThreadService."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from turnpike.agent_runtime.callers import person_of
from turnpike.agent_runtime.cursors import Cursors
from turnpike.agent_runtime.errors import NotFoundError
from turnpike.agent_runtime.threads.catalogue import Change, Threads
from turnpike.agent_runtime.threads.model import Exchange, Message, Thread
from turnpike.api.agent_runtime.v1 import thread_service_pb2 as pb
from turnpike.api.agent_runtime.v1.thread_service_pb2_grpc import ThreadServiceServicer
from turnpike.api.agent_runtime.v1.turn_service_pb2 import ContentPart, FilePart
from turnpike.rpc.paging import cursor_of, moment, number, page_size, page_token
from turnpike.rpc.served import Context


class ThreadServicer(ThreadServiceServicer):
    """Serves turnpike.api.agent_runtime.v1.ThreadService."""

    def __init__(self, threads: Threads, cursors: Cursors) -> None:
        self._threads = threads
        self._cursors = cursors

    async def CreateThread(
        self, request: pb.CreateThreadRequest, context: Context
    ) -> pb.CreateThreadResponse:
        thread = await self._threads.create(
            person_of(context, least="member"),
            title=_clean(request.thread.title),
            metadata=_cleaned(request.thread.metadata),
            temporary=request.thread.temporary,
            session=_clean(request.session),
        )
        return pb.CreateThreadResponse(thread=_thread_to_proto(thread))

    async def GetThread(
        self, request: pb.GetThreadRequest, context: Context
    ) -> pb.GetThreadResponse:
        thread = await self._threads.get(person_of(context), _identifier(request.id))
        return pb.GetThreadResponse(thread=_thread_to_proto(thread))

    async def ListThreads(
        self, request: pb.ListThreadsRequest, context: Context
    ) -> pb.ListThreadsResponse:
        size = page_size(request.page_size)
        threads = await self._threads.page(
            person_of(context), before=cursor_of(request.page_token, moment, UUID), limit=size + 1
        )
        last = threads[size - 1] if len(threads) > size else None
        return pb.ListThreadsResponse(
            threads=[_thread_to_proto(thread) for thread in threads[:size]],
            next_page_token=page_token(last.created, last.id) if last else "",
        )

    async def UpdateThread(
        self, request: pb.UpdateThreadRequest, context: Context
    ) -> pb.UpdateThreadResponse:
        change = Change(
            title=_clean(request.title) if request.HasField("title") else None,
            metadata=_cleaned(request.metadata) if request.replace_metadata else None,
        )
        thread = await self._threads.update(
            person_of(context, least="member"), _identifier(request.id), change
        )
        return pb.UpdateThreadResponse(thread=_thread_to_proto(thread))

    async def DeleteThread(
        self, request: pb.DeleteThreadRequest, context: Context
    ) -> pb.DeleteThreadResponse:
        person = person_of(context, least="member")
        await self._threads.delete(person, _identifier(request.id))
        return pb.DeleteThreadResponse()

    async def ListMessages(
        self, request: pb.ListMessagesRequest, context: Context
    ) -> pb.ListMessagesResponse:
        person, size = person_of(context), page_size(request.page_size)
        cursor = self._cursors.cursor(person.tenant, request.page_token, number, _given)
        position, given = cursor or (0, 0)
        found = await self._threads.exchanges(
            person,
            _identifier(request.thread),
            after=position - given,
            limit=size + 1,
        )
        said, last = _page(found, skip=given, size=size)
        return pb.ListMessagesResponse(
            messages=[_message_to_proto(message) for message in said],
            next_page_token=self._cursors.token(person.tenant, *last) if last else "",
        )


def _page(
    found: list[Exchange], *, skip: int, size: int
) -> tuple[list[Message], tuple[int, int] | None]:
    """Returns a page of messages, and where it ends when more follow.

    It may end between a question and its answer.
    """
    said = [
        (exchange.position, number, message)
        for exchange in found
        for number, message in enumerate((exchange.asked, exchange.answered), start=1)
        if message is not None
    ][skip:]
    last = (said[size - 1][0], said[size - 1][1] % 2) if len(said) > size else None
    return [message for _, _, message in said[:size]], last


def _given(text: str) -> int:
    """Parses whether a page ended between a question and its answer."""
    return ("0", "1").index(text)


def _clean(text: str) -> str:
    # Postgres stores no NUL.
    return text.replace("\0", "")


def _cleaned(metadata: Mapping[str, str]) -> dict[str, str]:
    return {_clean(name): _clean(value) for name, value in metadata.items()}


def _identifier(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError("thread", text) from None


def _thread_to_proto(thread: Thread) -> pb.Thread:
    return pb.Thread(
        id=str(thread.id),
        title=thread.title,
        metadata=dict(thread.metadata),
        temporary=thread.temporary,
        create_time=thread.created,
        update_time=thread.updated,
    )


def _message_to_proto(message: Message) -> pb.Message:
    return pb.Message(
        id=message.id,
        role=message.role,
        parts=[_part_to_proto(part) for part in message.parts],
        turn=str(message.turn),
        unfinished=message.unfinished,
        create_time=message.created,
    )


def _part_to_proto(part: Mapping[str, Any]) -> ContentPart:
    if "file" not in part:
        return ContentPart(text=part.get("text", ""))
    return ContentPart(
        file=FilePart(
            file=part["file"],
            image=part["type"] == "image",
            name=part["name"],
            media_type=part["media_type"],
            size=part["size"],
            sha256=part["sha256"],
        )
    )
