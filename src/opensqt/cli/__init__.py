"""The `opensqt` command: the demo, and the commands for a person at a prompt."""

import os

# gRPC reads these as it is imported. The demo starts processes while a channel is open and does not use the channel in
# them, so gRPC's own preparations for a fork only print warnings into the view.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# Its lines on each failed handshake would bury the line that says what to do.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
