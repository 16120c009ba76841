"""What a key may do is known before the first order: one that can't trade is refused, one that can withdraw is told."""

from __future__ import annotations

from typing import Any

import pytest
import structlog

from opensqt.model.errors import PermissionDenied
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.settings import AccountSettings
from opensqt.venues.factory import create_exchange
from tests.chaos.adapter_rig import settings


def simulator(venue: str, **rights: bool) -> Simulator:
    return Simulator(SimulatorSettings(exchange=venue, port=0, past_minutes=10, accounts=(AccountSettings(**rights),)))


def warned(logs: list[Any]) -> list[str]:
    return [line["event"] for line in logs if line["log_level"] == "warning" and "key" in line["event"]]


async def test_a_key_that_may_not_trade_is_refused_at_the_start(venue: str) -> None:
    """F34: not by the first order."""
    async with simulator(venue, may_trade=False) as simulated:
        exchange = create_exchange(settings(simulated))
        with pytest.raises(PermissionDenied, match=r"may not (trade|place)"):
            await exchange.start()
        assert "place_order" not in simulated.ledger()["statistics"]["requests"]


async def test_a_key_that_may_withdraw_is_warned_of_at_the_start(venue: str) -> None:
    """F34: a key that can withdraw, or can't trade, is reported before the first order."""
    async with simulator(venue, may_withdraw=True) as simulated:
        with structlog.testing.capture_logs() as logs:
            async with create_exchange(settings(simulated)):
                pass
        assert any("this key may withdraw" in line for line in warned(logs))
        assert "place_order" not in simulated.ledger()["statistics"]["requests"]


async def test_a_key_that_may_trade_and_no_more_is_not_warned_of(venue: str) -> None:
    """F34: a warning that is always there would warn of nothing."""
    async with simulator(venue) as simulated:
        with structlog.testing.capture_logs() as logs:
            async with create_exchange(settings(simulated)):
                pass
        assert warned(logs) == []
