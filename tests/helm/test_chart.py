"""The chart renders what Kubernetes accepts, from values that cannot be misspelt."""

import json
import re
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest

from tests.helm.chart import CHART, EXAMPLES, Values, container, render, values_of

SERVICES = {"agent-runtime", "embedding", "gatekeeper", "gateway", "tool-registry"}
WITH_TABLES = {"agent-runtime", "embedding", "gatekeeper", "tool-registry"}
MINIMAL = values_of(CHART / "ci" / "minimal-values.yaml")
OLDEST, NEWEST = "1.27", kubernetes_validate.latest_version()


def with_value(path: str, value: object) -> Values:
    values = deepcopy(MINIMAL)
    *parents, last = path.split("/")
    inner = values
    for key in parents:
        inner = inner.setdefault(key, {})
    inner[last] = value
    return values


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_helm_finds_nothing_to_complain_of(example: Path):
    report = helm.lint(CHART, values_of(example), strict=True)

    assert [message for message in report["messages"] if message["severity"] > 1] == []


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_kubernetes_accepts_every_object(example: Path, version: str):
    release = render(values_of(example))

    for one in release.objects:
        kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_service_has_its_objects(example: Path):
    release = render(values_of(example))

    for kind in ("Deployment", "Service", "PodDisruptionBudget"):
        assert set(release.of_kind(kind)) == SERVICES, kind
    assert set(release.of_kind("Job")) == {f"{name}-migrate" for name in WITH_TABLES}


def test_indexes_of_vectors_are_made_on_a_schedule_by_who_may_migrate():
    (cron,) = render(with_value("vectorIndexes/above", 70)).of_kind("CronJob").values()
    (job,) = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]

    assert (cron["spec"]["schedule"], cron["spec"]["concurrencyPolicy"]) == ("17 3 * * *", "Forbid")
    assert job["command"][2:4] == ["turnpike.embedding.index", "--above=70"]
    names = [each["secretRef"]["name"] for each in job["envFrom"]]
    assert names == ["turnpike-embedding", "turnpike-embedding-migration"]
    assert render(with_value("vectorIndexes/schedule", "")).of_kind("CronJob") == {}


def test_services_select_the_pods_of_their_deployment():
    release = render(MINIMAL)

    for name, service in release.of_kind("Service").items():
        pods = release.of_kind("Deployment")[name]["spec"]["template"]
        assert service["spec"]["selector"].items() <= pods["metadata"]["labels"].items()
        ports = {port["name"] for port in container({"spec": {"template": pods}})["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_migrations_run_before_the_pods_and_alone_see_their_secret():
    release = render(MINIMAL)

    for name in WITH_TABLES:
        job = release.of_kind("Job")[f"{name}-migrate"]
        assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert secrets(container(job)) == [f"turnpike-{name}", f"turnpike-{name}-migration"]
        assert secrets(container(release.of_kind("Deployment")[name])) == [f"turnpike-{name}"]


def secrets(of: dict[str, Any]) -> list[str]:
    return [source["secretRef"]["name"] for source in of["envFrom"]]


def test_no_pod_has_more_rights_than_it_needs():
    release = render(MINIMAL)

    for workload in (*release.of_kind("Deployment").values(), *release.of_kind("Job").values()):
        pod = workload["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container(workload)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_a_pod_is_killed_only_after_it_may_drain_and_finish():
    values = with_value("defaults", {"drainSeconds": 7, "graceSeconds": 11})
    pod = render(values).of_kind("Deployment")["embedding"]["spec"]["template"]["spec"]
    environment = {item["name"]: item.get("value") for item in pod["containers"][0]["env"]}

    assert environment["EMBEDDING_DRAIN_TIME"] == "7"
    assert environment["EMBEDDING_GRACE_TIME"] == "11"
    assert pod["terminationGracePeriodSeconds"] == 23


def test_sign_ins_are_told_where_browsers_are():
    release = render(values_of(CHART / "ci" / "full-values.yaml"))
    told = {
        item["name"]: item.get("value")
        for name in ("gateway", "tool-registry", "agent-runtime")
        for item in container(release.of_kind("Deployment")[name])["env"]
    }

    client = {"client_id": "turnpike", "method": "none"}
    assert json.loads(told["TOOL_REGISTRY_OAUTH_CLIENTS"]) == {"https://id.example.test": client}
    assert json.loads(told["TOOL_REGISTRY_OAUTH_REDIRECTS"]) == [
        "https://turnpike.example.test/oauth/callback"
    ]
    assert told["GATEWAY_PUBLIC_URL"] == "https://turnpike.example.test"
    assert json.loads(told["GATEWAY_MCP_ISSUERS"]) == ["https://id.example.test"]
    assert "AGENT_RUNTIME_OAUTH_CLIENTS" not in told


def test_a_zero_of_ones_own_overrides_a_default():
    values = with_value("services/gatekeeper", {"replicas": 0})

    assert render(values).of_kind("Deployment")["gatekeeper"]["spec"]["replicas"] == 0


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("replicas", 3, "'replicas' not allowed"),
        ("services/gatekeeper/replica", 3, "'replica' not allowed"),
        ("services/gatekeper", {}, "'gatekeper' not allowed"),
        ("services/gatekeeper/replicas", "3", "got string, want integer"),
        ("services/gateway/port", 80800, "maximum"),
        ("services/gateway/env", {"GATEWAY_X": 1}, "want string"),
        ("services/embedding", None, "embedding"),
        ("image/pullPolicy", "Sometimes", "value must be one of"),
        ("trustedKeys/gateway", "short", "pattern"),
        ("trustedKeys/intruder", MINIMAL["trustedKeys"]["gateway"], "'intruder' not allowed"),
        ("stdioCommands", ["uvx"], "want array"),
        ("publicUrl", "turnpike.example.test", "pattern"),
        ("oauth/clients", {"id.example.test": {"client_id": "a"}}, "pattern"),
        ("oauth/clients", {"https://id.example.test": {}}, "client_id"),
        ("oauth/clients", {"https://a.test": {"client_id": "a", "client_secret": "b"}}, "secret"),
        ("oauth/redirects", "https://a.test", "want array"),
        ("logLevel", "info", "value must be one of"),
    ],
)
def test_a_value_that_is_wrong_is_named(path: str, value: object, complaint: str):
    with pytest.raises(helm.HelmValuesError, match=re.escape(complaint)):
        render(with_value(path, value))


def test_the_schema_closes_every_object_and_knows_every_value():
    schema = json.loads((CHART / "values.schema.json").read_text())
    service = schema["definitions"]["service"]["properties"]
    values = values_of(CHART / "values.yaml")

    assert set(values) == set(schema["properties"]) - {"global"}
    assert set(values["defaults"]) == set(service)
    for part in (schema, *schema["properties"].values(), schema["definitions"]["service"]):
        if "properties" in part:
            assert part["additionalProperties"] is False


def test_every_value_has_a_sentence():
    lines = (CHART / "values.yaml").read_text().splitlines()
    groups = {
        "blobs:",
        "vectorIndexes:",
        "oauth:",
        "image:",
        "serviceAccount:",
        "defaults:",
        "services:",
        "gatewayService:",
    }

    bare = [
        line
        for above, line in pairwise(lines)
        if re.match(r" *[a-zA-Z-]+:", line)
        and not above.lstrip().startswith("#")
        and line not in groups
    ]
    assert bare == []
