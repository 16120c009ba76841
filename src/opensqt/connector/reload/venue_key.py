"""The exchange's key, taken up again when a file that it was read from changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol, runtime_checkable

from opensqt.config.venue import VenueSettings
from opensqt.connector.reload.files import Reloads
from opensqt.model.exchange import Exchange

NAME = "venue_key"


@runtime_checkable
class RenewsCredentials(Protocol):
    """An exchange that can change its key while it runs."""

    async def renew_credentials(self, settings: VenueSettings) -> bool:
        """Prove the key that the settings hold and use it from then on; return whether it is another one."""
        ...


def watch(reloads: Reloads, exchange: Exchange, read: Callable[[], VenueSettings], files: Iterable[Path]) -> None:
    """Have the key read and taken up again with the files that it comes from.

    Args:
        reloads: Looks after the files.
        exchange: Gets the key. A refused one leaves the key before in use.
        read: Reads the settings afresh; raises ConfigError. Of what it answers only the key is used.
        files: Where the settings come from.
    """
    if not isinstance(exchange, RenewsCredentials):
        return

    async def take_up() -> None:
        await exchange.renew_credentials(await asyncio.to_thread(read))

    reloads.add(NAME, files, take_up)
