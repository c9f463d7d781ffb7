"""A turn is read to its end, whatever happens to the connection.

The gateway is played at the wire, since a real one cannot be made to break at a given byte.
"""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from turnpike.cli.conversation.fold import Fold
from turnpike.cli.conversation.following import follow
from turnpike.cli.gateway.client import GatewayClient, RefusalError
from turnpike.cli.gateway.target import Target

Reply = Callable[[BaseHTTPRequestHandler], None]


def frame(seq: int, type: str = "text.delta", **fields: Any) -> bytes:
    event = {"seq": seq, "type": type, "turn": "t", **fields}
    return f"id: {seq}\nevent: {type}\ndata: {json.dumps(event)}\n\n".encode()


def stream(*frames: bytes, length: int | None = None) -> Reply:
    """Answers with frames; a `length` beyond theirs makes it a stream that was cut."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        body = b"".join(frames)
        request.send_response(200)
        request.send_header("content-type", "text/event-stream")
        request.send_header("content-length", str(length or len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def status(code: int) -> Reply:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        request.send_header("content-length", "0")
        request.end_headers()

    return answer


@contextmanager
def gateway(*replies: Reply) -> Generator[tuple[GatewayClient, list[str]]]:
    """A client of a gateway that gives these replies, and the cursors that it was asked with."""
    cursors: list[str] = []
    script = iter(replies)

    class Played(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            cursors.append(self.headers.get("last-event-id", ""))
            next(script)(self)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Played)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        with GatewayClient(Target(f"http://127.0.0.1:{server.server_port}", "tpk_x")) as client:
            yield client, cursors
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def read(client: GatewayClient, told: list[str] | None = None) -> Fold:
    fold = Fold()
    for _ in follow(client, "t", fold, (told if told is not None else []).append):
        pass
    return fold


END = frame(3, "turn.finished", status="COMPLETED", error=None)


def test_a_cut_stream_is_taken_up_after_the_last_event():
    told: list[str] = []
    cut = stream(frame(1, text="a"), b"id: 2\nda", length=1000)

    with gateway(cut, stream(frame(2, text="b"), END)) as (client, cursors):
        fold = read(client, told)

    assert cursors == ["", "1"]
    assert fold.text() == "ab"
    assert len(told) == 1
    assert "resuming after event 1" in told[0]


def test_a_stream_that_ends_early_is_read_on_without_a_word():
    told: list[str] = []

    with gateway(stream(frame(1, text="a")), stream(frame(2, text="b"), END)) as (client, _):
        assert read(client, told).text() == "ab"

    assert told == []


def test_a_gateway_that_is_not_ready_is_asked_again():
    with gateway(status(503), status(502), stream(frame(1, text="a"), frame(2, text="b"), END)) as (
        client,
        cursors,
    ):
        told: list[str] = []
        assert read(client, told).text() == "ab"

    assert len(cursors) == 3
    assert len(told) == 1


def test_an_event_that_cannot_follow_is_asked_for_again():
    skipping = stream(frame(1, text="a"), END)

    with gateway(skipping, stream(frame(2, text="b"), END)) as (client, cursors):
        assert read(client).text() == "ab"

    assert cursors == ["", "1"]


def test_nothing_left_is_the_end():
    with gateway(status(204)) as (client, _):
        assert read(client).finish() is None


@pytest.mark.parametrize("code", [401, 404, 410])
def test_a_refusal_is_the_end(code: int):
    with gateway(status(code)) as (client, _), pytest.raises(RefusalError):
        read(client)
