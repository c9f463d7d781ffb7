"""Our ids in OpenAI's form of them."""

from uuid import UUID

from turnpike.gateway.problems import ProblemError

RESPONSE, CONVERSATION, REQUEST = "resp_", "conv_", "mcpr_"


def response_id(turn: str, since: str = "") -> str:
    """Returns the id of a turn's response, or of what comes of it after an approval."""
    whole = f"{RESPONSE}{UUID(turn).hex}"
    return f"{whole}_{UUID(since).hex}" if since else whole


def request_id(approval: str, call_id: str) -> str:
    """Returns the id of the question whether a call may run."""
    return f"{REQUEST}{UUID(approval).hex}_{call_id}"


def read_response_id(given: str, field: str) -> tuple[str, str]:
    """Returns the turn of a response, and the approval after which it begins, if any."""
    turn, _, since = given.removeprefix(RESPONSE).partition("_")
    return identifier(turn, "", field), identifier(since, "", field) if since else ""


def read_request_id(given: str, field: str) -> tuple[str, str]:
    """Returns the approval and the call that somebody is asked about."""
    approval, _, call_id = given.removeprefix(REQUEST).partition("_")
    return identifier(approval, "", field), call_id


def identifier(given: str, prefix: str, field: str) -> str:
    """Returns our id behind OpenAI's form of it; what is none of ours names nothing."""
    try:
        return str(UUID(hex=given.removeprefix(prefix)))
    except ValueError:
        raise ProblemError(404, "NOT_FOUND", f"{field}: there is no such thing") from None
