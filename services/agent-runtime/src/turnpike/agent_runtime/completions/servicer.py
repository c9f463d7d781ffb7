"""Serves turnpike.api.agent_runtime.v1.CompletionService."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from uuid import UUID, uuid4

import orjson

from turnpike.agent_runtime.callers import person_of, require_person
from turnpike.agent_runtime.completions.asking import Completions
from turnpike.agent_runtime.completions.model import Question
from turnpike.agent_runtime.models.prompt import (
    EndPiece,
    Piece,
    ReasoningPiece,
    SignaturePiece,
    TextPiece,
    ToolUsePiece,
    UsagePiece,
)
from turnpike.api.agent_runtime.v1 import completion_service_pb2 as pb
from turnpike.api.agent_runtime.v1.completion_service_pb2_grpc import CompletionServiceServicer
from turnpike.rpc.errors import InvalidArgumentError
from turnpike.rpc.served import Context, caller_of


class CompletionServicer(CompletionServiceServicer):
    """Serves turnpike.api.agent_runtime.v1.CompletionService."""

    def __init__(self, completions: Completions) -> None:
        self._completions = completions

    async def StreamCompletion(
        self, request: pb.StreamCompletionRequest, context: Context
    ) -> AsyncGenerator[pb.StreamCompletionResponse]:
        question = _question(request, context)
        async with aclosing(self._completions.ask(question)) as answer:
            async for pieces in answer:
                said = [told for piece in pieces if (told := _piece_to_proto(piece))]
                if said:
                    yield pb.StreamCompletionResponse(pieces=said)

    async def AskPlanner(
        self, request: pb.AskPlannerRequest, context: Context
    ) -> pb.AskPlannerResponse:
        said, usage, end = list[str](), pb.CompletionUsage(), ""
        async with aclosing(self._completions.ask(_planned(request, context))) as answer:
            async for pieces in answer:
                for piece in pieces:
                    match piece:
                        case TextPiece():
                            said.append(piece.text)
                        case UsagePiece():
                            usage = _usage_to_proto(piece)
                        case EndPiece():
                            end = piece.reason
                        case _:
                            pass
        return pb.AskPlannerResponse(text="".join(said), usage=usage, complete=end == "stop")


def _planned(request: pb.AskPlannerRequest, context: Context) -> Question:
    caller = require_person(caller_of(context))
    messages = (("system", request.instructions), ("user", request.text))
    return Question(
        id=uuid4(),
        tenant=UUID(caller.tenant),
        principal=UUID(caller.principal),
        api_key=caller.key,
        model="",
        session="",
        messages=[orjson.dumps({"role": role, "content": text}) for role, text in messages],
        tools=b"",
        parameters=b"",
        max_output=request.max_output_tokens,
    )


def _question(request: pb.StreamCompletionRequest, context: Context) -> Question:
    person = person_of(context, least="member")
    return Question(
        id=uuid4(),
        tenant=person.tenant,
        principal=person.principal,
        api_key=caller_of(context).key,
        model=request.model,
        session=request.session,
        messages=_objects("messages", request.messages),
        tools=_array(_objects("tools", request.tools)),
        parameters=_object("parameters", request.parameters) if request.parameters else b"",
        max_output=request.max_output_tokens,
    )


def _objects(field: str, documents: Iterable[str]) -> list[bytes]:
    return [_object(f"{field}[{i}]", document) for i, document in enumerate(documents)]


def _object(field: str, document: str) -> bytes:
    written = document.encode()
    try:
        fine = isinstance(orjson.loads(written), dict)
    except orjson.JSONDecodeError:
        fine = False
    if not fine:
        raise InvalidArgumentError(field, "must be a JSON object")
    return written


def _array(documents: list[bytes]) -> bytes:
    return b"[" + b",".join(documents) + b"]" if documents else b""


def _piece_to_proto(piece: Piece) -> pb.CompletionPiece | None:
    match piece:
        case TextPiece():
            return pb.CompletionPiece(text=piece.text)
        case ReasoningPiece():
            return pb.CompletionPiece(reasoning=piece.text)
        case SignaturePiece():
            # The others have no place in what a client knows.
            return (
                pb.CompletionPiece(signature=piece.signature) if piece.of == "reasoning" else None
            )
        case ToolUsePiece():
            call = pb.CompletionCall(
                index=piece.index, id=piece.id, name=piece.name, arguments=piece.arguments
            )
            return pb.CompletionPiece(call=call)
        case UsagePiece():
            return pb.CompletionPiece(usage=_usage_to_proto(piece))
        case EndPiece():
            return pb.CompletionPiece(end=pb.CompletionEnd(reason=piece.reason))


def _usage_to_proto(usage: UsagePiece) -> pb.CompletionUsage:
    return pb.CompletionUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=usage.reasoning_tokens,
    )
