"""The connector: one gRPC server over one Exchange, for any number of clients."""

import os

# Read by gRPC when it is imported. Left to itself it writes a line of its own form for each handshake that fails, so
# that anybody who reaches the port could fill the log. GRPC_VERBOSITY=INFO brings the lines back.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
