"""The console, as a browser without a screen sees it."""

from tests.e2e.conftest import MakeAgent
from tests.e2e.suite import Suite
from tests.e2e.test_node_clients import CLIENTS, node
from tests.e2e.test_openai_chat import words


async def test_a_person_talks_decides_and_sees_usage(suite: Suite, agent: MakeAgent):
    name = await agent("n=30+us=200")
    saw = await node(CLIENTS, CLIENTS / "console_part.mjs", suite.url, suite.key, name)

    assert saw["refused"] == "the credential is not valid"
    assert saw["answer"] == saw["again"] == words(30)
    # What was said is text, whatever it looks like.
    assert saw["markup"] == 0
    assert name in saw["models"]
