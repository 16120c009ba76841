"""The gate between settings and orders: neither overtakes the other."""

from __future__ import annotations

import asyncio

import pytest

from opensqt.model.errors import Unreachable
from opensqt.venues.account.settings_gate import SettingsGate

BTC, ETH = "BTCUSDT", "ETHUSDT"


class Log:
    """Orders and changes that pass a gate, in the order in which they begin."""

    def __init__(self, wait_s: float = 60) -> None:
        self.gate = SettingsGate(wait_s)
        self.begun: list[str] = []
        self.held_back: dict[str, bool] = {}
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: list[asyncio.Task[None]] = []

    def order(self, name: str, *symbols: str) -> None:
        self._start(name, self._order(name, symbols or (BTC,)))

    def change(self, name: str, symbol: str = BTC) -> None:
        self._start(name, self._change(name, symbol))

    async def end(self, *names: str) -> None:
        for name in names:
            self.ends[name].set()
        await settle()

    def _start(self, name: str, work: object) -> None:
        self.ends[name] = asyncio.Event()
        self.tasks.append(asyncio.ensure_future(work))  # type: ignore[call-overload]

    async def _order(self, name: str, symbols: tuple[str, ...]) -> None:
        async with self.gate.sending(set(symbols)) as held_back:
            self.begun.append(name)
            self.held_back[name] = held_back
            await self.ends[name].wait()

    async def _change(self, name: str, symbol: str) -> None:
        async with self.gate.changing(symbol):
            self.begun.append(name)
            await self.ends[name].wait()


async def settle() -> None:
    """Let every task run as far as it gets."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_an_order_waits_for_the_change_of_its_symbol_and_for_no_other() -> None:
    """F21: no order overtakes a change of its leverage."""
    log = Log()
    log.change("leverage")
    await settle()
    log.order("btc")
    log.order("eth", ETH)
    log.order("both", ETH, BTC)
    await settle()
    assert log.begun == ["leverage", "eth"]
    await log.end("leverage")
    assert set(log.begun[2:]) == {"btc", "both"}
    assert log.held_back == {"eth": False, "btc": True, "both": True}


async def test_a_change_waits_for_the_orders_in_flight_and_holds_back_the_next() -> None:
    """F21: a busy symbol does not keep a change waiting for ever."""
    log = Log()
    log.order("first")
    await settle()
    log.change("leverage")
    await settle()
    log.order("second")
    await settle()
    assert log.begun == ["first"]
    await log.end("first")
    assert log.begun == ["first", "leverage"]
    await log.end("leverage")
    assert log.begun == ["first", "leverage", "second"]


async def test_a_change_of_the_account_waits_for_every_order() -> None:
    """F20: the position mode is every symbol's."""
    log = Log()
    log.order("eth", ETH)
    await settle()
    log.change("mode", "")
    log.order("btc")
    await settle()
    assert log.begun == ["eth"]
    await log.end("eth")
    assert log.begun == ["eth", "mode"]
    await log.end("mode")
    assert log.begun == ["eth", "mode", "btc"]


async def test_changes_are_made_one_after_the_other_as_they_came() -> None:
    """F21: two clients that change a setting at once get the two changes in one order."""
    log = Log()
    for name in ("a", "b", "c"):
        log.change(name, ETH if name == "b" else BTC)
    await settle()
    assert log.begun == ["a"]
    await log.end("a")
    await log.end("b")
    assert log.begun == ["a", "b", "c"]


async def test_an_order_that_waits_too_long_is_not_sent() -> None:
    """F21: it is refused with the reason rather than sent later."""
    log = Log(wait_s=0.01)
    log.change("leverage")
    await settle()
    with pytest.raises(Unreachable, match="setting of BTCUSDT is being changed; nothing was sent"):
        async with log.gate.sending({BTC}):
            raise AssertionError("sent")
    await log.end("leverage")
    async with log.gate.sending({BTC}) as held_back:
        assert not held_back


async def test_who_gives_up_waiting_keeps_nobody() -> None:
    log = Log()
    log.order("first")
    await settle()
    log.change("given up")
    await settle()
    log.tasks[-1].cancel()
    await settle()
    log.order("second")
    log.change("next")
    await log.end("first", "second")
    assert log.begun == ["first", "second", "next"]
