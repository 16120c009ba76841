"""What only OKX has: a passphrase, and a key whose rights are told at the start."""

from __future__ import annotations

from typing import Any

import pytest

from opensqt.exchange.venues.base import VenueExchange
from opensqt.exchange.venues.registry import venue_type
from opensqt.model.errors import CredentialsRefused, PermissionDenied
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.settings import AccountSettings
from tests.chaos.adapter_rig import settings


async def start(account: dict[str, Any], **key: Any) -> None:
    """Start and close an adapter on a simulated OKX with one account."""
    simulated = SimulatorSettings(exchange="okx", port=0, past_minutes=10, accounts=(AccountSettings(**account),))
    async with (
        Simulator(simulated) as simulator,
        VenueExchange(venue_type("okx"), settings(simulator, **key)),
    ):
        pass


async def test_a_missing_passphrase_is_told_by_name() -> None:
    with pytest.raises(CredentialsRefused, match="no passphrase for okx: set PASSPHRASE"):
        await start({}, passphrase="")


async def test_a_wrong_passphrase_is_refused_at_the_start() -> None:
    with pytest.raises(CredentialsRefused, match="50105"):
        await start({}, passphrase="another")


async def test_a_key_that_cannot_trade_is_told_before_the_first_order() -> None:
    """F34."""
    with pytest.raises(PermissionDenied, match="may not trade"):
        await start({"may_trade": False})


async def test_a_key_that_can_withdraw_is_warned_of(capfd: pytest.CaptureFixture[str]) -> None:
    """F34."""
    await start({"may_withdraw": True})
    assert "may withdraw" in "".join(capfd.readouterr())
