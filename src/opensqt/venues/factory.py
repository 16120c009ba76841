"""Creates the adapter of a venue by its name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from opensqt.config.venue import VenueSettings
from opensqt.model.errors import ConfigError
from opensqt.model.exchange import Exchange

if TYPE_CHECKING:
    # Importing ccxt takes a second and 100 MB; a program that needs only the names must not pay for it.
    from opensqt.venues.venue import Venue

VENUES: dict[str, tuple[str, str]] = {
    "binance": ("opensqt.venues.binance.adapter", "BinanceAdapter"),
    "bitget": ("opensqt.venues.bitget.adapter", "BitgetAdapter"),
    "bybit": ("opensqt.venues.bybit.adapter", "BybitAdapter"),
    "gate": ("opensqt.venues.gate.adapter", "GateAdapter"),
    "okx": ("opensqt.venues.okx.adapter", "OkxAdapter"),
}
"""Module and class of each venue. A module is imported only when its venue is used."""

KNOWN = tuple(VENUES)
"""The names that `create_exchange` accepts."""


def check_name(name: str) -> None:
    """Check the name of a venue.

    Raises:
        ConfigError: There is no venue of that name.
    """
    if name not in KNOWN:
        raise ConfigError(f"exchange {name!r}: unknown; expected one of {', '.join(KNOWN)}")


def venue_type(name: str) -> type[Venue]:
    """Return the class of a venue.

    Raises:
        KeyError: There is no venue of that name.
    """
    module, class_name = VENUES[name]
    found: type[Venue] = getattr(import_module(module), class_name)
    return found


def create_exchange(settings: VenueSettings) -> Exchange:
    """Create the adapter of a venue. It connects in `start`.

    Raises:
        ConfigError: There is no venue of that name.
    """
    check_name(settings.name)
    # Imported here, so that only a program that creates an adapter loads ccxt.
    from opensqt.venues.adapter import VenueAdapter

    return VenueAdapter(venue_type(settings.name), settings)
