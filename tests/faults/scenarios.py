"""What is done to the suite, each as one trial that can be repeated."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import asyncpg
from redis.exceptions import RedisError

from tests.e2e.suite import Process, until, until_it
from tests.faults.approved import STRIKES as STRIKES_OF_APPROVED
from tests.faults.approved import killed_after_decision
from tests.faults.effects import REPEATABLE
from tests.faults.invariants import unsettled
from tests.faults.partition import without_lease
from tests.faults.phases import (
    PHASES,
    Phase,
    Subject,
    in_text,
    phase_named,
    with_tools_found,
)
from tests.faults.providers import away, broken_off, refused
from tests.faults.registries import registry_killed
from tests.faults.renewals import expiry_on_two_registries, renewal_killed
from tests.faults.rolling import rolling_restart
from tests.faults.stage import Stage
from tests.faults.trials import Result, begin, claimed_again, jitter, trial

Run = Callable[[Stage, str], Awaitable[Result]]


@dataclass(frozen=True)
class Scenario:
    """A way in which things go wrong."""

    name: str
    run: Run


async def owner_killed(stage: Stage, tag: str, *, phase: str) -> Result:
    """SIGKILLs the owner of a turn in a phase."""
    victims: list[Process] = []

    async def act(subject: Subject) -> float:
        await asyncio.sleep(jitter())
        owner = await stage.owner(subject.turn)
        if owner is None:
            return time.time()
        victims.append(owner)
        os.kill(owner.pid, signal.SIGKILL)
        return time.time()

    result = await trial(stage, phase_named(phase, tag), tag, act)
    for victim in victims:
        await stage.suite.restarted(victim)
    return result


async def owner_killed_with_tools_found(stage: Stage, tag: str) -> Result:
    """SIGKILLs the owner of a turn whose model has searched for tools, and calls one then."""
    victims: list[Process] = []

    async def act(subject: Subject) -> float:
        await asyncio.sleep(jitter())
        owner = await stage.owner(subject.turn)
        if owner is None:
            return time.time()
        victims.append(owner)
        os.kill(owner.pid, signal.SIGKILL)
        return time.time()

    call = f'{{"name":"effects__transfer","arguments":{{"tag":"{tag}","seconds":0.1}}}}'
    search = 'tool=turnpike__search_tools+arg={"query":"move money"}'
    script = f"n=20+ttft=900+{search}+next=turnpike__call_tool+nextarg={call}"
    phase = Phase("tools found", script, with_tools_found)
    result = await trial(stage, phase, tag, act, limits={"context_window": 2_000})
    for victim in victims:
        await stage.suite.restarted(victim)
    if stage.journal.effects(tag) != 1 or result.statuses != ["COMPLETED"]:
        times = stage.journal.effects(tag)
        result.faults.append(f"what was found was called {times} times, and {result.statuses}")
    return result


async def owner_killed_settling(stage: Stage, tag: str) -> Result:
    """SIGKILLs the owner of a turn that has just ended, while it settles and releases."""
    victims: list[Process] = []

    async def act(subject: Subject) -> float:
        owner = await stage.owner(subject.turn)
        if owner is None:
            return time.time()
        victims.append(owner)
        await until(lambda: bool(subject.reading.fold.status), 30)
        await asyncio.sleep(random.uniform(0, 0.02))
        os.kill(owner.pid, signal.SIGKILL)
        return time.time()

    result = await trial(stage, phase_named("end", tag), tag, act)
    result.takeover = None
    for victim in victims:
        await stage.suite.restarted(victim)
    return result


async def gatekeepers_killed(stage: Stage, tag: str) -> Result:
    """SIGKILLs every gatekeeper in the middle of a turn that asks again and again."""
    victims = stage.suite.of("gatekeeper")

    async def act(subject: Subject) -> float:
        for victim in victims:
            os.kill(victim.pid, signal.SIGKILL)
        return time.time()

    result = await trial(stage, phase_named("tool", tag), tag, act)
    result.takeover = None
    for victim in victims:
        await stage.suite.restarted(victim)
    result.faults += await unsettled(stage)
    return result


async def owner_stopped(stage: Stage, tag: str, *, phase: str) -> Result:
    """SIGSTOPs the owner until another has the turn, then lets it go on."""

    async def act(subject: Subject) -> float:
        await asyncio.sleep(jitter())
        owner, fence = await stage.owner(subject.turn), await stage.fence(subject.turn)
        if owner is None:
            return time.time()
        os.kill(owner.pid, signal.SIGSTOP)
        moment = time.time()
        try:
            # A turn that ended in the same instant is claimed by nobody.
            with suppress(TimeoutError):
                await claimed_again(stage, subject.turn, fence)
            await asyncio.sleep(jitter())
        finally:
            with suppress(ProcessLookupError):
                os.kill(owner.pid, signal.SIGCONT)
        return moment

    return await trial(stage, phase_named(phase, tag), tag, act)


async def owner_cut_off(stage: Stage, tag: str) -> Result:
    """Keeps the owner from renewing its lease, though it goes on with the turn."""

    async def act(subject: Subject) -> float:
        owner, fence = await stage.owner(subject.turn), await stage.fence(subject.turn)
        if owner is None:
            return time.time()
        async with without_lease(stage, owner):
            moment = time.time()
            await claimed_again(stage, subject.turn, fence)
            # Both have the turn now; what the first one writes must go nowhere.
            await until(lambda: subject.reading.went_on_after(moment + HEAD_START) is not None)
        return moment

    script = f"n=650+us=10000+vary=1+trial={tag}"
    result = await trial(stage, Phase("text", script, in_text), tag, act)
    result.takeover = None
    return result


async def gateway_killed(stage: Stage, tag: str) -> Result:
    """SIGKILLs the gateway that a reader is attached to."""
    victim = random.choice(stage.suite.of("gateway"))

    async def act(subject: Subject) -> float:
        os.kill(victim.pid, signal.SIGKILL)
        return time.time()

    result = await trial(stage, phase_named("text", tag), tag, act)
    result.takeover = None
    await stage.suite.restarted(victim)
    return result


# What the first owner wrote until others saw that its lease had ended.
HEAD_START = 5
LONG = "n=600+us=4000+vary=1+trial="


async def during_a_long_turn(stage: Stage, tag: str, *, strike: str) -> Result:
    """Strikes at a random moment of a turn of 600 deltas with three readers."""
    running = await begin(stage, LONG + tag, tag, reader_count=3)
    words = random.randrange(5, 590)
    await until(lambda: f"~{words} " in running.readings[0].fold.answer, 30)
    await STRIKES[strike](stage)
    result = await running.end()
    result.faults += await unsettled(stage)
    return result


async def flush(stage: Stage) -> None:
    """Makes Redis forget everything."""
    await stage.redis.flushall()


async def restart_redis(stage: Stage) -> None:
    """SIGKILLs Redis and waits until there is another."""
    pid = (await stage.redis.info("server"))["process_id"]
    os.kill(pid, signal.SIGKILL)

    async def back() -> bool:
        with suppress(OSError, RedisError, asyncpg.PostgresError):
            return (await stage.redis.info("server"))["process_id"] != pid
        return False

    await until_it(back)


async def restart_postgres(stage: Stage) -> None:
    """Ends Postgres as `pg_ctl stop -m immediate` does, and waits until it is back."""
    rows = await stage.query("SELECT pg_read_file('postmaster.pid') AS text")
    started = await started_at(stage)
    os.kill(int(rows[0]["text"].splitlines()[0]), signal.SIGQUIT)

    async def back() -> bool:
        with suppress(OSError, RedisError, asyncpg.PostgresError):
            return await started_at(stage) != started
        return False

    await until_it(back, within=30)


async def started_at(stage: Stage) -> object:
    """Returns when Postgres was started."""
    return (await stage.query("SELECT pg_postmaster_start_time() AS at"))[0]["at"]


STRIKES = {"flush": flush, "redis": restart_redis, "postgres": restart_postgres}


def scenarios() -> list[Scenario]:
    """Returns every scenario, by what is done in which phase."""
    return [
        *(Scenario(f"kill owner: {name}", partial(owner_killed, phase=name)) for name in PHASES),
        *(Scenario(f"stop owner: {name}", partial(owner_stopped, phase=name)) for name in PHASES),
        Scenario("kill owner: settling", owner_killed_settling),
        Scenario("kill owner: tools found", owner_killed_with_tools_found),
        Scenario("kill gatekeepers", gatekeepers_killed),
        Scenario("cut owner off", owner_cut_off),
        Scenario("kill registry: transfer", partial(registry_killed, tool="transfer")),
        Scenario(f"kill registry: {REPEATABLE}", partial(registry_killed, tool=REPEATABLE)),
        Scenario("kill registry: token lost", partial(renewal_killed, rotates=True)),
        Scenario("kill registry: token kept", partial(renewal_killed, rotates=False)),
        Scenario("expiry on two registries", expiry_on_two_registries),
        *(
            Scenario(f"kill {service}: approved", partial(killed_after_decision, service=service))
            for service in STRIKES_OF_APPROVED
        ),
        Scenario("kill gateway", gateway_killed),
        Scenario("flush Redis", partial(during_a_long_turn, strike="flush")),
        Scenario("restart Redis", partial(during_a_long_turn, strike="redis")),
        Scenario("restart Postgres", partial(during_a_long_turn, strike="postgres")),
        Scenario("rolling restart", rolling_restart),
        Scenario("provider refuses", refused),
        Scenario("provider cuts", partial(broken_off, fault="die")),
        Scenario("provider overloaded", partial(broken_off, fault="529")),
        Scenario("provider away", partial(away, seconds=2)),
        Scenario("provider away: a minute", partial(away, seconds=60)),
    ]
