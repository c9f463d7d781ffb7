"""Threads, and what was said in them."""

from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from turnpike.api.agent_runtime.v1 import thread_service_pb2 as pb
from turnpike.api.agent_runtime.v1.thread_service_pb2_grpc import ThreadServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.routes.parameters import Page
from turnpike.gateway.routes.replies import problems, reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Metadata, Reply, Request, Text, Time


class NewThread(Request):
    """A thread to make."""

    title: Text = ""
    metadata: Metadata = Field(default={})
    temporary: bool = False


class ThreadPatch(Request):
    """What to change of a thread; what is left out stays."""

    title: Text | None = None
    metadata: Metadata | None = None


class Thread(Reply):
    """A conversation."""

    id: str
    title: str
    metadata: dict[str, str]
    temporary: bool
    created: Time
    updated: Time


class ThreadPage(Reply):
    """A page of threads."""

    threads: list[Thread]
    next_page_token: str


class TextPart(Reply):
    """A piece of a message."""

    type: Literal["text"] = "text"
    text: str


class FilePart(Reply):
    """A file of a message, as it was when it was given."""

    type: Literal["file", "image"]
    file: str = Field(description="The file's id.")
    name: str
    media_type: str
    size: int
    sha256: str


class Message(Reply):
    """What one side said in a turn."""

    id: str
    role: str
    parts: list[TextPart | FilePart]
    turn: str
    unfinished: bool
    created: Time


class MessagePage(Reply):
    """A page of messages, oldest first."""

    messages: list[Message]
    next_page_token: str


class ThreadRoutes:
    """`/api/v1/threads`."""

    def __init__(self, threads: ThreadServiceStub) -> None:
        self._threads = threads

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        one = "/api/v1/threads/{thread:name}"
        router.add_api_route(
            "/api/v1/threads",
            self.list_threads,
            methods=["GET"],
            response_model=ThreadPage,
            responses=problems(),
        )
        router.add_api_route(
            "/api/v1/threads",
            self.create_thread,
            methods=["POST"],
            status_code=201,
            response_model=Thread,
            responses=problems(413, 415),
        )
        router.add_api_route(
            one, self.get_thread, methods=["GET"], response_model=Thread, responses=problems(404)
        )
        router.add_api_route(
            one,
            self.update_thread,
            methods=["PATCH"],
            response_model=Thread,
            responses=problems(404, 413, 415),
        )
        router.add_api_route(
            one,
            self.delete_thread,
            methods=["DELETE"],
            status_code=204,
            responses=problems(404, 413, 415),
        )
        router.add_api_route(
            f"{one}/messages",
            self.list_messages,
            methods=["GET"],
            response_model=MessagePage,
            responses=problems(404),
        )
        return router

    async def list_threads(self, call: CurrentCall, page: Page) -> Response:
        """Lists threads, newest first."""
        request = pb.ListThreadsRequest(**page)
        response = await call.read(self._threads.ListThreads, request)
        threads = [_thread(each) for each in response.threads]
        return reply(ThreadPage(threads=threads, next_page_token=response.next_page_token))

    async def create_thread(self, call: CurrentCall, body: NewThread) -> Response:
        """Makes an empty thread."""
        thread = pb.Thread(title=body.title, metadata=body.metadata, temporary=body.temporary)
        response = await call.change(
            self._threads.CreateThread, pb.CreateThreadRequest(thread=thread), {"thread.": ""}
        )
        made = _thread(response.thread)
        return reply(made, 201, {"location": f"/api/v1/threads/{made.id}"})

    async def get_thread(self, call: CurrentCall, thread: str) -> Response:
        """Returns a thread."""
        response = await call.read(self._threads.GetThread, pb.GetThreadRequest(id=thread))
        return reply(_thread(response.thread))

    async def update_thread(self, call: CurrentCall, thread: str, body: ThreadPatch) -> Response:
        """Changes a thread's title, its metadata, or both."""
        request = pb.UpdateThreadRequest(
            id=thread,
            title=body.title,
            metadata=body.metadata or {},
            replace_metadata=body.metadata is not None,
        )
        response = await call.read(self._threads.UpdateThread, request)
        return reply(_thread(response.thread))

    async def delete_thread(self, call: CurrentCall, thread: str) -> Response:
        """Deletes a thread with its turns and messages, and no other."""
        await call.read(self._threads.DeleteThread, pb.DeleteThreadRequest(id=thread))
        return Response(status_code=204)

    async def list_messages(self, call: CurrentCall, thread: str, page: Page) -> Response:
        """Lists a thread's messages, oldest first."""
        request = pb.ListMessagesRequest(thread=thread, **page)
        response = await call.read(self._threads.ListMessages, request)
        messages = [_message(each) for each in response.messages]
        return reply(MessagePage(messages=messages, next_page_token=response.next_page_token))


def _thread(thread: pb.Thread) -> Thread:
    return Thread(
        id=thread.id,
        title=thread.title,
        metadata=dict(thread.metadata),
        temporary=thread.temporary,
        created=rfc3339(thread.create_time),
        updated=rfc3339(thread.update_time),
    )


def _message(message: Any) -> Message:
    return Message(
        id=message.id,
        role=message.role,
        parts=[_part(part) for part in message.parts],
        turn=message.turn,
        unfinished=message.unfinished,
        created=rfc3339(message.create_time),
    )


def _part(part: Any) -> TextPart | FilePart:
    if not part.HasField("file"):
        return TextPart(text=part.text)
    file = part.file
    return FilePart(
        type="image" if file.image else "file",
        file=file.file,
        name=file.name,
        media_type=file.media_type,
        size=file.size,
        sha256=file.sha256,
    )
