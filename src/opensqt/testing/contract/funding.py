"""Funding payments of the account: listed and streamed, each once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.model.errors import UnknownSymbol
from opensqt.model.funding import FundingPayment
from opensqt.model.order import PositionSide, Side
from opensqt.testing.contract.bench import LOT, OTHER_SYMBOL, START_BALANCE, SYMBOL, Bench, first, read_until
from opensqt.testing.contract.wait import eventually

RATE = Decimal("0.0005")
BOTH_SIDES = pytest.mark.parametrize("side", list(Side))


async def paid(bench: Bench, count: int, since_ms: int = 1) -> list[FundingPayment]:
    """Return the payments once there are *count* of them."""

    async def listed() -> list[FundingPayment] | None:
        found = await bench.exchange.list_funding_payments(SYMBOL, since_ms=since_ms)
        return found if len(found) >= count else None

    return await eventually(listed, what=f"{count} funding payments")


async def fees(bench: Bench) -> Decimal:
    """Return the fees that were paid so far."""
    fills = await bench.exchange.list_fills(SYMBOL, since_ms=0)
    return sum((fill.fee for fill in fills), Decimal(0))


@pytest.mark.needs_capability("funding payments", lambda able: able.funding_payments)
class TestFundingPayments:
    @BOTH_SIDES
    async def test_a_long_pays_and_a_short_receives(self, bench: Bench, side: Side) -> None:
        """The wallet changes by what is reported, to the cent."""
        await bench.take(side)
        await bench.market.pay_funding(RATE)
        (payment,) = await paid(bench, 1)
        assert (payment.symbol, payment.asset, payment.position_side) == (SYMBOL, "USDT", PositionSide.BOTH)
        assert payment.payment_id
        assert (payment.amount > 0) is (side is Side.SELL)
        assert payment.position_size in (LOT, None)
        assert payment.rate in (RATE, None)
        wallet = (await bench.exchange.get_account()).wallet_balance
        assert wallet == START_BALANCE - await fees(bench) + payment.amount

    async def test_they_are_listed_oldest_first_and_each_once(self, bench: Bench) -> None:
        """A payment counts once, however often it is reported."""
        await bench.take(Side.BUY)
        for _ in range(3):
            await bench.market.next_minute()
            await bench.market.pay_funding(RATE)
        payments = await paid(bench, 3)
        assert len({payment.payment_id for payment in payments}) == len(payments) == 3
        times = [payment.event_time_ms for payment in payments]
        assert times == sorted(times)
        since = await bench.exchange.list_funding_payments(since_ms=times[1])
        assert [payment.payment_id for payment in since] == [payment.payment_id for payment in payments[1:]]

    async def test_the_stream_has_what_the_list_has(self, bench: Bench) -> None:
        """Each payment reaches a reader of the stream."""
        await bench.take(Side.BUY)
        stream = bench.exchange.subscribe_funding_payments()
        await first(stream)
        seen = []
        for count in range(1, 4):
            await bench.market.pay_funding(RATE)
            seen += await read_until(stream, lambda _: True)
            assert len(seen) == count
        listed = await paid(bench, 3)
        assert [one.payment_id for one in seen] == [one.payment_id for one in listed]
        assert [one.amount for one in seen] == [one.amount for one in listed]

    async def test_a_reader_that_comes_back_gets_what_it_missed(self, bench: Bench) -> None:
        """No payment is lost over a reconnect of the reader."""
        await bench.take(Side.BUY)
        stream = bench.exchange.subscribe_funding_payments(SYMBOL)
        cursor = (await first(stream)).cursor
        await stream.aclose()
        for _ in range(2):
            await bench.market.pay_funding(RATE)
        listed = [one.payment_id for one in await paid(bench, 2)]
        again = bench.exchange.subscribe_funding_payments(SYMBOL, cursor=cursor)
        seen = await read_until(again, lambda payment: payment.payment_id == listed[-1])
        assert [payment.payment_id for payment in seen] == listed

    async def test_a_snapshot_holds_the_newest(self, bench: Bench) -> None:
        await bench.take(Side.SELL)
        await bench.market.pay_funding(RATE)
        (payment,) = await paid(bench, 1)
        seen = await read_until(bench.exchange.subscribe_funding_payments(), lambda _: True)
        assert [one.payment_id for one in seen] == [payment.payment_id]

    async def test_another_symbols_are_left_out(self, bench: Bench) -> None:
        await bench.take(Side.BUY)
        await bench.market.pay_funding(RATE)
        await paid(bench, 1)
        assert await bench.exchange.list_funding_payments(OTHER_SYMBOL, since_ms=1) == []
        assert (await first(bench.exchange.subscribe_funding_payments(OTHER_SYMBOL))).updates == ()

    async def test_a_flat_account_has_none(self, bench: Bench) -> None:
        await bench.market.pay_funding(RATE)
        assert await bench.exchange.list_funding_payments(since_ms=1) == []

    async def test_an_unknown_symbol_is_refused(self, bench: Bench) -> None:
        with pytest.raises(UnknownSymbol):
            await bench.exchange.list_funding_payments("NOPEUSDT", since_ms=0)

    @pytest.mark.hedge_mode
    async def test_each_position_has_its_own(self, bench: Bench) -> None:
        """Two positions of a symbol are two payments, with two ids."""
        await bench.take(Side.BUY, LOT * 2, position_side=PositionSide.LONG)
        await bench.take(Side.SELL, LOT, position_side=PositionSide.SHORT)
        await bench.market.pay_funding(RATE)
        payments = await paid(bench, 2)
        received, spent = sorted(payments, key=lambda payment: payment.amount, reverse=True)
        assert received.payment_id != spent.payment_id
        assert spent.amount == -2 * received.amount
        assert received.position_side in (PositionSide.SHORT, PositionSide.BOTH)
        assert spent.position_side in (PositionSide.LONG, PositionSide.BOTH)
