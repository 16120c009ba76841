"""The client of Bitget: demo trading."""

from __future__ import annotations

from opensqt.config.venue import VenueSettings
from opensqt.venues.bitget.adapter import BitgetAdapter


def test_demo_trading_is_named_in_the_header_and_at_its_own_address() -> None:
    client = BitgetAdapter.make_client(
        VenueSettings(name="bitget", api_key="k", secret="s", passphrase="p", testnet=True)
    )
    assert client.sign("v2/mix/order/detail", ["private", "mix"])["headers"]["PAPTRADING"] == "1"
    assert "wspap" in client.urls["api"]["demo"]["private"]
