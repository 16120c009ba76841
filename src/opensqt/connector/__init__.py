"""The connector: one gRPC server over one Exchange, for any number of clients."""
