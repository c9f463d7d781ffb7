"""No text that a caller can send ends in an error of ours."""

import asyncio
from itertools import product

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from tests.agent_runtime.requests import METHODS, NAMES, Texts, call, string_fields
from tests.agent_runtime.serving import Runtime, Tenant
from tests.agent_runtime.test_tenants import theirs
from turnpike.rpc.errors import from_rpc_error
from turnpike.rpc.paging import page_token

HALF_A_PAIR = b"\xed\xa0\x80"
STAND_IN = "\u2020"  # as many bytes as half a surrogate pair
FINE = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "ABORTED"}

ANY_TEXTS = ["\0", "a\0b", "\ufffe\U0010ffff\u202e", "'; DROP TABLE turns; --"]
TOKENS = [
    "x",
    "%%%",
    "e30",
    page_token("a\0"),
    page_token(2**64),
    page_token("0001-01-01T00:00:00+14:00", "00000000-0000-0000-0000-000000000000"),
    page_token("2026-01-01T00:00:00", "00000000-0000-0000-0000-000000000000"),
    page_token("9999-12-31T23:59:59-14:00", "00000000-0000-0000-0000-000000000000"),
    page_token(2**40, 1),
    page_token(-1, 1),
    page_token(1, 7),
    page_token(1, 2, 3),
]


async def code_of(
    runtime: Runtime, method: MethodDescriptor, request: Message | bytes, tenant: Tenant
) -> str:
    try:
        await call(runtime, method, request, tenant.admin)
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error).code.name
    return "OK"


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
async def test_any_character_is_cleaned_or_refused(
    runtime: Runtime, tenant: Tenant, method: MethodDescriptor
):
    known = await theirs(tenant)

    fields = [*string_fields(method), "key", "value"]
    for field, text, last in product(fields, ANY_TEXTS, (False, True)):
        request = Texts({**known.by_name, field: text}).request(method, last_choice=last)
        assert await code_of(runtime, method, request, tenant) in FINE, field


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
async def test_what_is_no_text_is_refused(
    runtime: Runtime, tenant: Tenant, method: MethodDescriptor
):
    known = await theirs(tenant)

    for field in string_fields(method):
        request = Texts({**known.by_name, field: STAND_IN}).request(method)
        body = request.SerializeToString().replace(STAND_IN.encode(), HALF_A_PAIR)
        assert await code_of(runtime, method, body, tenant) in FINE, field


@pytest.mark.parametrize(
    "method",
    [method for method in METHODS if "page_token" in string_fields(method)],
    ids=[name for name in NAMES if "/List" in name],
)
async def test_no_page_token_breaks_a_list(
    runtime: Runtime, tenant: Tenant, method: MethodDescriptor
):
    known = await theirs(tenant)

    for token in TOKENS:
        request = Texts({**known.by_name, "page_token": token}).request(method)
        assert await code_of(runtime, method, request, tenant) in FINE, token


async def test_pages_of_all_sizes_are_of_what_was_asked_for(runtime: Runtime, tenant: Tenant):
    await asyncio.gather(*(tenant.model(f"m{index}") for index in range(3)))
    method = next(method for method in METHODS if method.name == "ListModels")
    request = Texts({}).request(method)

    for size, code in ((0, "OK"), (1, "OK"), (500, "OK"), (501, "INVALID_ARGUMENT")):
        setattr(request, "page_size", size)  # noqa: B010 # made from a descriptor
        assert await code_of(runtime, method, request, tenant) == code
