"""Who may call what, for every rpc that there is, as the descriptors have them."""

import importlib
import pkgutil

import pytest

import turnpike.api
from turnpike.rpc.access import SCOPES, BannedError, check_access
from turnpike.rpc.errors import ForbiddenError
from turnpike.rpc.identity import Caller

ROLES = ("viewer", "member", "admin", "owner")
READS = (
    *("Get", "List", "Watch", "Read", "Count", "Explain", "Report"),
    *("Embed", "Chunk", "Search"),
)
RUNS = {"TurnService", "ThreadService", "CompletionService", "FileService", "DocumentService"}
OPEN = "GatekeeperService/Authenticate"
# What only a service calls, and nobody by a key.
INNER = {
    *(f"GatekeeperService/{name}" for name in ("Admit", "Extend", "Settle", "Release")),
    *(f"GatekeeperService/{name}" for name in ("Heartbeat", "WatchRevocations")),
    "CompletionService/AskPlanner",
    "VariableService/FillText",
}
# What a member has of one's own; the servicer sees whose it is.
OWN = {
    *(f"ModelService/{verb}Model" for verb in ("Create", "Update", "Delete")),
    *(f"ConnectorService/{verb}Connector" for verb in ("Create", "Update", "Delete")),
    "ConnectorService/DeleteCredential",
    "VariableService/DeleteVariable",
}


def methods() -> list[str]:
    """Returns every rpc, as `Service/Method`, but the one that needs no credential."""
    found: set[str] = set()
    for module in pkgutil.walk_packages(turnpike.api.__path__, "turnpike.api."):
        if module.name.endswith("_pb2"):
            services = importlib.import_module(module.name).DESCRIPTOR.services_by_name
            for service in services.values():
                found |= {f"{service.name}/{method.name}" for method in service.methods}
    return sorted(found - {OPEN})


METHODS = methods()


def caller(role: str = "owner", *, scopes: tuple[str, ...] = (), banned: bool = False) -> Caller:
    return Caller("tenant", "principal", role, "key", scopes=scopes, banned=banned)


def may(method: str, who: Caller) -> bool:
    try:
        check_access(f"/turnpike.api.any.v1.{method}", who)
    except (ForbiddenError, BannedError):
        return False
    return True


def is_read(method: str) -> bool:
    return method.partition("/")[2].startswith(READS)


def is_inner(method: str) -> bool:
    return method in INNER or method.startswith(("ResourceService/", "ToolCallService/"))


def roles_of(method: str) -> list[str]:
    return [role for role in ROLES if may(method, caller(role))]


def scopes_of(method: str) -> set[str]:
    return {scope for scope in SCOPES if may(method, caller(scopes=(scope,)))}


def test_there_are_rpcs_of_every_service():
    assert len(METHODS) > 80
    assert {"TurnService", "IdentityService", "ConnectorService", "EmbeddingService"} <= {
        method.partition("/")[0] for method in METHODS
    }


def test_a_viewer_only_reads():
    assert [m for m in METHODS if "viewer" in roles_of(m) and not is_read(m)] == []


def test_what_services_say_among_themselves_is_nobody_else_s():
    inner = {m for m in METHODS if is_inner(m)}

    assert {method for method in METHODS if not roles_of(method)} == inner


def test_members_administer_nothing():
    """What they create, change or delete is a turn's or a thread's, or their own."""
    writes = {
        method
        for method in METHODS
        if "member" in roles_of(method)
        and method.partition("/")[2].startswith(("Create", "Update", "Delete", "Activate"))
        and method.partition("/")[0] not in RUNS | {"ProviderKeyService", "PolicyService"}
    }

    assert writes == OWN
    administration = [m for m in METHODS if m.startswith(("TenancyService/", "IdentityService/"))]
    assert {tuple(roles_of(method)) for method in administration} == {("admin", "owner")}


def test_each_scope_opens_its_own():
    opened = {scope: {m for m in METHODS if scope in scopes_of(m)} for scope in SCOPES}

    assert all(is_read(method) for method in opened["read"])
    assert {m.partition("/")[0] for m in opened["usage"]} == {"UsageService"}
    assert {m.partition("/")[0] for m in opened["turns"] if not is_read(m)} <= {
        *RUNS,
        "ApprovalService",
        "EmbeddingService",
    }
    for method in ("TurnService/StartTurn", "CompletionService/StreamCompletion"):
        assert scopes_of(method) == {"turns"}
    for method in METHODS:
        assert scopes_of(method) or is_inner(method)


@pytest.mark.parametrize("method", ["TurnService/StartTurn", "CompletionService/StreamCompletion"])
def test_who_is_banned_gets_as_far_as_the_admission_that_says_so(method: str):
    assert may(method, caller(banned=True))


@pytest.mark.parametrize("method", ["EmbeddingService/Embed", "EmbeddingService/Chunk"])
def test_nobody_works_for_who_is_banned(method: str):
    assert may(method, caller("viewer"))
    assert not may(method, caller(banned=True))


def test_who_is_banned_changes_nothing():
    changed = [m for m in METHODS if may(m, caller(banned=True)) and not is_read(m)]

    assert changed == [
        "CompletionService/StreamCompletion",
        "TurnService/RunTurn",
        "TurnService/StartTurn",
    ]
