"""Services of which a test serves a part; the rest answers UNIMPLEMENTED."""

from typing import TYPE_CHECKING, Any

from turnpike.api.agent_runtime.v1.completion_service_pb2_grpc import CompletionServiceServicer
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceServicer
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceServicer
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceServicer

if TYPE_CHECKING:
    # The generated class answers UNIMPLEMENTED to what a double leaves out, but its
    # types demand every method: each new rpc would break doubles that need none of it.
    PartialCompletions: Any
    PartialEmbedding: Any
    PartialGatekeeper: Any
    PartialTurns: Any
else:
    PartialCompletions = CompletionServiceServicer
    PartialEmbedding = EmbeddingServiceServicer
    PartialGatekeeper = GatekeeperServiceServicer
    PartialTurns = TurnServiceServicer
