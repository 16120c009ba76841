"""What a market maker in standby says, without a database."""

from __future__ import annotations

from typing import Any, cast

import pytest

from opensqt.config.market_maker import MarketMakerSettings
from opensqt.market_maker.standby import Standby, check_settings
from opensqt.market_maker.store.holders import Holder
from opensqt.market_maker.store.holding import OnWait, Waiting
from opensqt.market_maker.store.store import Store
from opensqt.model.errors import ConfigError
from opensqt.testing.exchange import InMemoryExchange

HOLDER = Holder(symbol="BTCUSDT", holder="one", description="market-maker on a, pid 7", number=3, renewed_ms=1)


class Waits:
    """A store that shows these, and is then held."""

    def __init__(self, *shown: Waiting) -> None:
        self._shown = shown
        self.holding = self
        self.replaced: list[Holder] = []

    async def hold(self, *_symbols: str, on_wait: OnWait) -> None:
        for one in self._shown:
            on_wait(one)


async def standby(*shown: Waiting) -> tuple[Standby, list[str]]:
    made, said = Standby(["BTCUSDT"]), list[str]()
    await made.wait(cast("Store", Waits(*shown)), InMemoryExchange(), lambda: said.append(made.text))
    return made, said


async def test_it_says_once_for_whom_it_waits() -> None:
    """A supervisor waits for this line."""
    made, said = await standby(Waiting(HOLDER, 0.4), Waiting(HOLDER, 1.2))
    assert said == ["standby: waiting for market-maker on a, pid 7 (BTCUSDT, number 3), renewed 0.4 s ago"]
    assert "renewed 1.2 s ago" in made.text
    assert made.problems() == []
    assert not made.waits


async def test_with_the_lock_of_a_file_there_is_no_renewal_to_name() -> None:
    """SQLite: the lock decides."""
    made, _ = await standby(Waiting(HOLDER))
    assert made.text.endswith("(BTCUSDT, number 3)")


async def test_a_database_that_can_not_be_read_is_a_problem() -> None:
    """It could not take over; for whom it waits stays known."""
    made, _ = await standby(Waiting(HOLDER, 0.4), Waiting(problem="connection refused"))
    assert made.problems() == ["database: not readable, so nothing can be taken over: connection refused"]
    assert "pid 7" in made.text
    status = made.status()
    assert (status["phase"], status["holder"]["role"], status["holder"]["renewed_s"]) == ("STANDBY", "standby", None)


async def test_it_takes_no_command() -> None:
    """The one that trades does."""
    with pytest.raises(ConfigError, match="pause: this market maker trades nothing, give it to the other one"):
        await Standby(["BTCUSDT"]).run("pause", {})


@pytest.mark.parametrize("changes", [{"app": {"current_exchange": "okx"}}, {"system": {"lease_seconds": 0}}])
def test_without_a_right_to_trade_there_is_no_standby(changes: dict[str, Any]) -> None:
    """Nothing would refuse the orders of a process that was replaced and wakes up."""
    with pytest.raises(ConfigError, match=r"system.standby: expected app.current_exchange remote and system.lease_sec"):
        check_settings(MarketMakerSettings.model_validate(changes))
    check_settings(MarketMakerSettings())
