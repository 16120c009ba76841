"""The contract that both ends of the gRPC connection share: codec, requests, errors, channel options."""
