"""The console, as a browser without a screen sees it."""

from tests.e2e.conftest import MakeAgent
from tests.e2e.suite import Suite
from tests.e2e.test_node_clients import CLIENTS, node
from tests.e2e.test_openai_chat import words


async def test_a_person_talks_decides_and_sees_usage(suite: Suite, agent: MakeAgent):
    name = await agent("n=30+us=200")
    asking = await agent(
        'tool=effects__peek+arg={"tag":"console"}+n=3', tools=["effects/*"], policy={"ask": ["*/*"]}
    )

    saw = await node(CLIENTS, CLIENTS / "console.mjs", suite.url, suite.key, name, asking)

    assert saw["refused"] == "the credential is not valid"
    assert saw["answer"] == saw["again"] == words(30)
    # What was said is text, whatever it looks like.
    assert saw["markup"] == 0
    assert (saw["asked"], saw["outcome"]) == ("effects/peek", "effects/peek: OK")
    assert {name, asking} <= set(saw["models"])
