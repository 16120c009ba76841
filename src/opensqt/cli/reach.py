"""How a command at the prompt finds the connector: a flag, the environment, or localhost."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import from_environment

ENVIRONMENT = """\
environment:
  EXCHANGE_GRPC_ADDRESS                           the connector, HOST:PORT
  CONNECTOR_TOKEN, CONNECTOR_TOKEN_FILE           what `opensqt token new` printed, or a file with it
  OPENSQT__EXCHANGES__REMOTE__TLS_CA_FILE         speaks TLS; the authority of the connector's certificate (PEM)
  OPENSQT__EXCHANGES__REMOTE__TLS_CERT_FILE, ...__TLS_KEY_FILE   a client certificate (PEM)
"""
"""What says how the connector is reached, for the help of a command."""

_IMPATIENT = "0.02"
"""A person waits at the prompt: ten attempts within five seconds instead of within four minutes."""
_PATIENCE = "OPENSQT__EXCHANGES__REMOTE__RETRY_SCALE"


def add_address(parser: argparse.ArgumentParser) -> None:
    """Add `--address` to a command."""
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="the connector (default: EXCHANGE_GRPC_ADDRESS, else localhost:50051)",
    )


def remote(address: str | None, *, environ: Mapping[str, str] = os.environ) -> RemoteExchange:
    """Make the client of the connector at *address*; the environment may name another, a token and certificates.

    Raises:
        ConfigError: The address or a variable can't be used.
    """
    given: dict[str, Any] = {} if address is None else {"base_url": address}
    return RemoteExchange(from_environment(given, environ={_PATIENCE: _IMPATIENT, **environ}).named("opensqt"))
