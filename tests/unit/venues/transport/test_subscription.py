"""Subscriptions: kept up after each end, with a catch-up query."""

from __future__ import annotations

import asyncio

import ccxt
import pytest

from opensqt.venues.transport.subscription import VenueSubscription
from tests.support import eventually


async def test_a_subscription_that_ends_is_started_again_and_catches_up_each_time() -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    starts: list[str] = []
    reasons: list[str] = []

    async def watch() -> None:
        starts.append("watch")
        raise ccxt.NetworkError("cut")

    async def catch_up() -> None:
        starts.append("catch up")

    subscription = VenueSubscription("price", watch, on_lost=reasons.append, catch_up=catch_up)
    running = asyncio.create_task(subscription.run())
    await eventually(lambda: len(reasons) >= 3)
    running.cancel()
    assert starts.count("catch up") >= 3
    assert set(reasons) == {"cut"}


async def test_an_error_that_is_not_retryable_is_raised() -> None:
    async def watch() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await VenueSubscription("price", watch, on_lost=lambda _reason: None).run()
