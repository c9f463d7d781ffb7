"""Skills over REST: each route is one rpc."""

from typing import Any

import httpx
import pytest

from tests.gateway.upstream import TIME, Upstream
from turnpike.api.agent_runtime.v1 import skill_service_pb2 as pb

RULE: dict[str, Any] = {"tool": "shop/*", "effect": "ASK", "reason": "money"}
BODY: dict[str, Any] = {
    "description": "For care.",
    "instructions": "# Take\n\ncare",
    "rules": [{**RULE, "where": [{"path": "/price", "minimum": 10.0}]}],
}
MESSAGE: dict[str, Any] = BODY | {
    "rules": [
        {
            **RULE,
            "effect": "RULE_EFFECT_ASK",
            "where": [{"path": "/price", "range": {"minimum": 10.0}}],
        }
    ]
}
STORED: dict[str, Any] = {
    "name": "careful",
    **BODY,
    "version": "v-1",
    "version_number": 2,
    "etag": "e1",
}
SKILL = pb.Skill(**STORED | MESSAGE, create_time=TIME, update_time=TIME)
SHOWN = {
    **STORED,
    "created": "2026-11-21T05:00:00.123456Z",
    "updated": "2026-11-21T05:00:00.123456Z",
}
PATH = "/api/v1/skills/careful"


async def test_a_skill_is_made_read_listed_changed_and_deleted(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.other.answers.update(
        CreateSkill=pb.CreateSkillResponse(skill=SKILL),
        UpdateSkill=pb.UpdateSkillResponse(skill=SKILL, change="CHANGE_CHANGED"),
        GetSkill=pb.GetSkillResponse(skill=SKILL),
        ListSkills=pb.ListSkillsResponse(skills=[SKILL], next_page_token="next"),
        DeleteSkill=pb.DeleteSkillResponse(),
    )

    created = await client.post("/api/v1/skills", json={"name": "careful", **BODY})
    put = await client.put(PATH, json=BODY, headers={"if-match": '"e1"'})
    checked = await client.put(f"{PATH}?validate_only=true", json=BODY)
    read = await client.get(PATH)
    listed = await client.get("/api/v1/skills?page_size=7&page_token=here")
    deleted = await client.delete(PATH, headers={"if-match": '"e1"'})

    assert (created.status_code, created.headers["location"]) == (201, PATH)
    assert created.json() == read.json() == put.json() == SHOWN
    assert next(iter(read.json())) == "name"
    assert read.headers["etag"] == '"e1"'
    assert listed.json() == {"skills": [SHOWN], "next_page_token": "next"}
    assert (deleted.status_code, checked.status_code) == (204, 200)
    first, second, third, _, listing, deletion = upstream.other.requests
    wanted = pb.Skill(name="careful", **MESSAGE)
    assert first.skill == second.skill == third.skill == wanted
    assert (second.etag, second.allow_missing, third.validate_only) == ("e1", False, True)
    assert (listing.page_size, listing.page_token, deletion.etag) == (7, "here", "e1")


async def test_a_skill_s_versions_are_listed(upstream: Upstream, client: httpx.AsyncClient):
    version = pb.SkillVersion(id="v-1", number=2, active=True, create_time=TIME, **MESSAGE)
    upstream.other.answers["ListSkillVersions"] = pb.ListSkillVersionsResponse(
        versions=[version], next_page_token="next"
    )

    listed = await client.get(f"{PATH}/versions?page_size=7&page_token=here")

    shown = {"id": "v-1", "number": 2, "active": True, **BODY, "created": SHOWN["created"]}
    assert listed.json() == {"versions": [shown], "next_page_token": "next"}
    (request,) = upstream.other.requests
    assert (request.name, request.page_size, request.page_token) == ("careful", 7, "here")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"description": ""}, "description"),
        ({"description": "x" * 1025}, "description"),
        ({"instructions": "x" * 65_537}, "instructions"),
        ({"instruction": "x"}, "instruction"),
        ({"rules": [{**RULE, "effect": "ALLOW"}]}, "rules[0].effect"),
        ({"rules": [{**RULE, "effect": "ALWAYS_ASK"}]}, "rules[0].effect"),
        ({"name": "another"}, "name"),
    ],
)
async def test_a_wrong_body_is_refused_at_the_edge(
    upstream: Upstream, client: httpx.AsyncClient, change: dict[str, Any], field: str
):
    response = await client.put(PATH, json={**BODY, **change})

    assert (response.status_code, response.json()["reason"]) == (400, "INVALID_ARGUMENT")
    assert response.json()["errors"][0]["field"] == field
    assert not upstream.other.requests
