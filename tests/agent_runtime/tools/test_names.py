"""The names under which models see tools: all different, and the same whatever else is there."""

from itertools import permutations

from turnpike.agent_runtime.tools.toolset import Tool, Toolset


def tool(name: str, alias: str = "") -> Tool:
    return Tool(name=name, description="", input_schema="{}", digest=name, alias=alias)


def names(*tools: Tool) -> dict[str, str]:
    """Returns each tool's name as models see it."""
    toolset = Toolset(tools)
    found = {each.name: toolset.find(each.name) for each in toolset.definitions}
    return {each.name: shown for shown, each in found.items() if each is not None}


def test_t12_tools_that_collide_are_all_there_whatever_the_order():
    several = [
        tool("git/log"),
        tool("wiki/search"),
        tool("code/search"),
        tool("notes/find", alias="git__log"),
        tool("a.b/c"),
        tool("x/" + "long" * 30),
    ]

    shown = [names(*order) for order in permutations(several)]

    assert all(each == shown[0] for each in shown)
    assert sorted(shown[0]) == sorted(each.name for each in several)
    assert shown[0]["wiki/search"] == "wiki__search"
    assert shown[0]["notes/find"] == "git__log"


def test_t12_a_name_that_was_chosen_is_not_lost_to_a_tool_that_comes_later():
    chosen = tool("notes/find", alias="git__log")

    assert names(chosen)["notes/find"] == "git__log"
    assert names(tool("git/log"), chosen)["notes/find"] == "git__log"
