"""What a turn costs, beside the model server alone."""

from turnpike.rpc.children import spare_children

spare_children()  # before gRPC is imported
