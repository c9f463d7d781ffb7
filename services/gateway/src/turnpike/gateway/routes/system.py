"""What operators and their machines ask."""

import asyncio

import orjson
from fastapi import APIRouter, Response

from turnpike.gateway.readiness import Readiness
from turnpike.gateway.routes.replies import raw_reply
from turnpike.telemetry.metrics import exposition


class SystemRoutes:
    """`/healthz`, `/readyz` and `/metrics`."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def router(self) -> APIRouter:
        """Returns the routes."""
        router = APIRouter()
        for path, answer in (
            ("/healthz", self.get_health),
            ("/readyz", self.get_readiness),
            ("/metrics", self.get_metrics),
        ):
            router.add_api_route(path, answer, methods=["GET"], include_in_schema=False)
        return router

    async def get_health(self) -> Response:
        """Tells that the process lives."""
        return raw_reply(b'{"status":"ok"}')

    async def get_readiness(self) -> Response:
        """Tells whether requests may be sent here."""
        async with asyncio.timeout(5):
            report = await self._readiness.report()
        body = {"ready": report.ready, "draining": report.draining, "peers": report.peers}
        return raw_reply(orjson.dumps(body), 200 if report.ready else 503)

    async def get_metrics(self) -> Response:
        """Returns every metric of this process."""
        return Response(exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")
