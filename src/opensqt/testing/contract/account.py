"""The account, its positions with their sign, and the fills that made them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.model.errors import UnknownSymbol
from opensqt.model.order import Fill, FillKind, OrderStatus, PositionSide, Side
from opensqt.testing.contract.bench import LOT, OTHER_SYMBOL, START_BALANCE, SYMBOL, Bench, ref
from opensqt.testing.contract.wait import eventually

BOTH_SIDES = pytest.mark.parametrize("side", list(Side))


async def fills_of(bench: Bench, count: int, since_ms: int = 0) -> list[Fill]:
    """Return the fills once there are *count* of them."""

    async def listed() -> list[Fill] | None:
        fills = await bench.exchange.list_fills(SYMBOL, since_ms=since_ms)
        return fills if len(fills) >= count else None

    return await eventually(listed, what=f"{count} fills")


class TestAccount:
    async def test_it_starts_with_what_was_deposited(self, bench: Bench) -> None:
        account = await bench.exchange.get_account()
        assert (account.asset, account.wallet_balance, account.available_balance) == (
            "USDT",
            START_BALANCE,
            START_BALANCE,
        )
        assert account.margin_balance == START_BALANCE

    async def test_a_fill_costs_its_fee_and_binds_margin(self, bench: Bench) -> None:
        """F36: the profit that is shown is the account's."""
        await bench.take(Side.BUY)
        fills = await fills_of(bench, 1)
        paid = sum((fill.fee for fill in fills), Decimal(0))
        account = await bench.exchange.get_account()
        assert paid > 0
        assert account.wallet_balance == START_BALANCE - paid
        assert account.available_balance < account.margin_balance

    async def test_a_round_trip_changes_the_wallet_by_profit_less_fees(self, bench: Bench) -> None:
        """F36: the profit that is shown is the account's."""
        await bench.take(Side.BUY)
        await bench.take(Side.SELL)
        fills = await fills_of(bench, 2)
        earned = sum((fill.realized_pnl - fill.fee for fill in fills), Decimal(0))
        bought, sold = (sum(one.notional for one in fills if one.side is side) for side in (Side.BUY, Side.SELL))
        assert sum((fill.realized_pnl for fill in fills), Decimal(0)) == sold - bought
        assert (await bench.exchange.get_account()).wallet_balance == START_BALANCE + earned

    async def test_a_resting_order_binds_margin_and_its_cancel_frees_it(self, bench: Bench) -> None:
        order = await bench.resting()
        assert (await bench.exchange.get_account()).available_balance < START_BALANCE
        await bench.exchange.cancel_order(ref(order))
        assert (await bench.exchange.get_account()).available_balance == START_BALANCE


class TestOneWayPositions:
    async def test_a_flat_one_is_an_explicit_zero(self, bench: Bench) -> None:
        """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
        position = await bench.position()
        assert (position.symbol, position.quantity, position.position_side) == (SYMBOL, Decimal(0), PositionSide.BOTH)

    @BOTH_SIDES
    async def test_the_sign_says_which_way(self, bench: Bench, side: Side) -> None:
        """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
        order = await bench.take(side)
        position = await bench.position()
        assert position.quantity == LOT * side.sign
        assert position.entry_price == order.average_price

    async def test_long_flips_to_short_and_then_is_flat(self, bench: Bench) -> None:
        """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
        await bench.take(Side.BUY)
        flip = await bench.take(Side.SELL, LOT * 2)
        short = await bench.position()
        assert (short.quantity, short.entry_price) == (-LOT, flip.average_price)
        await bench.take(Side.BUY)
        assert (await bench.position()).is_flat

    async def test_without_a_symbol_flat_ones_may_be_left_out(self, bench: Bench) -> None:
        await bench.take(Side.BUY)
        held = [one for one in await bench.exchange.get_positions() if not one.is_flat]
        assert [(one.symbol, one.quantity) for one in held] == [(SYMBOL, LOT)]

    async def test_an_unknown_symbol_is_refused(self, bench: Bench) -> None:
        with pytest.raises(UnknownSymbol):
            await bench.exchange.get_positions("NOPEUSDT")


@pytest.mark.hedge_mode
class TestHedgePositions:
    async def held(self, bench: Bench) -> dict[PositionSide, Decimal]:
        """Return the quantities by position side."""
        return {one.position_side: one.quantity for one in await bench.exchange.get_positions(SYMBOL)}

    async def test_long_and_short_stand_side_by_side(self, bench: Bench) -> None:
        """F12: the sign and the side of a position are kept, and flat is an explicit zero.

        F20: hedge mode and one-way mode are never mixed up.
        """
        await bench.take(Side.BUY, position_side=PositionSide.LONG)
        await bench.take(Side.SELL, LOT * 2, position_side=PositionSide.SHORT)
        held = await self.held(bench)
        assert (held[PositionSide.LONG], held[PositionSide.SHORT]) == (LOT, -2 * LOT)

    async def test_the_other_side_closes(self, bench: Bench) -> None:
        await bench.take(Side.SELL, LOT * 2, position_side=PositionSide.SHORT)
        await bench.take(Side.BUY, position_side=PositionSide.SHORT)
        held = await self.held(bench)
        assert (held[PositionSide.LONG], held[PositionSide.SHORT]) == (Decimal(0), -LOT)

    async def test_the_mode_is_reported(self, bench: Bench) -> None:
        assert bench.info.position_mode == "HEDGE"


class TestFills:
    async def test_a_maker_fill_has_all_its_fields(self, bench: Bench) -> None:
        order = await bench.resting_first()
        await bench.market.hit(order, LOT)
        (fill,) = await fills_of(bench, 1)
        assert (fill.symbol, fill.order_id, fill.side, fill.price, fill.quantity, fill.is_maker) == (
            SYMBOL,
            order.order_id,
            Side.BUY,
            order.price,
            LOT,
            True,
        )
        assert fill.trade_id
        assert (fill.fee_asset, fill.fees, fill.kind) == ("USDT", {"USDT": fill.fee}, FillKind.TRADE)

    async def test_a_taker_fill_is_not_marked_as_maker(self, bench: Bench) -> None:
        await bench.take(Side.BUY)
        assert {fill.is_maker for fill in await fills_of(bench, 1)} == {False}

    async def test_the_fills_of_an_order_add_up_to_it(self, bench: Bench) -> None:
        order = await bench.resting_first()
        for _ in range(2):
            await bench.market.hit(order, LOT / 2)
        await bench.becomes(ref(order), OrderStatus.FILLED)
        fills = await fills_of(bench, 2)
        assert sum(fill.quantity for fill in fills) == LOT

    async def test_they_are_listed_oldest_first_and_each_once(self, bench: Bench) -> None:
        """F8: a fill counts once, however often it is reported."""
        for side in (Side.BUY, Side.SELL, Side.BUY):
            await bench.take(side)
        fills = await fills_of(bench, 3)
        assert len({fill.trade_id for fill in fills}) == len(fills)
        assert [fill.event_time_ms for fill in fills] == sorted(fill.event_time_ms for fill in fills)

    async def test_a_watermark_leaves_out_what_was_before_it_and_nothing_after(self, bench: Bench) -> None:
        """F6: no fill or update is missed across a reconnect or a lost frame."""
        await bench.take(Side.BUY)
        old = await fills_of(bench, 1)
        await bench.market.next_minute()
        await bench.take(Side.SELL)
        everything = await fills_of(bench, len(old) + 1)
        watermark = everything[len(old)].event_time_ms
        since = await bench.exchange.list_fills(SYMBOL, since_ms=watermark)
        assert [fill.trade_id for fill in since] == [fill.trade_id for fill in everything[len(old) :]]

    async def test_a_time_long_before_the_first_hides_none(self, bench: Bench) -> None:
        """F6: a watermark that is older than what a venue keeps or takes in one window."""
        await bench.take(Side.BUY)
        everything = await fills_of(bench, 1)
        since = await fills_of(bench, len(everything), since_ms=1)
        assert [fill.trade_id for fill in since] == [fill.trade_id for fill in everything]

    async def test_another_symbols_are_left_out(self, bench: Bench) -> None:
        await bench.take(Side.BUY)
        await fills_of(bench, 1)
        assert await bench.exchange.list_fills(OTHER_SYMBOL, since_ms=0) == []

    async def test_an_unknown_symbol_is_refused(self, bench: Bench) -> None:
        with pytest.raises(UnknownSymbol):
            await bench.exchange.list_fills("NOPEUSDT", since_ms=0)
