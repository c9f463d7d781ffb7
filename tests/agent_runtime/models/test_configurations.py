"""Model configurations: what admins may do to them, and what nobody is ever shown."""

import asyncio
import logging
from typing import Any

import asyncpg
import pytest
from grpc import StatusCode

from tests.agent_runtime.serving import SECRET_KEY, Runtime, Tenant
from tests.doubles.model_server import ModelServer
from tests.waiting import refusal
from turnpike.api.agent_runtime.v1 import agent_service_pb2, model_service_pb2
from turnpike.api.agent_runtime.v1.model_service_pb2 import Model

CREATED = agent_service_pb2.CHANGE_CREATED
CHANGED = agent_service_pb2.CHANGE_CHANGED
UNCHANGED = agent_service_pb2.CHANGE_UNCHANGED


def model(name: str = "model", **fields: Any) -> Model:
    values: dict[str, Any] = {"provider": "openai", "model": "m", **fields}
    return Model(name=name, **values)


async def create(tenant: Tenant, wanted: Model, **options: Any) -> Model:
    request = model_service_pb2.CreateModelRequest(model=wanted, **options)
    return (await tenant.runtime.models.CreateModel(request, metadata=tenant.admin)).model


async def update(
    tenant: Tenant, wanted: Model, **options: Any
) -> model_service_pb2.UpdateModelResponse:
    request = model_service_pb2.UpdateModelRequest(model=wanted, **options)
    return await tenant.runtime.models.UpdateModel(request, metadata=tenant.admin)


async def get(tenant: Tenant, name: str = "model") -> Model:
    request = model_service_pb2.GetModelRequest(name=name)
    return (await tenant.runtime.models.GetModel(request, metadata=tenant.admin)).model


async def delete(tenant: Tenant, name: str = "model", etag: str = "") -> None:
    request = model_service_pb2.DeleteModelRequest(name=name, etag=etag)
    await tenant.runtime.models.DeleteModel(request, metadata=tenant.admin)


async def test_a_model_is_what_was_asked_for_but_for_its_key(tenant: Tenant):
    prices = model_service_pb2.Prices(input=3, output=4, cached=1)
    wanted = model(base_url="https://host/v1", api_key="sk-secret", prices=prices)

    made = await create(tenant, wanted)

    assert made == await get(tenant)
    assert (made.provider, made.model, made.base_url, made.role) == (
        "openai",
        "m",
        "https://host/v1",
        "chat",
    )
    assert made.prices == prices
    assert made.has_api_key
    assert not made.HasField("api_key")
    assert made.etag
    assert made.create_time.ToMicroseconds() > 0


async def test_a_provider_need_not_be_named(tenant: Tenant):
    assert (await create(tenant, model(provider=""))).provider == "openai"


async def test_a_name_is_taken_once(tenant: Tenant):
    results = await asyncio.gather(
        *(create(tenant, model()) for _ in range(10)), return_exceptions=True
    )

    assert sum(isinstance(result, Model) for result in results) == 1
    refused = await refusal(create(tenant, model()))
    assert (refused.code, refused.reason) == (StatusCode.ALREADY_EXISTS, "CONFLICT")


async def test_an_update_says_what_it_did(tenant: Tenant):
    missing = await refusal(update(tenant, model()))
    made = await update(tenant, model(api_key="k"), allow_missing=True)
    same = await update(tenant, model(api_key="k"))
    kept = await update(tenant, model())
    other = await update(tenant, model(api_key="k2"))
    removed = await update(tenant, model(api_key=""))

    assert missing.code is StatusCode.NOT_FOUND
    assert [each.change for each in (made, same, kept, other, removed)] == [
        CREATED,
        UNCHANGED,
        UNCHANGED,
        CHANGED,
        CHANGED,
    ]
    assert kept.model.has_api_key
    assert not removed.model.has_api_key
    assert made.model.etag == same.model.etag != other.model.etag


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"base_url": "https://elsewhere/v1"},
        {"base_url": ""},
        {"provider": "anthropic"},
        {"provider": "scripted"},
    ],
    ids=["address", "providers-own", "provider", "keyless"],
)
@pytest.mark.parametrize("validate_only", [False, True], ids=["change", "validation"])
async def test_a_kept_key_never_goes_elsewhere(
    tenant: Tenant, elsewhere: dict[str, str], validate_only: bool
):
    here = {"base_url": "https://here/v1"}
    before = await create(tenant, model(**here, api_key="sk-another-s"))
    other = {**here, **elsewhere}

    refused = await refusal(update(tenant, model(**other), validate_only=validate_only))
    unchanged = await get(tenant)
    same_place = await update(tenant, model(base_url="https://here/v1/", quota_pool="shared"))
    given = await update(tenant, model(**other, api_key="sk-own"))

    assert (refused.code, refused.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert [path for path, _ in refused.fields] == ["model.api_key"]
    assert unchanged == before
    assert same_place.model.has_api_key
    assert given.change == CHANGED


async def test_without_a_key_a_model_goes_anywhere(tenant: Tenant):
    await create(tenant, model(base_url="https://here/v1", api_key="sk-another-s"))

    moved = await update(tenant, model(base_url="https://elsewhere/v1", api_key=""))
    again = await update(tenant, model(base_url="https://here/v1"))

    assert (moved.change, moved.model.has_api_key) == (CHANGED, False)
    assert (again.change, again.model.has_api_key) == (CHANGED, False)


async def test_an_etag_guards_against_others_changes(tenant: Tenant):
    first = await create(tenant, model())
    second = (await update(tenant, model(model="n"), etag=first.etag)).model

    refused = await refusal(update(tenant, model(model="o"), etag=first.etag))
    not_deleted = await refusal(delete(tenant, etag=first.etag))
    await delete(tenant, etag=second.etag)

    assert refused.reason == not_deleted.reason == "ETAG_MISMATCH"
    assert refused.metadata["etag"] == second.etag
    assert (await refusal(get(tenant))).code is StatusCode.NOT_FOUND


async def test_validating_changes_nothing(tenant: Tenant):
    shown = await create(tenant, model(), validate_only=True)
    absent = await refusal(get(tenant))
    before = await create(tenant, model())
    would = await update(tenant, model(model="n", api_key="k"), validate_only=True)

    assert shown.name == "model"
    assert absent.code is StatusCode.NOT_FOUND
    assert (would.change, would.model.model, would.model.has_api_key) == (CHANGED, "n", True)
    assert await get(tenant) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("base_url", "ftp://host"),
        ("base_url", "http://"),
        ("base_url", "http://host:0/v1"),
        ("base_url", "http://host:99999/v1"),
        ("base_url", "http://user:password@host/v1"),
        ("base_url", "http://host/v1#x"),
        ("base_url", "http://host/a b"),
        ("base_url", "http://ho\0st/"),
        ("base_url", "http://[::1/v1"),
        ("api_key", "env:SECRET"),
        ("api_key", "file:/etc/passwd"),
        ("api_key", "os.environ/AGENT_RUNTIME_SIGNING_KEY"),
        ("api_key", "oidc/file//etc/passwd"),
        ("api_key", "a\r\nhost: b"),
        ("api_key", "schlüssel"),
        ("name", "A"),
        ("name", "a\0"),
        ("provider", "Open AI"),
        ("provider", "opneai"),
        ("provider", "github_copilot"),
        ("provider", "vertex_ai"),
        ("model", ""),
        ("role", "dreamer"),
    ],
)
async def test_what_could_not_work_is_refused(tenant: Tenant, field: str, value: str):
    refused = await refusal(create(tenant, model(**{field: value})))

    assert (refused.code, refused.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert [path for path, _ in refused.fields] == [f"model.{field}"]


async def test_a_models_name_is_no_address_that_a_key_goes_to(tenant: Tenant):
    wanted = model(provider="huggingface", model="https://elsewhere/v1")

    refused = await refusal(create(tenant, wanted))

    assert [path for path, _ in refused.fields] == ["model.model"]


async def test_a_model_that_an_agent_runs_on_stays(tenant: Tenant):
    await tenant.model()
    await tenant.agent("helper")

    refused = await refusal(delete(tenant))

    assert (refused.code, refused.reason) == (StatusCode.FAILED_PRECONDITION, "IN_USE")
    assert refused.metadata == {"kind": "agent", "id": "helper"}


async def test_an_agent_and_its_model_s_deletion_never_both_succeed(tenant: Tenant):
    for attempt in range(10):
        name = f"model-{attempt}"
        await tenant.model(name)
        made, deleted = await asyncio.gather(
            tenant.agent(f"agent-{attempt}", model=name),
            delete(tenant, name),
            return_exceptions=True,
        )
        assert isinstance(made, BaseException) != isinstance(deleted, BaseException)


async def test_models_are_listed_by_name_page_by_page(tenant: Tenant):
    for name in ("b", "a", "d", "c", "e"):
        await create(tenant, model(name))

    names, token = list[str](), ""
    while True:
        request = model_service_pb2.ListModelsRequest(page_size=2, page_token=token)
        page = await tenant.runtime.models.ListModels(request, metadata=tenant.admin)
        names += [each.name for each in page.models]
        token = page.next_page_token
        if not token:
            break

    assert names == ["a", "b", "c", "d", "e"]


async def test_a_key_is_neither_shown_nor_logged_nor_stored_in_the_clear(
    tenant: Tenant,
    superuser: asyncpg.Connection,
    caplog: pytest.LogCaptureFixture,
    provider: ModelServer,
    provider_url: str,
):
    caplog.set_level(logging.DEBUG)
    secret = "sk-a-very-secret-key"
    wanted = model(base_url=provider_url, api_key=secret, model="n=2+500=1+retry=0")
    shown = [
        str(await create(tenant, wanted)),
        str(await update(tenant, wanted, validate_only=True)),
        str(await get(tenant)),
        str((await refusal(create(tenant, wanted))).message),
    ]
    await tenant.agent()
    turn = await tenant.ended((await tenant.start()).id)

    stored = await superuser.fetchval(
        "SELECT sealed_api_key FROM models WHERE tenant = $1", tenant.id
    )
    assert provider.log[0]["headers"]["authorization"] == f"Bearer {secret}"
    assert turn.text
    assert secret not in "".join([*shown, str(turn), caplog.text, stored])
    assert SECRET_KEY not in caplog.text


async def test_a_key_that_nothing_opens_any_more_can_be_replaced(
    tenant: Tenant, superuser: asyncpg.Connection, provider: ModelServer, provider_url: str
):
    wanted = model(base_url=provider_url, api_key="k", model="n=2")
    await create(tenant, wanted)
    await tenant.agent()
    await superuser.execute(
        "UPDATE models SET sealed_api_key = 'v1.k0.AAAA' WHERE tenant = $1", tenant.id
    )

    failed = await tenant.ended((await tenant.start()).id)
    mended = await update(tenant, wanted)
    turn = await tenant.ended((await tenant.start()).id)

    assert failed.error.reason == "MODEL_UNUSABLE"
    assert mended.change == CHANGED
    assert turn.text
    assert provider.stats["chat"] == 1


@pytest.mark.parametrize("role", ["viewer", "member"])
async def test_changes_are_for_admins(tenant: Tenant, runtime: Runtime, role: str):
    await create(tenant, model())
    somebody = tenant.somebody(role)
    calls = [
        runtime.models.CreateModel(
            model_service_pb2.CreateModelRequest(model=model("x")), metadata=somebody
        ),
        runtime.models.UpdateModel(
            model_service_pb2.UpdateModelRequest(model=model(model="n")), metadata=somebody
        ),
        runtime.models.DeleteModel(
            model_service_pb2.DeleteModelRequest(name="model"), metadata=somebody
        ),
    ]

    refused = [await refusal(call) for call in calls]
    listed = await runtime.models.ListModels(
        model_service_pb2.ListModelsRequest(), metadata=somebody
    )

    assert {each.reason for each in refused} == {"FORBIDDEN"}
    assert [each.name for each in listed.models] == ["model"]
