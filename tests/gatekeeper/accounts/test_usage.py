"""What those who read usage reports may rely on: sums are exact, and everybody sees their own."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from tests.gatekeeper.accounts.callers import PLATFORM, Accounts, write_entry
from tests.gatekeeper.serving import Tenant
from tests.waiting import refusal
from turnpike.api.gatekeeper.v1 import usage_service_pb2 as pb
from turnpike.api.gatekeeper.v1.principal_pb2 import Role
from turnpike.rpc.identity import bearer

AT = datetime(2026, 3, 10, 12, 7, 30, tzinfo=UTC)
YEAR: dict[str, Any] = {
    "from_time": datetime(2026, 1, 1, tzinfo=UTC),
    "to_time": datetime(2026, 11, 1, tzinfo=UTC),
}


async def test_a_report_adds_up_all_that_is_counted(
    accounts: Accounts, tenant: Tenant, superuser: asyncpg.Connection
):
    await write_entry(superuser, tenant, at=AT, flags=(True, False, False))
    await write_entry(superuser, tenant, at=AT, flags=(False, True, False), cost=0)
    await write_entry(superuser, tenant, at=AT, flags=(True, False, True), cost=9)

    found = await accounts.report(tenant.as_admin, **YEAR)

    assert found.total == pb.UsageSum(
        entries=3,
        input_tokens=300,
        cached_tokens=60,
        cache_write_tokens=30,
        output_tokens=150,
        reasoning_tokens=15,
        cost_micro_usd=16,
        default_priced=pb.UsagePart(entries=2, tokens=300, cost_micro_usd=16),
        estimated=pb.UsagePart(entries=1, tokens=150, cost_micro_usd=9),
        own_key=pb.UsagePart(entries=1, tokens=150, cost_micro_usd=0),
    )
    assert [row.sum for row in found.rows] == [found.total]


async def test_nothing_used_is_no_row_and_a_total_of_nothing(accounts: Accounts, tenant: Tenant):
    for by in ([], ["model"], ["day", "principal"]):
        found = await accounts.report(tenant.as_admin, *by)
        assert (list(found.rows), found.total.entries, found.next_page_token) == ([], 0, "")


async def test_a_report_tells_apart_what_it_is_asked_to(
    accounts: Accounts, tenant: Tenant, superuser: asyncpg.Connection
):
    other = (await tenant.create_key()).api_key.principal.id
    expected: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for n, (principal, agent, model) in enumerate(
        (p, a, m) for p in (tenant.principal, other) for a in ("", "b", "a") for m in ("x", "y")
    ):
        await write_entry(
            superuser, tenant, at=AT, principal=principal, agent=agent, model=model, cost=n
        )
        expected[principal, agent, model] += n

    found = await accounts.report(tenant.as_admin, "principal", "agent", "model", **YEAR)
    by_agent = await accounts.report(tenant.as_admin, "agent", model="x", **YEAR)
    ours = await accounts.report(tenant.as_admin, "tenant", principal=other, **YEAR)

    rows = [(row.principal, row.agent, row.model) for row in found.rows]
    assert rows == sorted(expected)
    sums = {(r.principal, r.agent, r.model): r.sum.cost_micro_usd for r in found.rows}
    assert sums == dict(expected)
    assert [(row.agent, row.model) for row in by_agent.rows] == [("", ""), ("a", ""), ("b", "")]
    assert by_agent.total.cost_micro_usd == sum(c for k, c in expected.items() if k[2] == "x")
    assert [row.tenant for row in ours.rows] == [tenant.id]
    assert ours.total.cost_micro_usd == sum(c for k, c in expected.items() if k[0] == other)


async def test_a_page_goes_on_after_the_last_and_the_total_stays(
    accounts: Accounts, tenant: Tenant, superuser: asyncpg.Connection
):
    for n in range(7):
        await write_entry(superuser, tenant, at=AT + timedelta(days=n % 3), model=f"m{n}")

    tokens, rows = [""], list[tuple[datetime, str]]()
    while True:
        page = {"page_size": 3, "page_token": tokens[-1]}
        found = await accounts.report(tenant.as_admin, "day", "model", page=page, **YEAR)
        assert found.total.entries == 7
        rows += [(row.period.ToDatetime(UTC), row.model) for row in found.rows]
        if not found.next_page_token:
            break
        tokens.append(found.next_page_token)

    assert len(tokens) == 3
    assert rows == sorted(set(rows)) and len(rows) == 7
    wrong = accounts.report(tenant.as_admin, "model", page={"page_token": tokens[1]}, **YEAR)
    assert (await refusal(wrong)).reason == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("begins", "ends", "found"),
    [
        pytest.param(timedelta(0), timedelta(seconds=1), 1, id="from its time on"),
        pytest.param(timedelta(seconds=-1), timedelta(0), 0, id="before its time"),
        pytest.param(timedelta(microseconds=1), timedelta(hours=1), 0, id="after its time"),
        pytest.param(timedelta(minutes=-1), timedelta(minutes=1), 1, id="within its quarter"),
        pytest.param(timedelta(minutes=-20), timedelta(minutes=3), 1, id="into its quarter"),
        pytest.param(timedelta(minutes=-3), timedelta(minutes=50), 1, id="out of its quarter"),
        pytest.param(timedelta(hours=-2), timedelta(hours=2), 1, id="around its quarter"),
    ],
)
async def test_times_are_half_open_to_the_microsecond(
    accounts: Accounts,
    tenant: Tenant,
    superuser: asyncpg.Connection,
    begins: timedelta,
    ends: timedelta,
    found: int,
):
    await write_entry(superuser, tenant, at=AT)

    report = await accounts.report(tenant.as_admin, from_time=AT + begins, to_time=AT + ends)

    assert report.total.entries == found


async def test_any_two_halves_of_a_time_make_the_whole(
    accounts: Accounts, tenant: Tenant, superuser: asyncpg.Connection
):
    chance = random.Random(3)
    begins, ends = AT - timedelta(hours=3), AT + timedelta(hours=3)
    written = sorted(begins + chance.random() * (ends - begins) for _ in range(60))
    for at in written:
        await write_entry(superuser, tenant, at=at, cost=1)

    for middle in [*chance.sample(written, 5), AT - timedelta(minutes=7, seconds=30)]:
        first = await accounts.report(tenant.as_admin, from_time=begins, to_time=middle)
        second = await accounts.report(tenant.as_admin, from_time=middle, to_time=ends)
        assert first.total.entries == sum(at < middle for at in written)
        assert first.total.entries + second.total.cost_micro_usd == 60


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York"])
@pytest.mark.parametrize("period", ["hour", "day", "month"])
async def test_periods_begin_where_the_time_zone_says(
    accounts: Accounts,
    tenant: Tenant,
    superuser: asyncpg.Connection,
    zone: str,
    period: str,
):
    there = ZoneInfo(zone)
    # Around the ends of days and months there, and the change to summer time of New York.
    times = [
        datetime(2026, month, day, hour, minute, tzinfo=there).astimezone(UTC)
        for month, day in ((3, 1), (3, 8), (3, 31), (4, 1))
        for hour, minute in ((0, 0), (3, 14), (23, 59))
    ]
    expected: defaultdict[datetime, int] = defaultdict(int)
    cuts: dict[str, dict[str, Any]] = {"day": {"hour": 0}, "month": {"day": 1, "hour": 0}}
    for at in times:
        await write_entry(superuser, tenant, at=at)
        begins = at.astimezone(there).replace(minute=0, second=0, fold=0, **cuts.get(period, {}))
        expected[begins.astimezone(UTC)] += 1

    found = await accounts.report(
        tenant.as_admin, period, time_zone=zone, page={"page_size": 500}, **YEAR
    )

    rows = {row.period.ToDatetime(UTC): row.sum.entries for row in found.rows}
    assert rows == dict(expected)


async def test_without_times_a_report_is_of_this_month(
    accounts: Accounts, tenant: Tenant, superuser: asyncpg.Connection
):
    await write_entry(superuser, tenant)
    await write_entry(superuser, tenant, at=datetime.now(UTC) - timedelta(days=40))

    found = await accounts.report(tenant.as_admin)

    assert found.total.entries == 1
    begins, ends = found.from_time.ToDatetime(UTC), found.to_time.ToDatetime(UTC)
    assert (begins.day, begins.hour, begins.minute) == (1, 0, 0)
    assert begins < datetime.now(UTC) < ends


@pytest.mark.parametrize(
    ("asked", "by", "field"),
    [
        pytest.param({"time_zone": "Mars/One"}, [], "filter.time_zone", id="no zone"),
        pytest.param({"time_zone": "UTC+3"}, ["day"], "filter.time_zone", id="POSIX"),
        pytest.param({"to_time": AT, "from_time": AT}, [], "filter.to_time", id="no time"),
        pytest.param({}, ["hour", "day"], "by", id="two periods"),
        pytest.param({}, ["day", "day"], "by", id="twice the same"),
    ],
)
async def test_what_is_asked_wrongly_is_named(
    accounts: Accounts, tenant: Tenant, asked: dict[str, Any], by: list[str], field: str
):
    found = await refusal(accounts.report(tenant.as_admin, *by, **asked))

    assert [path for path, _ in found.fields] == [field]


@pytest.mark.parametrize("year", [1, 9999])
async def test_times_at_the_ends_of_the_calendar_are_times(
    accounts: Accounts, tenant: Tenant, superuser: asyncpg.Connection, year: int
):
    await write_entry(superuser, tenant, at=AT)
    begins = datetime(year, 1, 1, tzinfo=UTC)

    found = await accounts.report(
        tenant.as_admin, from_time=begins, to_time=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    )

    assert found.total.entries == (1 if year == 1 else 0)


async def test_entries_are_listed_newest_first_page_by_page(
    accounts: Accounts, tenant: Tenant, superuser: asyncpg.Connection
):
    turns = [await write_entry(superuser, tenant, at=AT + timedelta(hours=n)) for n in range(5)]
    request = pb.ListUsageRequest(page_size=2)

    found: list[pb.UsageEntry] = []
    while True:
        page = await accounts.usage.ListUsage(request, metadata=tenant.as_admin)
        found += page.entries
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token

    assert [entry.turn for entry in found] == [str(turn) for turn in reversed(turns)]
    first = found[-1]
    assert (first.tenant, first.principal, first.model) == (tenant.id, tenant.principal, "small")
    assert (first.input_tokens, first.output_tokens, first.cost_micro_usd) == (100, 50, 7)
    assert first.create_time.ToDatetime(UTC) == AT
    narrow = pb.ListUsageRequest(turn=str(turns[2]))
    narrow.filter.from_time.FromDatetime(AT)
    one = await accounts.usage.ListUsage(narrow, metadata=tenant.as_admin)
    assert [entry.turn for entry in one.entries] == [str(turns[2])]


@pytest.mark.parametrize("role", [Role.ROLE_MEMBER, Role.ROLE_VIEWER], ids=Role.Name)
async def test_members_see_their_own_and_no_more(
    accounts: Accounts, tenant: Tenant, superuser: asyncpg.Connection, role: "Role"
):
    member = await tenant.create_key(role)
    mine, who = member.api_key.principal.id, bearer(member.secret)
    await write_entry(superuser, tenant, at=AT)
    turn = await write_entry(superuser, tenant, at=AT, principal=mine)

    report = await accounts.report(who, "principal", **YEAR)
    listed = await accounts.usage.ListUsage(pb.ListUsageRequest(), metadata=who)
    other = await refusal(accounts.report(who, principal=tenant.principal, **YEAR))
    asked = pb.ListUsageRequest(filter=pb.UsageFilter(principal=tenant.principal))
    others = await refusal(accounts.usage.ListUsage(asked, metadata=who))

    assert [row.principal for row in report.rows] == [mine]
    assert report.total.entries == 1
    assert [entry.turn for entry in listed.entries] == [str(turn)]
    assert (other.reason, others.reason) == ("FORBIDDEN", "FORBIDDEN")


async def test_a_tenants_admin_sees_no_other_tenant(
    accounts: Accounts, tenant: Tenant, superuser: asyncpg.Connection
):
    theirs = await tenant.gatekeeper.create_tenant()
    turn = await write_entry(superuser, theirs, at=AT)

    for asked in (theirs.id, "-"):
        assert (await refusal(accounts.report(tenant.as_admin, tenant=asked))).reason == "FORBIDDEN"
        request = pb.ListUsageRequest(filter=pb.UsageFilter(tenant=asked))
        call = accounts.usage.ListUsage(request, metadata=tenant.as_admin)
        assert (await refusal(call)).reason in ("FORBIDDEN", "INVALID_ARGUMENT")
    report = await accounts.report(tenant.as_admin, principal=theirs.principal, **YEAR)
    listed = await accounts.usage.ListUsage(
        pb.ListUsageRequest(turn=str(turn)), metadata=tenant.as_admin
    )
    assert (report.total.entries, list(listed.entries)) == (0, [])


async def test_the_platform_sees_all_tenants_side_by_side(
    accounts: Accounts, tenant: Tenant, superuser: asyncpg.Connection
):
    theirs = await tenant.gatekeeper.create_tenant()
    model = f"model-{uuid4()}"
    for each, cost in ((tenant, 3), (theirs, 5), (theirs, 7)):
        await write_entry(superuser, each, at=AT, model=model, cost=cost)

    report = await accounts.report(PLATFORM, "tenant", tenant="-", model=model, **YEAR)
    one = await accounts.report(PLATFORM, tenant=theirs.id, **YEAR)
    uneven = await refusal(accounts.report(PLATFORM, tenant="-", from_time=AT))

    costs = {row.tenant: row.sum.cost_micro_usd for row in report.rows}
    assert costs == {tenant.id: 3, theirs.id: 12}
    assert (report.total.cost_micro_usd, one.total.cost_micro_usd) == (15, 12)
    assert [path for path, _ in uneven.fields] == ["filter.from_time"]


async def test_sums_are_the_ledgers_whatever_is_written_together(
    accounts: Accounts, tenant: Tenant, superuser: asyncpg.Connection
):
    """The sums are written by a trigger: with many rows in one statement, and after a rollback."""
    copy = (
        "INSERT INTO ledger SELECT tenant, gen_random_uuid(), turn, segment, step, call, attempt,"
        " kind, principal, key, agent, model || n % 3, input_tokens, cached_tokens,"
        " cache_write_tokens, output_tokens, reasoning_tokens, cost_micro_usd, default_price,"
        " own_key, estimated, payer, plan, created + n * interval '1 minute'"
        " FROM ledger, generate_series(1, 100) n WHERE tenant = $1 AND model = 'small'"
    )
    await write_entry(superuser, tenant, at=AT)
    await superuser.execute(copy, tenant.id)
    undone = superuser.transaction()
    await undone.start()
    await superuser.execute(copy, tenant.id)
    await undone.rollback()

    difference = await superuser.fetch(
        "SELECT model, date_bin('15 minutes', created, 'epoch') AS starts, count(*),"
        " sum(input_tokens), sum(output_tokens), sum(cost_micro_usd)"
        " FROM ledger WHERE tenant = $1 GROUP BY 1, 2"
        " EXCEPT SELECT model, starts, sum(entries), sum(input_tokens), sum(output_tokens),"
        " sum(cost_micro_usd) FROM usage_quarters WHERE tenant = $1 GROUP BY 1, 2",
        tenant.id,
    )

    assert difference == []
    assert (await accounts.report(tenant.as_admin, **YEAR)).total.entries == 101
