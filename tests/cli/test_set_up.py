"""What `turnpike apply` says about files before any suite is asked."""

from pathlib import Path

import pytest

from turnpike.cli.setup.application import stdio_commands
from turnpike.cli.setup.documents import Document, load_documents
from turnpike.cli.setup.mistakes import Mistake, MistakesError
from turnpike.cli.setup.secrets import resolve_secrets
from turnpike.cli.setup.specs import ConnectorSpec, ModelSpec

GOOD = """
kind: Agent
name: helper
spec:
  model: small
  instructions: Be brief. It is {{current_datetime}}.
  tools: ["time/*"]
  policy: {deny: ["*/delete_*"]}
---
kind: Connector
name: time
spec: {transport: stdio, command: [mcp-server-time, --local-timezone, UTC]}
---
kind: Model
name: small
spec:
  model: gpt-small
  api_key: env:PROVIDER_KEY
"""


def load(text: str) -> list[Document]:
    return load_documents([("set-up.yaml", text)])


def mistakes_in(text: str) -> list[Mistake]:
    with pytest.raises(MistakesError) as refusal:
        load(text)
    return list(refusal.value.mistakes)


def test_what_others_name_comes_first():
    assert [document.kind for document in load(GOOD)] == ["Model", "Connector", "Agent"]


def test_an_agent_s_skills_come_before_it():
    skill = "kind: Skill\nname: s\nspec: {description: d, instructions: i}\n"
    agent = "kind: Agent\nname: a\nspec: {model: m, skills: [s]}\n"
    ruled = skill.replace("d,", "'', rules: [{tool: a/b, effect: ALLOW}],")
    wrong = agent.replace("[s]", "s") + "---\n" + ruled

    assert [document.kind for document in load(f"{agent}---\n{skill}")] == ["Skill", "Agent"]
    assert [mistake.field.rpartition(": ")[2] for mistake in mistakes_in(wrong)] == [
        "spec.skills",
        "spec.description",
        "spec.rules[0].effect",
    ]


def test_the_commands_of_stdio_connectors_are_known():
    assert stdio_commands(load(GOOD)) == [["mcp-server-time", "--local-timezone", "UTC"]]


def test_a_mistake_names_file_line_document_and_field():
    text = GOOD.replace("model: small", "model: small\n  max_steps: many")

    assert [str(mistake) for mistake in mistakes_in(text)] == [
        "set-up.yaml:6: document 1: Agent 'helper': spec.max_steps: Input should be a valid integer"
    ]


def test_every_mistake_is_told_at_once():
    text = """
kind: Agent
name: Bad Name
spec: {modle: x, policy: {ask: ["*/*"], deny: [nonsense]}}
---
kind: Modle
name: x
---
- a list
---
kind: Connector
name: web
spec: {transport: http}
"""

    assert [(m.document, m.field.rpartition(": ")[2], m.line) for m in mistakes_in(text)] == [
        (1, "name", 3),
        (1, "spec.model", 4),
        (1, "spec.policy.deny[0]", 4),
        (1, "spec.modle", 4),
        (2, "kind", 6),
        (3, "", 9),
        (4, "spec", 13),
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("kind: Model\nname: a\nname: b\nspec: {model: m}", 3, "is given twice"),
        ("kind: Model\n  name: [", 2, "mapping values are not allowed here"),
        ("kind: !!python/object:os.system {}", 1, "could not determine a constructor"),
        ("", 0, "there is no document in it"),
        ("kind: Model\nname: a\nspec: {model: 4}", 3, "Input should be a valid string"),
        ("kind: Model\nname: a\nspec: {model: m, max: 1}", 3, "is not known"),
        ("kind: Model\nname: a", 1, "is missing"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, line: int, message: str):
    mistake = mistakes_in(text)[0]

    assert mistake.line == line
    assert message in mistake.message


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{transport: http}", "needs a url"),
        ("{transport: stdio}", "needs a command"),
        ("{transport: http, url: 'http://x', env: {A: b}}", "env is for stdio connectors"),
        ("{transport: stdio, command: [x], url: 'http://x'}", "url is for http connectors"),
    ],
)
def test_a_connector_says_what_its_transport_needs(spec: str, message: str):
    assert message in mistakes_in(f"kind: Connector\nname: c\nspec: {spec}")[0].message


def test_the_same_thing_cannot_be_set_up_twice():
    model = "kind: Model\nname: m\nspec: {model: x}\n"

    (mistake,) = mistakes_in(f"{model}---\n{model}")

    assert str(mistake) == (
        "set-up.yaml:6: document 2: Model 'm': name: is also document 1 of set-up.yaml"
    )


def test_a_variable_of_the_tenant_and_one_of_a_person_may_have_one_name():
    tenants = "kind: Variable\nname: v\nspec: {value: a}\n"
    persons = "kind: Variable\nname: v\nspec: {value: b, scope: PERSON}\n"
    documents = load_documents([("set-up.yaml", f"{tenants}---\n{persons}")])

    specs = resolve_secrets(documents, {})
    values = [specs[each.id].model_dump()["value"] for each in documents]
    (mistake,) = mistakes_in(f"{tenants}---\n{persons}---\n{persons}")

    assert values == ["a", "b"]
    assert "is also document 2" in mistake.message


def test_secrets_come_from_the_environment_and_from_files(tmp_path: Path):
    (tmp_path / "token").write_text("from a file\n")
    file = tmp_path / "set-up.yaml"
    documents = load_documents(
        [
            (str(file), "kind: Model\nname: m\nspec: {model: x, api_key: 'env:KEY'}"),
            (
                str(file),
                "kind: Connector\nname: c\nspec:\n  transport: http\n  url: http://x\n"
                "  headers: {X-Token: 'file:token', X-Plain: 'as it is'}",
            ),
        ]
    )

    specs = resolve_secrets(documents, {"KEY": "from the environment"})

    model, connector = specs["Model", "m"], specs["Connector", "c"]
    assert isinstance(model, ModelSpec)
    assert isinstance(connector, ConnectorSpec)
    assert model.api_key == "from the environment"
    assert connector.headers == {"X-Token": "from a file", "X-Plain": "as it is"}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("env:NOWHERE", "the environment variable 'NOWHERE' is not set"),
        ("file:nowhere", "the file 'nowhere' cannot be read"),
    ],
)
def test_a_secret_that_is_not_there_is_a_mistake(reference: str, message: str):
    documents = load(f"kind: Model\nname: m\nspec:\n  model: x\n  api_key: {reference}")

    with pytest.raises(MistakesError) as refusal:
        resolve_secrets(documents, {})

    (mistake,) = refusal.value.mistakes
    assert mistake.line == 5
    assert mistake.field == "Model 'm': spec.api_key"
    assert message in mistake.message


POLICY = """
kind: Policy
name: tenant
spec:
  deny: ["disk/*"]
  rules:
  - {tool: shop/buy, effect: ALWAYS_ASK, where: [{path: /sum, minimum: 100}]}
  defaults: {allow: ["*/read*"]}
  approvals: {expires_after: 3600, on_expiry: reject}
  text_filters: [{name: card, pattern: '4\\d{15}', action: MASK, reason: money}]
---
kind: Policy
name: person
spec: {ask: ["mail/*"]}
"""


def test_a_policy_is_the_tenant_s_or_a_person_s():
    assert [(each.kind, each.name) for each in load(POLICY)] == [
        ("Policy", "tenant"),
        ("Policy", "person"),
    ]
    wrong = POLICY.replace("ask: [", "always_ask: [").replace(
        "minimum: 100", "minimum: 1, equals: 1"
    )
    assert [(m.document, m.field.rpartition(": ")[2], m.message) for m in mistakes_in(wrong)] == [
        (1, "spec.rules[0].where[0]", "takes one of equals, one_of, pattern, or bounds"),
        (2, "", "always_ask is not for the policy of a person"),
    ]
