"""`opensqt.connect`: returns the exchange behind a connector."""

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
    """Connect to the account behind an exchange-connector.

        async with opensqt.connect("localhost:50051") as exchange:
            price = await exchange.get_latest_price("BTCUSDT")

    Nothing is sent before the block begins; the block waits until the connector is serving. An argument that is left
    out is read from the environment (`OPENSQT__EXCHANGES__REMOTE__DEADLINE_S=5` and the like), else the default is
    used.

    Args:
        address: HOST:PORT; else EXCHANGE_GRPC_ADDRESS, else localhost:50051.
        token: The token that `opensqt token new` printed; else CONNECTOR_TOKEN, or the file that CONNECTOR_TOKEN_FILE
            names.
        tls: True uses TLS and trusts the authorities of this system.
        tls_ca_file: PEM file of the connector's own authority; TLS is used then.
        tls_cert_file: PEM file of a client certificate, where the connector identifies its clients by certificates.
        tls_key_file: PEM file of the key of that certificate.
        insecure: True sends the token to another machine in plain text.
        name: Name of this client where neither a token nor a certificate gives one. A client that holds a lease should
            have a name of its own.
        deadline_s: Seconds that one call may take, retries included (10). An order needs time to be proven.
        attempts: Number of attempts to connect, at the start and after each loss (10, over four minutes); with 1 there
            is no retry.

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
