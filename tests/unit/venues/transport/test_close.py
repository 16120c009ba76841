"""What is closed stays closed, and a close that is given up leaves no connection open."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.venues.factory import KNOWN, create_exchange


def adapter_of(venue: str) -> Any:
    return create_exchange(VenueSettings(name=venue, base_url="http://127.0.0.1:1", public_only=True))


@pytest.mark.parametrize("venue", KNOWN)
async def test_a_closed_client_opens_no_session_for_a_late_socket(venue: str) -> None:
    """F26: memory does not grow with connections that nobody closes. ccxt opens a session with each new socket."""
    adapter = adapter_of(venue)
    adapter.client.open()
    assert adapter.client.session is not None
    await adapter.close()
    with pytest.raises(Exception, match="closed by the user"):
        adapter.client.client("ws://127.0.0.1:1/late")
    assert adapter.client.session is None


async def test_a_close_that_is_cancelled_closes_the_session_all_the_same() -> None:
    """F26: nothing closes it later, for the adapter takes itself for closed."""
    adapter = adapter_of("binance")
    adapter.client.open()
    session = adapter.client.session

    async def stays() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await ended.wait()

    ended = asyncio.Event()
    adapter.tasks.start("stays", stays())
    await asyncio.sleep(0)
    closing = asyncio.create_task(adapter.close())
    await asyncio.sleep(0)
    closing.cancel()
    ended.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert session.closed
