"""Gate's ccxt client: orders that expire when they are late, and a private connection of its own."""

from __future__ import annotations

from typing import Any

import ccxt.pro

from opensqt.config.venue import VenueSettings
from opensqt.venues.transport.ccxt_client import CcxtMixin

PRIVATE = "#private"
"""Ends the address of the private connection: it is never sent, and gives the account a socket of its own."""


class Client(CcxtMixin, ccxt.pro.gate):  # type: ignore[misc]
    """ccxt's client, with orders that expire when they are late and a private connection of its own."""

    recv_window_ms = 5_000

    def seconds(self) -> int:
        """Answer the venue's time, which the subscriptions to the account are signed with."""
        return int(self.nonce()) // 1000

    def sign(self, path: str, *arguments: Any, **options: Any) -> Any:
        """Let an order or a cancel expire: its timestamp alone would be taken for a minute."""
        signed = super().sign(path, *arguments, **options)
        if signed["method"] != "GET" and path.rpartition("/")[2] != "leverage" and "order" in path:
            signed["headers"]["x-gate-exptime"] = str(int(self.nonce()) + self.recv_window_ms)
        return signed

    def get_url_by_market_type(self, *arguments: Any) -> str:
        """Answer the address of private channels; ccxt asks here for those only."""
        return f"{super().get_url_by_market_type(*arguments)}{PRIVATE}"

    def code_and_message(self, response: Any) -> tuple[str, str]:
        """Pick the label and what it says."""
        if not isinstance(response, dict):
            return "", ""
        return str(response.get("label", "")), str(response.get("message") or response.get("detail") or "")

    def retry_after_s(self, headers: dict[str, str]) -> float | None:
        """Read when the limit resets, in seconds since the epoch."""
        for name, value in headers.items():
            if name.lower() == "x-gate-ratelimit-reset-timestamp" and value.isdecimal():
                return max(0.0, int(value) - self.nonce() / 1000)
        return super().retry_after_s(headers)


def make(settings: VenueSettings) -> Client:
    """Make the client for the venue, its test network, or a simulator."""
    client = Client(
        {
            "apiKey": settings.api_key.get_secret_value(),
            "secret": settings.secret.get_secret_value(),
            "enableRateLimit": False,
            "timeout": int(settings.request_timeout_s * 1000),
            "options": {
                "defaultType": "swap",
                "fetchMarkets": {"types": ["swap"]},
                "swap": {"fetchMarkets": {"settlementCurrencies": ["usdt"]}},
                "unifiedAccount": False,
                "watchPositions": {"fetchPositionsSnapshot": False},
            },
        }
    )
    client.number = str
    client.recv_window_ms = settings.recv_window_ms
    if settings.base_url:
        client.timeout_on_exit = 0  # no TLS to wind down
        for access in ("public", "private"):
            urls = client.urls["api"][access]
            urls.update(dict.fromkeys(urls, f"{settings.base_url}/api/v4"))
        client.urls["api"]["swap"]["usdt"] = f"ws{settings.base_url.removeprefix('http')}/v4/ws/futures/usdt"
    elif settings.testnet:
        client.set_sandbox_mode(True)
    return client
