"""What a principal may call: by its role, by its key's scopes, and while it is banned.

Checked for every service in one place, before a request is even looked at. A
servicer may ask for more; none may ask for less.
"""

import re
from functools import cache
from typing import TypeAlias

import grpc

from turnpike.rpc.errors import ForbiddenError, ServiceError
from turnpike.rpc.identity import Caller, require_role

Scopes: TypeAlias = frozenset[str]

SCOPES: Scopes = frozenset({"turns", "read", "admin", "usage"})
"""What a key may be narrowed to; a key without any opens all that its role does."""

_READS = re.compile(r"(Get|List|Watch|Search|Find|Read|Count|Embed|Chunk|Explain|Report)")
_ADMIN_WRITES = re.compile(r"(Create|Update|Delete|Activate)")
# Whole services that administer, and those whose changes do.
_ADMINISTRATION = frozenset({"TenancyService", "IdentityService"})
_CONFIGURATION = frozenset(
    {
        "AccountService",
        "AgentService",
        "CollectionService",
        "ConnectorService",
        "ModelService",
        "SkillService",
        "SourceService",
    }
)
_RUNNING = re.compile(
    r"(Turn|Thread|File|Document|Artifact|Approval|Session|Chat|Completion|Response|Embedding)"
)
# Whole services that only services call, and single methods.
_AMONG_SERVICES = frozenset({"ResourceService", "ToolCallService"})
_FOR_SERVICES = frozenset(
    {
        *(
            f"GatekeeperService/{name}"
            for name in ("Admit", "Extend", "Settle", "Release", "Heartbeat", "WatchRevocations")
        ),
        "CompletionService/AskPlanner",
        "VariableService/FillText",
    }
)
# A person may have models, connectors and credentials of one's own; the servicer sees whose.
_OWN = frozenset(
    {
        *(f"ConnectorService/{verb}Connector" for verb in ("Create", "Update", "Delete")),
        *(f"ModelService/{verb}Model" for verb in ("Create", "Update", "Delete")),
        "ConnectorService/DeleteCredential",
        "VariableService/DeleteVariable",
    }
)
# They end in an admission, which tells whom it refuses, and keeps that.
_ADMITTED = frozenset(
    {"TurnService/StartTurn", "TurnService/RunTurn", "CompletionService/StreamCompletion"}
)
# They change nothing, and cost the operator something.
_WORK = frozenset(
    {
        "EmbeddingService/Embed",
        "EmbeddingService/EmbedStream",
        "EmbeddingService/Chunk",
        "SearchService/Search",
    }
)


class BannedError(ServiceError):
    """The caller is banned."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "BANNED"
    domain = "gatekeeper.turnpike"


def check_access(method: str, caller: Caller) -> None:
    """Returns if the caller may call a method, as far as can be told without its request.

    A service answers for itself, and its callees say which one they serve.

    Raises:
        BannedError: The caller is banned, and the method does more than show.
        ForbiddenError: The caller's role, or its key's scopes, do not allow it.
    """
    if caller.service:
        return
    least, scopes = _needed(method)
    if not least:
        raise ForbiddenError("this is for services alone", role=caller.role)
    require_role(caller, least)
    if caller.scopes and not scopes.intersection(caller.scopes):
        needed = " or ".join(sorted(scopes))
        raise ForbiddenError(f"this needs a key with the scope {needed}", role=caller.role)
    if caller.banned and not _is_open_to_banned(method):
        raise BannedError("the caller is banned")


@cache
def _needed(method: str) -> tuple[str, Scopes]:
    """Returns the least role (none: services alone), and the scopes of which one will do."""
    service, _, name = _short(method).partition("/")
    if service in _AMONG_SERVICES or _short(method) in _FOR_SERVICES:
        return "", frozenset()
    reads = _is_read(method)
    if service in _ADMINISTRATION:
        return "admin", frozenset({"admin"})
    if "Usage" in service or "Usage" in name:
        return "viewer" if reads else "member", frozenset({"usage"})
    if _short(method) in _OWN:
        return "member", frozenset({"admin"})
    if service in _CONFIGURATION and _ADMIN_WRITES.match(name):
        return "admin", frozenset({"admin"})
    if reads:
        return "viewer", frozenset({"turns", "read", "admin"})
    return "member", frozenset({"turns" if _RUNNING.search(service) else "admin"})


@cache
def _is_read(method: str) -> bool:
    return bool(_READS.match(method.rpartition("/")[2]))


def _is_open_to_banned(method: str) -> bool:
    short = _short(method)
    return short in _ADMITTED or (_is_read(method) and short not in _WORK)


def _short(method: str) -> str:
    return method.rpartition(".")[2]
