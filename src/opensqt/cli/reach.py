"""How a command at the prompt finds the connector: a flag, the environment, or localhost."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping

from opensqt.config.load import Section, load
from opensqt.config.remote import RemoteSettings
from opensqt.exchange.remote import RemoteExchange
from opensqt.telemetry import logging

_OURS = "OPENSQT__EXCHANGES__REMOTE__"
_IMPATIENT = "0.02"
"""A person waits at the prompt: ten attempts within five seconds instead of within four minutes."""


class _Exchanges(Section):
    remote: RemoteSettings = RemoteSettings()


class _Settings(Section):
    exchanges: _Exchanges = _Exchanges()


def add_address(parser: argparse.ArgumentParser) -> None:
    """Add `--address` to a command."""
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="the connector (default: EXCHANGE_GRPC_ADDRESS, else localhost:50051)",
    )


def remote(address: str | None, *, environ: Mapping[str, str] = os.environ) -> RemoteExchange:
    """Make the client of the connector at *address*; the environment may name another, a token and a CA file.

    Raises:
        ConfigError: The address or a variable can't be used.
    """
    # Other variables belong to the services; they may be set in the same shell.
    named = {
        key: value for key, value in environ.items() if key.startswith((_OURS, "CONNECTOR_TOKEN", "EXCHANGE_GRPC"))
    }
    named.setdefault(f"{_OURS}RETRY_SCALE", _IMPATIENT)
    if address is not None:
        named[f"{_OURS}BASE_URL"] = address
    shortcuts = {"EXCHANGE_GRPC_ADDRESS": "exchanges.remote.base_url", "CONNECTOR_TOKEN": "exchanges.remote.token"}
    settings = load(_Settings, None, environ=named, shortcuts=shortcuts).exchanges.remote
    logging.protect(settings.token.get_secret_value())
    return RemoteExchange(settings)
