"""Makes the native Exchange that settings ask for."""

from __future__ import annotations

from opensqt.config.load import ConfigError
from opensqt.config.venue import VenueSettings
from opensqt.exchange.protocol import Exchange
from opensqt.exchange.venues.registry import VENUES, venue_type

KNOWN = tuple(VENUES)
"""The names that `create_exchange` takes."""


def check_name(name: str) -> None:
    """Raise `ConfigError` unless there is a venue of that name."""
    if name not in KNOWN:
        raise ConfigError(f"exchange {name!r}: unknown; expected one of {', '.join(KNOWN)}")


def create_exchange(settings: VenueSettings) -> Exchange:
    """Make the adapter of a venue; it connects in `start`.

    Raises:
        ConfigError: There is no venue of that name.
    """
    check_name(settings.name)
    # ccxt takes a second and 100 MB: only who makes an adapter pays for it.
    from opensqt.exchange.venues.base import VenueExchange

    return VenueExchange(venue_type(settings.name), settings)
