"""Clients of a simulated venue: our adapter, and ccxt.pro as it is shipped."""

from __future__ import annotations

import copy
from typing import Any

from pydantic import SecretStr

from opensqt.config.venue import VenueSettings
from opensqt.venues.adapter import VenueAdapter
from opensqt.venues.factory import venue_type

SYMBOL = "BTCUSDT"
_USER = "20000001"
"""The number of the simulated account, for a venue whose client needs it."""
_NEVER_S = 3600.0
"""Upkeep would be counted as the cost of frames, so it is put off until after the end."""


def adapter(venue: str, url: str, *, public_only: bool = False) -> VenueAdapter:
    """Make our adapter, not started yet."""
    return VenueAdapter(venue_type(venue), _settings(venue, url, public_only=public_only))


def plain_ccxt(venue: str, url: str) -> Any:
    """Make the client of ccxt.pro that our adapter builds on, with nothing of ours but the addresses and the key."""
    ours = venue_type(venue).make_client(_settings(venue, url))
    shipped = next(each for each in type(ours).__mro__ if each.__module__.startswith("ccxt.pro."))
    client = shipped({"apiKey": ours.apiKey, "secret": ours.secret, "password": ours.password, "uid": _USER})
    client.enableRateLimit = False
    client.urls = copy.deepcopy(ours.urls)
    client.options = copy.deepcopy(ours.options)
    client.has["fetchCurrencies"] = False
    return client


def unified(client: Any) -> str:
    """Return ccxt's name of the symbol; its markets are loaded."""
    return next(
        str(market["symbol"])
        for market in client.markets.values()
        if market["swap"] and market["linear"] and market["base"] + market["quote"] == SYMBOL
    )


def _settings(venue: str, url: str, *, public_only: bool = False) -> VenueSettings:
    return VenueSettings(
        name=venue,
        api_key=SecretStr("sim-key"),
        secret=SecretStr("sim-secret"),
        passphrase=SecretStr("sim-pass"),
        base_url=url,
        public_only=public_only,
        symbols=(SYMBOL,),
        reconcile_interval_s=_NEVER_S,
        stale_after_s=_NEVER_S,
        clock_interval_s=_NEVER_S,
        key_renewal_s=_NEVER_S,
    )
