"""The venues there are, by name; each module is imported only when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # ccxt takes a second and 100 MB to import: the names alone must not cost that.
    from opensqt.exchange.venues.venue import Venue

VENUES: dict[str, tuple[str, str]] = {
    "binance": ("opensqt.exchange.venues.binance.adapter", "Binance"),
    "bitget": ("opensqt.exchange.venues.bitget.adapter", "Bitget"),
    "bybit": ("opensqt.exchange.venues.bybit.adapter", "Bybit"),
    "gate": ("opensqt.exchange.venues.gate.adapter", "Gate"),
    "okx": ("opensqt.exchange.venues.okx.adapter", "Okx"),
}
"""Name to module and class."""


def venue_type(name: str) -> type[Venue]:
    """Answer the class of a venue.

    Raises:
        KeyError: There is none of that name.
    """
    module, class_name = VENUES[name]
    found: type[Venue] = getattr(import_module(module), class_name)
    return found
