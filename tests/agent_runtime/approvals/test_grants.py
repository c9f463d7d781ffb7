"""Standing approval: kept with the decision, held to what it is for, and gone when revoked."""

from typing import Any

import orjson
import pytest

from tests.agent_runtime.approvals.asking import ASKS, decide, paused, refused, said, waiting
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Ask, Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import begin, cancel
from tests.tool_registry import serving as registries
from turnpike.api.agent_runtime.v1 import audit_service_pb2, policy_service_pb2
from turnpike.api.agent_runtime.v1.approval_pb2 import DecisionKind
from turnpike.api.agent_runtime.v1.policy_pb2 import TenantPolicy
from turnpike.api.agent_runtime.v1.policy_service_pb2 import Grant
from turnpike.api.tool_registry.v1.connector_service_pb2 import (
    DeleteConnectorRequest,
    SetCredentialRequest,
)
from turnpike.api.tool_registry.v1.tool_pb2 import Credential

ALWAYS_OFFERED = DecisionKind.DECISION_KIND_APPROVE_ALWAYS


async def grants(tenant: Tenant) -> list[Grant]:
    request = policy_service_pb2.ListGrantsRequest()
    page = await tenant.runtime.policies.ListGrants(request, metadata=tenant.admin)
    return list(page.grants)


async def recorded(tenant: Tenant, turn: str = "") -> list[dict[str, Any]]:
    request = audit_service_pb2.ListAuditEntriesRequest(page_size=500, turn=turn)
    page = await tenant.runtime.audit.ListAuditEntries(request, metadata=tenant.admin)
    return [orjson.loads(each.entry) for each in page.entries]


async def goes_on(provider: Provider, tag: str) -> Ask:
    """Has the model ask for a transfer, and returns what it is told then."""
    ask = await provider.asked()
    ask.ask_for("effects__transfer", arguments=orjson.dumps({"tag": tag}).decode())
    return ask


async def test_r30_a_grant_spares_the_next_turns_until_it_is_revoked(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "grant-1"}')
    assert ALWAYS_OFFERED in turn.approval.calls[0].allowed
    await decide(tenant, turn.approval.id, said("approve_always"))
    await goes_on(provider, "grant-2")
    (await provider.asked()).answer("done")
    await tenant.ended(turn.id)
    other, ask = await begin(tenant, provider)
    ask.ask_for("effects__transfer", arguments='{"tag": "grant-3"}')
    next_ask = await provider.asked()
    [grant] = await grants(tenant)
    revoke = policy_service_pb2.RevokeGrantRequest(id=grant.id)
    await tenant.runtime.policies.RevokeGrant(revoke, metadata=tenant.admin)
    # In the very turn that ran by it a moment ago.
    next_ask.ask_for("effects__transfer", arguments='{"tag": "grant-4"}')
    again = await waiting(tenant, other.id)

    assert [tools.effects(f"grant-{number}") for number in (1, 2, 3, 4)] == [1, 1, 1, 0]
    assert (grant.tool, grant.principal) == ("effects/transfer", tenant.made.principal)
    assert (grant.approval, grant.definition_digest[:7]) == (turn.approval.id, "sha256:")
    assert [each.call_id for each in again.approval.calls] == ["call_2_0"]
    kinds = [each["kind"] for each in await recorded(tenant)]
    assert sorted(kinds) == ["CALL", "CALL", "CALL", "DECIDED", "GRANTED", "GRANT_REVOKED"]


async def test_r30_revoked_in_the_turn_that_gave_it_a_grant_is_gone_there_too(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "own-1"}')
    await decide(tenant, turn.approval.id, said("approve_always"))
    ask = await provider.asked()
    [grant] = await grants(tenant)
    revoke = policy_service_pb2.RevokeGrantRequest(id=grant.id)
    await tenant.runtime.policies.RevokeGrant(revoke, metadata=tenant.admin)
    ask.ask_for("effects__transfer", arguments='{"tag": "own-2"}')
    again = await waiting(tenant, turn.id)

    assert (tools.effects("own-1"), tools.effects("own-2")) == (1, 0)
    assert again.approval.id != turn.approval.id


async def test_r30_a_scope_holds_a_grant_to_its_arguments(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "home-1"}')
    await decide(tenant, turn.approval.id, said("approve_always", scope='{"tag": "home-*"}'))
    await goes_on(provider, "home-2")
    await goes_on(provider, "away-1")
    again = await waiting(tenant, turn.id)

    assert (tools.effects("home-2"), tools.effects("away-1")) == (1, 0)
    assert again.approval.calls[0].arguments == '{"tag":"away-1"}'
    [grant] = await grants(tenant)
    assert [(each.path, each.pattern) for each in grant.where] == [("/tag", "home-*")]


@pytest.mark.parametrize("scope", ["*", "{}", '{"tag": "*"}', "[]", '{"tag": '])
async def test_r30_a_scope_of_everything_or_of_nothing_sensible_is_refused(
    tenant: Tenant, provider: Provider, tools: Tools, scope: str
):
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider)
    wrong = await refused(tenant, turn.approval.id, said("approve_always", scope=scope))

    assert wrong.reason == "INVALID_ARGUMENT"
    assert [field for field, _ in wrong.fields] == ["decisions[0].scope"]
    assert await grants(tenant) == []


async def test_h2_what_the_tenant_always_asks_for_is_not_granted(
    tenant: Tenant, provider: Provider, tools: Tools
):
    said_so = policy_service_pb2.UpdatePolicyRequest(tenant=TenantPolicy(always_ask=["effects/*"]))
    await tenant.runtime.policies.UpdatePolicy(said_so, metadata=tenant.admin)
    await tools.offer(tenant)
    turn = await paused(tenant, provider, arguments='{"tag": "always-1"}')
    assert ALWAYS_OFFERED not in turn.approval.calls[0].allowed
    await decide(tenant, turn.approval.id, said("approve_always"))
    await goes_on(provider, "always-2")
    await waiting(tenant, turn.id)

    assert (tools.effects("always-1"), tools.effects("always-2")) == (1, 0)
    assert await grants(tenant) == []


async def test_r31_the_audit_says_who_decided_and_what_ran_instead(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    asked, edited = '{"tag": "audit-asked"}', '{"tag": "audit-edited"}'
    turn = await paused(tenant, provider, arguments=asked)
    await decide(tenant, turn.approval.id, said("edit", arguments=edited))
    (await provider.asked()).answer("done")
    await tenant.ended(turn.id)

    decision, call = await recorded(tenant, turn.id)
    assert (decision["kind"], decision["decision"]) == ("DECIDED", "edit")
    assert (decision["by"], decision["approval"]) == (tenant.made.principal, turn.approval.id)
    assert (call["verdict"], call["decision"], call["outcome"]) == ("ASK", "edit", "OK")
    assert call["decided_by"] == [tenant.made.principal]
    for entry in (decision, call):
        assert (entry["arguments"], entry["edited_arguments"]) == (asked, edited)
        assert entry["arguments_digest"] != entry["edited_arguments_digest"]


async def test_h11_a_grant_outlives_another_sign_in_and_not_its_connector(
    tenant: Tenant, provider: Provider, tools: Tools
):
    """Whoever takes a connector's name is not who was trusted."""
    await tools.offer(tenant, **ASKS)
    turn = await paused(tenant, provider, arguments='{"tag": "bound-1"}')
    await decide(tenant, turn.approval.id, said("approve_always"))
    (await provider.asked()).answer("done")
    await tenant.ended(turn.id)
    registry = tools.registry.connectors
    admin = registries.Tenant(tools.registry, tenant.id).as_principal()
    credential = Credential(connector="effects", headers={"authorization": "Bearer another"})
    await registry.SetCredential(SetCredentialRequest(credential=credential), metadata=admin)
    signed_in, ask = await begin(tenant, provider)
    ask.ask_for("effects__transfer", arguments='{"tag": "bound-2"}')
    await provider.asked()
    ran_by_grant = tools.effects("bound-2")
    await cancel(tenant, signed_in.id)

    await registry.DeleteConnector(DeleteConnectorRequest(name="effects"), metadata=admin)
    await tools.offer(tenant, **ASKS)
    again = await paused(tenant, provider, arguments='{"tag": "bound-3"}')

    assert ran_by_grant == 1
    assert again.approval.calls[0].name == "effects/transfer"
    assert tools.effects("bound-3") == 0
    # The very same definition, at the very same place.
    [grant] = await grants(tenant)
    assert grant.tool == "effects/transfer"
    await decide(tenant, again.approval.id, said("approve_always"))
    await goes_on(provider, "bound-4")
    (await provider.asked()).answer("done")
    await tenant.ended(again.id)
    assert tools.effects("bound-4") == 1
    assert len({each.definition_digest for each in await grants(tenant)}) == 1
