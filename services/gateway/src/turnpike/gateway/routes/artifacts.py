"""Artifacts: what calls brought that is no text, or too much of it."""

from fastapi import APIRouter, Request, Response

from turnpike.api.tool_registry.v1 import artifact_service_pb2 as pb
from turnpike.api.tool_registry.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.ranges import Content
from turnpike.gateway.routes.downloads import BYTES, sent
from turnpike.gateway.routes.replies import problems, reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Reply, Time


class Artifact(Reply):
    """Bytes that a call brought."""

    id: str
    call: str
    name: str
    media_type: str
    size: int
    sha256: str
    created: Time


class ArtifactList(Reply):
    """A turn's artifacts, in the order of its calls."""

    artifacts: list[Artifact]


class ArtifactRoutes:
    """`/api/v1/artifacts`."""

    def __init__(self, artifacts: ArtifactServiceStub) -> None:
        self._artifacts = artifacts

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        router.add_api_route(
            "/api/v1/artifacts/{artifact:name}",
            self.read_artifact,
            methods=["GET"],
            responses=BYTES | problems(404, 416),
        )
        router.add_api_route(
            "/api/v1/turns/{turn:name}/artifacts",
            self.list_artifacts,
            methods=["GET"],
            response_model=ArtifactList,
            responses=problems(404),
        )
        return router

    async def read_artifact(self, call: CurrentCall, artifact: str, request: Request) -> Response:
        """Returns an artifact's bytes, or the range of them that is asked for."""
        response = await call.read(self._artifacts.GetArtifact, pb.GetArtifactRequest(id=artifact))
        found = response.artifact
        content = Content(found.name, found.media_type, found.size, found.sha256)
        wanted = pb.ReadArtifactRequest(id=artifact)
        return await sent(call, self._artifacts.ReadArtifact, wanted, content, request)

    async def list_artifacts(self, call: CurrentCall, turn: str) -> Response:
        """Lists what a turn's calls brought."""
        request = pb.ListArtifactsRequest(turn=turn)
        response = await call.read(self._artifacts.ListArtifacts, request)
        return reply(ArtifactList(artifacts=[_artifact(each) for each in response.artifacts]))


def _artifact(artifact: pb.Artifact) -> Artifact:
    return Artifact(
        id=artifact.id,
        call=artifact.effect,
        name=artifact.name,
        media_type=artifact.media_type,
        size=artifact.size,
        sha256=artifact.sha256,
        created=rfc3339(artifact.create_time),
    )
