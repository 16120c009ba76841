"""Connection of a command to its connector: by a flag, the environment, or localhost."""

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
  CONNECTOR_TOKEN, CONNECTOR_TOKEN_FILE           the token that `opensqt token new` printed, or a file with it
  OPENSQT__EXCHANGES__REMOTE__TLS_CA_FILE         use TLS; the authority of the connector's certificate (PEM)
  OPENSQT__EXCHANGES__REMOTE__TLS_CERT_FILE, ...__TLS_KEY_FILE   a client certificate (PEM)
"""
"""The environment variables of the connection, for the help of a command."""

_CLI_RETRY_SCALE = "0.02"
"""Scale of the retry delays: ten attempts within five seconds instead of four minutes, since a person waits."""
RETRY_SCALE_VARIABLE = "OPENSQT__EXCHANGES__REMOTE__RETRY_SCALE"
"""Variable of that scale."""
_DEADLINE_VARIABLE = "OPENSQT__EXCHANGES__REMOTE__DEADLINE_S"


def add_address(parser: argparse.ArgumentParser) -> None:
    """Add `--address` to a command."""
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="the connector (default: EXCHANGE_GRPC_ADDRESS, else localhost:50051)",
    )


def connector_client(
    address: str | None, *, deadline_s: float | None = None, environ: Mapping[str, str] = os.environ
) -> RemoteExchange:
    """Make the client of the connector at *address*. The environment gives the default address, token, certificates.

    Args:
        address: HOST:PORT; None takes the environment's.
        deadline_s: Deadline of one call in seconds, where the environment does not set it.
        environ: The environment.

    Raises:
        ConfigError: The address or a variable can't be used.
    """
    given: dict[str, Any] = {} if address is None else {"base_url": address}
    defaults = {RETRY_SCALE_VARIABLE: _CLI_RETRY_SCALE}
    if deadline_s is not None:
        defaults[_DEADLINE_VARIABLE] = str(deadline_s)
    settings = from_environment(given, environ={**defaults, **environ})
    return RemoteExchange(settings.with_name("opensqt"))
