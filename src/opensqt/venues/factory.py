"""The venues by name, and the native Exchange that settings ask for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from opensqt.config.venue import VenueSettings
from opensqt.model.errors import ConfigError
from opensqt.model.exchange import Exchange

if TYPE_CHECKING:
    # ccxt takes a second and 100 MB to import: the names alone must not cost that.
    from opensqt.venues.venue import Venue

VENUES: dict[str, tuple[str, str]] = {
    "binance": ("opensqt.venues.binance.adapter", "BinanceAdapter"),
    "bitget": ("opensqt.venues.bitget.adapter", "BitgetAdapter"),
    "bybit": ("opensqt.venues.bybit.adapter", "BybitAdapter"),
    "gate": ("opensqt.venues.gate.adapter", "GateAdapter"),
    "okx": ("opensqt.venues.okx.adapter", "OkxAdapter"),
}
"""Name to module and class; a module is imported only when its venue is asked for."""

KNOWN = tuple(VENUES)
"""The names that `create_exchange` takes."""


def check_name(name: str) -> None:
    """Raise `ConfigError` unless there is a venue of that name."""
    if name not in KNOWN:
        raise ConfigError(f"exchange {name!r}: unknown; expected one of {', '.join(KNOWN)}")


def venue_type(name: str) -> type[Venue]:
    """Return the class of a venue.

    Raises:
        KeyError: There is none of that name.
    """
    module, class_name = VENUES[name]
    found: type[Venue] = getattr(import_module(module), class_name)
    return found


def create_exchange(settings: VenueSettings) -> Exchange:
    """Make the adapter of a venue; it connects in `start`.

    Raises:
        ConfigError: There is no venue of that name.
    """
    check_name(settings.name)
    # Only a program that makes an adapter pays for ccxt.
    from opensqt.venues.adapter import VenueAdapter

    return VenueAdapter(venue_type(settings.name), settings)
