"""ccxt's client of Bitget: tapped, at the venue's time, and pointed at the venue, its demo or a simulator."""

from __future__ import annotations

import ccxt.pro

from opensqt.config.venue import VenueSettings
from opensqt.venues.bitget.frames import INTERVALS
from opensqt.venues.transport.ccxt_client import CcxtMixin


class Client(CcxtMixin, ccxt.pro.bitget):  # type: ignore[misc]
    """ccxt's client, at the venue's time."""

    text_frames = frozenset({"pong"})

    def seconds(self) -> int:
        """Answer the venue's time, which the stream's login is signed with."""
        return int(self.nonce()) // 1000


def connect(settings: VenueSettings) -> Client:
    """Make the client for an account."""
    client = Client(
        {
            "apiKey": settings.api_key.get_secret_value(),
            "secret": settings.secret.get_secret_value(),
            "password": settings.passphrase.get_secret_value(),
            "enableRateLimit": False,
            "timeout": int(settings.request_timeout_s * 1000),
            "options": {
                "uta": False,
                "defaultType": "swap",
                "fetchMarkets": {"types": ["swap"]},
                "timeframes": INTERVALS,
            },
        }
    )
    client.number = str
    if settings.base_url:
        client.timeout_on_exit = 0  # no TLS to wind down
        api = client.urls["api"]
        api.update({name: settings.base_url for name in api if name not in ("ws", "demo")})
        for access in ("public", "private"):
            api["ws"][access] = f"ws{settings.base_url.removeprefix('http')}/v2/ws/{access}"
    elif settings.testnet:
        client.enable_demo_trading(True)
    return client
