"""The gRPC side: one dispatch for every call, and the methods of the services."""
