"""What a call may do: read its credential, and compare its client's role with the method's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from opensqt.connector.auth.clients import NAME, Client, Clients, Credential, Role, digest
from opensqt.model.errors import PermissionDenied, TokenRefused
from opensqt.telemetry import logging

REQUIRED: Mapping[str, Role] = {
    "PlaceOrder": Role.TRADE,
    "BatchPlaceOrders": Role.TRADE,
    "AmendOrder": Role.TRADE,
    "CancelOrder": Role.TRADE,
    "BatchCancelOrders": Role.TRADE,
    "CancelAllOrders": Role.TRADE,
    "Heartbeat": Role.TRADE,
    "HaltTrading": Role.TRADE,
    "ResumeTrading": Role.TRADE,
    "SetLeverage": Role.TRADE,
    "SetMarginMode": Role.TRADE,
    "SetPositionMode": Role.TRADE,
    "GetOrder": Role.READ,
    "GetOpenOrders": Role.READ,
    "GetAccount": Role.READ,
    "GetPositions": Role.READ,
    "GetLatestPrice": Role.READ,
    "GetHistoricalKlines": Role.READ,
    "GetExchangeInfo": Role.READ,
    "GetStatus": Role.READ,
    "ListFills": Role.READ,
    "ListFundingPayments": Role.READ,
    "GetRateBudget": Role.READ,
    "SubscribePrice": Role.READ,
    "SubscribeOrders": Role.READ,
    "SubscribeKlines": Role.READ,
    "SubscribeAccount": Role.READ,
    "SubscribePositions": Role.READ,
    "SubscribeOrderBook": Role.READ,
    "SubscribeTrades": Role.READ,
    "SubscribeMarkPrice": Role.READ,
    "SubscribeFundingPayments": Role.READ,
    "ReadStream": Role.READ,
}
"""The role that each method needs. A method that is not named here is denied to every client."""

ANYBODY = "local"
"""The name of a client that nothing else names."""

_BEARER = re.compile(r"bearer +([\x21-\x7e]{1,512})", re.ASCII | re.IGNORECASE)
_NAME = re.compile(NAME, re.ASCII)
_NAMES_KEPT = 1024


class Connection(Protocol):
    """The part of a call's context that is needed here."""

    def auth_context(self) -> Mapping[str, Any]:
        """What the TLS handshake proved."""
        ...


class Access:
    """Identify clients by the clients file and the client authority as they stand now.

    Args:
        clients: Of the clients file; None if there is no file.
        certificates: Whether every connection proved a certificate of the client authority.
    """

    def __init__(self, clients: Clients | None = None, *, certificates: bool = False) -> None:
        self.clients = clients
        """Replace it to accept other clients from the next call on."""
        self._certificates = certificates
        self.self_named: dict[str, Client] = {}

    @property
    def proven(self) -> bool:
        """Whether clients have to prove their name; if not, each has the name that it gives itself, and may trade."""
        return self.clients is not None or self._certificates

    def credential(self, connection: Connection, authorization: str | None) -> Credential:
        """Return the credential of a call.

        Args:
            connection: The call's context.
            authorization: The metadata of that name; None if there is none.

        Raises:
            TokenRefused: It is not of the form `Bearer TOKEN`, or the certificate has no one common name.
        """
        common_name = _common_name(connection.auth_context()) if self._certificates else None
        if authorization is None or self.clients is None:
            return Credential(None, common_name)
        match = _BEARER.fullmatch(authorization)
        if match is None:
            raise TokenRefused("metadata `authorization`: expected one value, `Bearer TOKEN`")
        return Credential(digest(match[1]), common_name)

    def identify(self, shown: Credential, said: str = "") -> Client:
        """Return the client that makes a call.

        Args:
            shown: The credential that proves it.
            said: The name that the client gives itself, used where nothing has to be proven.

        Raises:
            TokenRefused: It is not a known client, or no longer.
        """
        if self.clients is not None:
            return self.clients.identify(shown)
        if shown.common_name is not None:
            said = shown.common_name
        client = self.self_named.get(said)
        if client is None:
            if len(self.self_named) >= _NAMES_KEPT:
                self.self_named.clear()
            client = self.self_named[said] = Client(name=said or ANYBODY, role=Role.TRADE)
        return client


def permit(client: Client, method: str) -> None:
    """Check that a client may use a method.

    Raises:
        PermissionDenied: Its role does not allow it.
    """
    needed = REQUIRED.get(method)
    if needed is client.role or (needed is Role.READ and client.role is Role.TRADE):
        return
    raise PermissionDenied(f"client {client.name}: its role, {client.role}, does not allow {method}")


def plain_name(text: str) -> str:
    """Return the name that a client gives itself; empty if it is not fit for a log line, or is its token."""
    return text if _NAME.fullmatch(text) and logging.redact(text) == text else ""


def _common_name(proven: Mapping[str, Any]) -> str:
    names = proven.get("x509_common_name", ())
    name = names[0].decode("utf-8", "replace") if len(names) == 1 else ""
    if not _NAME.fullmatch(name):
        raise TokenRefused("the certificate: expected one subject common name of letters, digits and _ . : -")
    return logging.redact(name)
