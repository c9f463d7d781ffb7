"""The chart, rendered by Helm's own engine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

CHART = Path(__file__).parents[2] / "helm" / "turnpike"
EXAMPLES = sorted((CHART / "ci").glob("*-values.yaml"))

Object = dict[str, Any]
Values = dict[str, Any]


@dataclass(frozen=True)
class Release:
    """Everything one installation consists of."""

    objects: list[Object]

    def of_kind(self, kind: str) -> dict[str, Object]:
        """Returns the objects of a kind, by the name of the part they belong to."""
        return {
            one["metadata"]["labels"]["app.kubernetes.io/name"]: one
            for one in self.objects
            if one["kind"] == kind
        }


def values_of(path: Path) -> Values:
    return yaml.safe_load(path.read_text())


def render(values: Values) -> Release:
    with helm.Chart.load(CHART) as chart:
        manifests = chart.render(values, name="turnpike", namespace="agents")
    documents = [
        document
        for path, manifest in manifests.items()
        if path.endswith(".yaml")
        for document in yaml.safe_load_all(manifest)
    ]
    return Release([document for document in documents if document])


def container(workload: Object) -> Object:
    (only,) = workload["spec"]["template"]["spec"]["containers"]
    return only
