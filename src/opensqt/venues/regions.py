"""The regions of a venue: each of its companies serves the accounts that are registered with it at hosts of its own.

The hosts are those of the venues' documents, of ccxt, and of the venues' SDKs:
https://www.okx.com/docs-v5/en/#overview-production-trading-services, https://bybit-exchange.github.io/docs/v5/guide,
https://bybit-exchange.github.io/docs/v5/ws/connect, and for Gate ccxt's class `gateeu`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opensqt.config.venue import VenueSettings
from opensqt.model.errors import ConfigError

GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class Region:
    """The hosts of one region."""

    rest: str
    stream: str
    test_rest: str = ""
    """Host of the region's test network; empty where it has none."""
    test_stream: str = ""


_BYBIT_STREAM = "stream.bybit.com"
"""The documents name no other host of streams for the Netherlands and the Emirates."""
REGIONS: Mapping[str, Mapping[str, Region]] = {
    "binance": {},
    "bitget": {},
    "bybit": {
        "ae": Region("api.bybit.ae", _BYBIT_STREAM),
        "eu": Region("api.bybit.eu", "stream.bybit.eu"),
        "ge": Region("api.bybitgeorgia.ge", "stream.bybitgeorgia.ge"),
        "id": Region("api.bybit.id", "stream.bybit.id"),
        "jp": Region("api.manepa.jp", "stream.manepa.jp"),
        "kz": Region("api.bybit.kz", "stream.bybit.kz"),
        "nl": Region("api.bybit.nl", _BYBIT_STREAM),
        "tr": Region("api.bybit.tr", "stream.bybit.tr"),
    },
    "gate": {"eu": Region("api.gateeu.com", "ws.gateeu.com")},
    "okx": {
        "eea": Region("eea.okx.com", "wseea.okx.com", "eea.okx.com", "wseeapap.okx.com"),
        "us": Region("us.okx.com", "wsus.okx.com", "us.okx.com", "wsuspap.okx.com"),
    },
}
"""By venue and name. Every venue has `global`, too: the hosts that ccxt knows."""


def region_of(settings: VenueSettings) -> Region | None:
    """Return the region whose hosts are used; None for the global hosts, and for a simulator, which has its own.

    Raises:
        ConfigError: The venue has no such region, or the region has no test network.
    """
    known = REGIONS[settings.name]
    if settings.region != GLOBAL and settings.region not in known:
        names = ", ".join((GLOBAL, *known))
        raise ConfigError(f"exchange.region {settings.region!r}: unknown on {settings.name}; expected one of {names}")
    if settings.base_url or settings.region == GLOBAL:
        return None
    region = known[settings.region]
    if settings.testnet and not region.test_rest:
        raise ConfigError(
            f"exchange.region {settings.region!r}: {settings.name} has no test network there;"
            f" leave out testnet (--testnet), or set region to {GLOBAL}"
        )
    return region
