"""Settings of the account: leverage, margin mode, position mode."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.errors import InvalidRequest, SettingRefused, UnknownSymbol, Unsupported
from opensqt.model.order import OrderStatus, PositionSide, Side
from opensqt.model.venue import MarginModeScope
from opensqt.testing.contract.bench import LOT, OTHER_SYMBOL, SYMBOL, Bench, first, ref
from opensqt.testing.contract.wait import eventually

SOMETHING_OPEN = pytest.mark.parametrize("what", ["position", "order"])


async def open_something(bench: Bench, what: str) -> str:
    """Open a position or an order of `SYMBOL`, and return a text that its refusal names."""
    if what == "position":
        await bench.take(Side.BUY)
        return f"{SYMBOL} {LOT.normalize():f}"
    await bench.resting()
    return f"{SYMBOL}|order"


def names(error: SettingRefused, wanted: str) -> bool:
    """Return whether an error names what is open."""
    return any(part in error.message for part in wanted.split("|"))


def scope_of(bench: Bench) -> str:
    """Return the symbol that a margin mode is set for; empty where it is the account's."""
    return SYMBOL if bench.info.capabilities.margin_mode_scope is MarginModeScope.SYMBOL else ""


@pytest.mark.needs_capability("leverage that can be set", lambda able: able.set_leverage)
class TestLeverage:
    async def test_it_is_what_the_exchange_then_reports(self, bench: Bench) -> None:
        """F21: leverage is what was asked for."""
        for leverage in (7, 3, 3):
            assert await bench.exchange.set_leverage(SYMBOL, leverage) == leverage
            assert (await bench.position()).leverage == leverage

    async def test_another_symbol_keeps_its_own(self, bench: Bench) -> None:
        (before,) = await bench.exchange.get_positions(OTHER_SYMBOL)
        await bench.exchange.set_leverage(SYMBOL, 4)
        (after,) = await bench.exchange.get_positions(OTHER_SYMBOL)
        assert after.leverage == before.leverage != 4

    async def test_a_lower_one_binds_more_of_the_balance(self, bench: Bench) -> None:
        """F21: the orders that come after it are carried with it."""
        await bench.exchange.set_leverage(SYMBOL, 20)
        await bench.resting()
        before = await bench.exchange.get_account()
        await bench.exchange.set_leverage(SYMBOL, 2)
        after = await bench.exchange.get_account()
        assert after.available_balance < before.available_balance

    async def test_it_changes_with_a_position_open(self, bench: Bench) -> None:
        await bench.take(Side.BUY)
        assert await bench.exchange.set_leverage(SYMBOL, 5) == 5
        assert ((await bench.position()).quantity, (await bench.position()).leverage) == (LOT, Decimal(5))

    @pytest.mark.parametrize("leverage", [0, -1, 100_000])
    async def test_one_that_no_symbol_has_is_refused(self, bench: Bench, leverage: int) -> None:
        before = await bench.position()
        with pytest.raises(InvalidRequest, match=r"(?i)leverage"):
            await bench.exchange.set_leverage(SYMBOL, leverage)
        assert (await bench.position()).leverage == before.leverage

    async def test_an_unknown_symbol_is_refused(self, bench: Bench) -> None:
        with pytest.raises(UnknownSymbol):
            await bench.exchange.set_leverage("NOPEUSDT", 5)


class TestMarginMode:
    @pytest.mark.needs_capability(
        "margin mode that can be set", lambda able: able.margin_mode_scope is not MarginModeScope.NONE
    )
    async def test_it_is_what_the_exchange_then_reports(self, bench: Bench) -> None:
        for mode in (MarginMode.ISOLATED, MarginMode.ISOLATED, MarginMode.CROSS):
            assert await bench.exchange.set_margin_mode(scope_of(bench), mode) is mode
            assert (await bench.position()).margin_mode is mode

    @pytest.mark.needs_capability(
        "margin mode that can be set", lambda able: able.margin_mode_scope is not MarginModeScope.NONE
    )
    async def test_orders_and_leverage_keep_it(self, bench: Bench) -> None:
        await bench.exchange.set_margin_mode(scope_of(bench), MarginMode.ISOLATED)
        if bench.info.capabilities.set_leverage:
            assert await bench.exchange.set_leverage(SYMBOL, 6) == 6
        await bench.take(Side.BUY)
        position = await bench.holds(LOT)
        assert position.margin_mode is MarginMode.ISOLATED

    @SOMETHING_OPEN
    @pytest.mark.needs_capability(
        "margin mode that can be set", lambda able: able.margin_mode_scope is not MarginModeScope.NONE
    )
    async def test_it_is_refused_while_something_is_open(self, bench: Bench, what: str) -> None:
        """What is held never changes its margin mode by a setting."""
        wanted = await open_something(bench, what)
        with pytest.raises(SettingRefused) as refused:
            await bench.exchange.set_margin_mode(scope_of(bench), MarginMode.ISOLATED)
        assert names(refused.value, wanted), refused.value
        assert (await bench.position()).margin_mode is MarginMode.CROSS
        assert await bench.exchange.set_margin_mode(scope_of(bench), MarginMode.CROSS) is MarginMode.CROSS

    @pytest.mark.needs_capability(
        "margin mode that can be set", lambda able: able.margin_mode_scope is not MarginModeScope.NONE
    )
    async def test_its_scope_is_the_declared_one(self, bench: Bench) -> None:
        wrong = "" if scope_of(bench) else SYMBOL
        with pytest.raises(InvalidRequest, match="symbol"):
            await bench.exchange.set_margin_mode(wrong, MarginMode.ISOLATED)

    @pytest.mark.needs_capability(
        "margin mode that can't be set", lambda able: able.margin_mode_scope is MarginModeScope.NONE
    )
    async def test_an_exchange_without_the_setting_says_so(self, bench: Bench) -> None:
        with pytest.raises(Unsupported):
            await bench.exchange.set_margin_mode(SYMBOL, MarginMode.ISOLATED)


@pytest.mark.needs_capability("position mode that can be set", lambda able: able.set_position_mode)
class TestPositionMode:
    async def test_both_sides_can_be_held_after_the_switch(self, bench: Bench) -> None:
        """F20: hedge mode and one-way mode are never mixed up."""
        assert await bench.exchange.set_position_mode(PositionMode.HEDGE) is PositionMode.HEDGE
        assert (await bench.exchange.get_exchange_info()).position_mode is PositionMode.HEDGE
        await bench.take(Side.BUY, position_side=PositionSide.LONG)
        await bench.take(Side.SELL, position_side=PositionSide.SHORT)

        async def both() -> bool:
            found = await bench.exchange.get_positions(SYMBOL)
            return {one.position_side: one.quantity for one in found} == {
                PositionSide.LONG: LOT,
                PositionSide.SHORT: -LOT,
            }

        await eventually(both, what="a long and a short position")

    async def test_a_stream_of_positions_has_the_new_sides_only(self, bench: Bench) -> None:
        """F20: a side that no longer exists is not reported as a flat one."""
        await bench.exchange.set_position_mode(PositionMode.HEDGE)
        batch = await first(bench.exchange.subscribe_positions(SYMBOL))
        assert {one.position_side for one in batch.updates} == {PositionSide.LONG, PositionSide.SHORT}

    async def test_it_switches_back(self, bench: Bench) -> None:
        """F20: hedge mode and one-way mode are never mixed up."""
        await bench.exchange.set_position_mode(PositionMode.HEDGE)
        assert await bench.exchange.set_position_mode(PositionMode.ONE_WAY) is PositionMode.ONE_WAY
        await bench.take(Side.BUY)
        assert (await bench.holds(LOT)).position_side is PositionSide.BOTH

    @SOMETHING_OPEN
    async def test_it_is_refused_while_something_is_open(self, bench: Bench, what: str) -> None:
        """F20: the mode never switches with a position or an order open, and the refusal names it."""
        wanted = await open_something(bench, what)
        with pytest.raises(SettingRefused) as refused:
            await bench.exchange.set_position_mode(PositionMode.HEDGE)
        assert names(refused.value, wanted), refused.value
        assert (await bench.exchange.get_exchange_info()).position_mode is PositionMode.ONE_WAY
        assert await bench.exchange.set_position_mode(PositionMode.ONE_WAY) is PositionMode.ONE_WAY

    async def test_what_was_canceled_is_in_nobodys_way(self, bench: Bench) -> None:
        order = await bench.resting()
        await bench.exchange.cancel_order(ref(order))
        await bench.becomes(ref(order), OrderStatus.CANCELED)
        assert await bench.exchange.set_position_mode(PositionMode.HEDGE) is PositionMode.HEDGE
        (account,) = {(await bench.exchange.get_account()).wallet_balance}
        assert account == Decimal(10_000)
