"""What OpenAI's clients say of calls that they were asked about."""

from hashlib import sha256
from typing import Annotated, Literal

from pydantic import Field

from turnpike.api.agent_runtime.v1.approval_pb2 import Decision
from turnpike.api.agent_runtime.v1.approval_service_pb2 import DecideRequest
from turnpike.gateway.problems import invalid_field
from turnpike.gateway.routes.openai.chat_request import read_as
from turnpike.gateway.routes.openai.response_ids import read_request_id
from turnpike.gateway.routes.openai.response_request import ResponseRequest
from turnpike.gateway.routes.openai.unsupported import unsupported
from turnpike.gateway.routes.shapes import Request, Text

_KIND = "mcp_approval_response"


class ApprovalResponse(Request):
    """Yes or no to one call."""

    type: Literal["mcp_approval_response"]
    approval_request_id: Annotated[Text, Field(min_length=1, max_length=128)]
    approve: bool
    id: Annotated[str, Field(max_length=128)] | None = None
    reason: Annotated[Text, Field(max_length=100_000)] | None = None


def decisions_of(asked: ResponseRequest) -> DecideRequest | None:
    """Returns what the last items of a request decide; None if the last is no decision.

    The same decisions again are the same request, since these clients try again without an
    `Idempotency-Key`.

    Raises:
        ProblemError: They are of several approvals, or ask for more than to go on.
    """
    items = [] if isinstance(asked.input, str) else asked.input
    first = len(items)
    while first and items[first - 1].get("type") == _KIND:
        first -= 1
    if first == len(items):
        return None
    asked.check_for_agent()
    if asked.metadata:
        raise unsupported(["metadata"], "a turn that goes on keeps what it began with")
    request = DecideRequest()
    for number in range(first, len(items)):
        path = f"input[{number}]"
        said = read_as(ApprovalResponse, items[number], ("input", number))
        approval, call_id = read_request_id(said.approval_request_id, path)
        if request.approval not in ("", approval):
            raise invalid_field(path, "is of another approval than the one before it")
        request.approval = approval
        kind = "APPROVE" if said.approve else "REJECT"
        feedback = "" if said.approve else said.reason or ""
        request.decisions.append(
            Decision(call_id=call_id, kind=f"DECISION_KIND_{kind}", feedback=feedback)
        )
    digest = sha256(request.SerializeToString(deterministic=True)).hexdigest()
    request.request_id = f"response-{digest}"
    return request
