"""The gRPC service over one Exchange."""
