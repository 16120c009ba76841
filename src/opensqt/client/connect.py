"""The way in for a program of your own: one function that answers an exchange behind a connector."""

from __future__ import annotations

import os
from typing import Any

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import from_environment
from opensqt.telemetry.logging import configure_library

File = str | os.PathLike[str]


def connect(
    address: str | None = None,
    *,
    token: str | None = None,
    tls: bool | None = None,
    tls_ca_file: File | None = None,
    tls_cert_file: File | None = None,
    tls_key_file: File | None = None,
    insecure: bool | None = None,
    name: str | None = None,
    deadline_s: float | None = None,
    attempts: int | None = None,
) -> RemoteExchange:
    """Reach the account behind an exchange-connector.

        async with opensqt.connect("localhost:50051") as exchange:
            price = await exchange.get_latest_price("BTCUSDT")

    Nothing is sent before the block begins, which waits until the connector serves. What is left out comes from the
    environment (`OPENSQT__EXCHANGES__REMOTE__DEADLINE_S=5` and the like), then from the defaults.

    Args:
        address: HOST:PORT; else EXCHANGE_GRPC_ADDRESS, else localhost:50051.
        token: What `opensqt token new` printed; else CONNECTOR_TOKEN, or the file that CONNECTOR_TOKEN_FILE names.
        tls: True speaks TLS and trusts the authorities of this system.
        tls_ca_file: PEM file of the connector's own authority; speaks TLS too.
        tls_cert_file: PEM file of a client certificate, where the connector knows its clients by theirs.
        tls_key_file: PEM file of that certificate's key.
        insecure: True lets the token travel to another machine in plain text.
        name: What the connector calls this client where neither a token nor a certificate names it. Whoever holds a
            lease should have one of its own.
        deadline_s: Seconds that one call may take, repeats included (10). An order needs time to be proven.
        attempts: How often the connection is tried, at the start and after each loss, before giving up (10, over
            four minutes); 1 does not wait at all.

    Returns:
        An `Exchange` that is not started yet; use it as an async context manager, or call `start` and `close`.

    Raises:
        ConfigError: An argument or a variable can't be used. The block itself raises `TokenRefused` or
            `ConnectorUnavailable`.
    """
    configure_library()
    given: dict[str, Any] = {
        "base_url": address,
        "token": token,
        "tls": tls,
        "tls_ca_file": tls_ca_file,
        "tls_cert_file": tls_cert_file,
        "tls_key_file": tls_key_file,
        "insecure": insecure,
        "name": name,
        "deadline_s": deadline_s,
        "attempts": attempts,
    }
    return RemoteExchange(from_environment({key: value for key, value in given.items() if value is not None}))
