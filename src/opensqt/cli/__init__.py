"""The terminal's side: the demo, and what a person needs at a prompt."""

import os

# gRPC reads these as it is imported. The demo starts processes beside an open channel and uses none of it in them, so
# gRPC's own preparations for a fork only print warnings into the view.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# Its lines on each failed handshake would bury the one that says what to do.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
