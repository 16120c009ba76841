"""What goes in as base coins comes out as base coins, whatever the venue counts in and however large its contract."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opensqt.model import client_order_id
from opensqt.model.market import Price
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderType, Side
from opensqt.simulator.settings import SymbolSettings
from opensqt.venues.factory import VENUES
from tests.chaos.adapter_rig import Rig, on_simulator
from tests.support import eventually

SIZES = [Decimal(10) ** power for power in range(-4, 4)]
"""Base coins per contract."""
_CONTRACT_USDT = 50
_PLACES = 4


@dataclass(frozen=True)
class Lot:
    """What is traded of one symbol, in its smallest steps: the first order is filled in part, the second flips it."""

    size: Decimal
    steps_per_contract: int
    part: int
    rest: int
    back: int

    @property
    def step(self) -> Decimal:
        return self.size / self.steps_per_contract

    def listed(self, number: int) -> SymbolSettings:
        """Answer a symbol whose contract is worth the same whatever its size."""
        price = _CONTRACT_USDT / self.size
        return SymbolSettings(
            symbol=f"C{number}CUSDT",
            base_asset=f"C{number}C",
            price_step=Decimal(10) ** (price.adjusted() - _PLACES),
            quantity_step=self.step,
            contract_size=self.size,
            min_quantity=self.step,
            max_quantity=self.step * 100_000,
            min_notional=Decimal(0),
            start_price=price,
        )


lots = st.builds(
    Lot,
    size=st.sampled_from(SIZES),
    steps_per_contract=st.sampled_from([1, 10]),
    part=st.integers(1, 30),
    rest=st.integers(1, 30),
    back=st.integers(61, 120),
)


@pytest.mark.parametrize("venue", sorted(VENUES))
@settings(max_examples=3, derandomize=True, suppress_health_check=list(HealthCheck))
@given(some=st.lists(lots, min_size=2, max_size=3))
def test_contracts_are_never_taken_for_coins(venue: str, some: list[Lot]) -> None:
    """F11: through orders, fills, positions and prices the adapter's base coins equal the ledger's."""
    asyncio.run(trade(venue, some))


@pytest.mark.parametrize("venue", sorted(VENUES))
def test_the_smallest_and_the_largest_contracts(venue: str) -> None:
    """F11, at the ends of what there is, and where contracts are cut into steps."""
    asyncio.run(trade(venue, [Lot(size, steps, 3, 4, 70) for size in (SIZES[0], SIZES[-1]) for steps in (1, 10)]))


async def test_some_venues_count_contracts() -> None:
    """F11 would prove little if none did."""
    counting = []
    for venue in VENUES:
        async with on_simulator(venue, listed=[Lot(Decimal(1000), 1, 1, 1, 1).listed(0)], symbols=()) as rig:
            rules = (await rig.exchange.get_exchange_info()).symbols[0]
            assert (rules.quantity_step, rules.min_quantity) == (1000, 1000)
            counting += [venue] if rules.contract_size == Decimal(1000) else []
    assert counting


async def trade(venue: str, some: list[Lot]) -> None:
    """Trade every lot at once and compare all that is told with the ledger."""
    listed = [lot.listed(number) for number, lot in enumerate(some)]
    names = tuple(rules.symbol for rules in listed)
    async with on_simulator(venue, listed=listed, symbols=names) as rig:
        for rules, lot in zip(listed, some, strict=True):
            await _trade_one(rig, rules, lot)
        await eventually(lambda: _told(rig) == _written(rig), what="every fill told")
        await _orders_agree(rig)
        await _fills_agree(rig)
        for rules in listed:
            await _position_agrees(rig, rules.symbol)
            await _prices_agree(rig, rules)


async def _trade_one(rig: Rig, rules: SymbolSettings, lot: Lot) -> None:
    best = rig.simulator.engine.best(rules.symbol)
    wanted = (lot.part + lot.rest) * lot.step
    placed = await rig.exchange.place_order(_request(rules.symbol, Side.BUY, wanted, best.bid + rules.price_step))
    assert placed.quantity == wanted
    rig.simulator.market.send_outside_order(rules.symbol, Side.SELL, lot.part * lot.step)
    filled = await _filled(rig, placed, lot.part * lot.step)
    assert filled.remaining_quantity == lot.rest * lot.step
    assert [order.quantity for order in await rig.exchange.get_open_orders(rules.symbol)] == [wanted]
    canceled = await rig.exchange.cancel_order(OrderRef(symbol=rules.symbol, order_id=placed.order_id))
    assert canceled.filled_quantity == lot.part * lot.step
    back = await rig.exchange.place_order(_request(rules.symbol, Side.SELL, lot.back * lot.step))
    await _filled(rig, back, lot.back * lot.step)


def _request(symbol: str, side: Side, quantity: Decimal, price: Decimal | None = None) -> OrderRequest:
    return OrderRequest(
        symbol=symbol,
        side=side,
        quantity=quantity,
        price=price,
        order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
        client_order_id=client_order_id.new("f11"),
    )


async def _filled(rig: Rig, order: Order, quantity: Decimal) -> Order:
    """Answer the order as soon as the venue says that exactly so much of it is filled."""
    named = OrderRef(symbol=order.symbol, order_id=order.order_id)

    async def reached() -> Order | None:
        asked = await rig.exchange.get_order(named)
        return asked if asked.filled_quantity == quantity else None

    return await eventually(reached, what=f"{quantity} of {named} filled")


def _told(rig: Rig) -> list[tuple[str, str]]:
    return sorted((fill.symbol, fill.trade_id) for fill in rig.told)


def _written(rig: Rig) -> list[tuple[str, str]]:
    return sorted((fill["symbol"], fill["trade_id"]) for fill in rig.account["fills"])


async def _orders_agree(rig: Rig) -> None:
    for written in rig.account["orders"]:
        asked = await rig.exchange.get_order(OrderRef(symbol=written["symbol"], order_id=written["order_id"]))
        for told in (asked, rig.orders[written["order_id"]]):
            assert told.quantity == Decimal(written["quantity"])
            assert told.filled_quantity == Decimal(written["filled_quantity"])
            assert told.average_price is not None
            assert told.average_price == pytest.approx(Decimal(written["average_price"]), rel=Decimal("1e-7"))


async def _fills_agree(rig: Rig) -> None:
    written = {(fill["symbol"], fill["trade_id"]): fill for fill in rig.account["fills"]}
    symbols = {symbol for symbol, _ in written}
    since_ms = min(fill["time_ms"] for fill in written.values())
    asked = [fill for symbol in symbols for fill in await rig.exchange.list_fills(symbol, since_ms=since_ms)]
    assert {(fill.symbol, fill.trade_id) for fill in asked} == set(written)
    for told in [*asked, *rig.told]:
        fill = written[told.symbol, told.trade_id]
        assert (told.quantity, told.price) == (Decimal(fill["quantity"]), Decimal(fill["price"]))
        assert told.fee == pytest.approx(Decimal(fill["fee"]), abs=Decimal("1e-7"))


async def _position_agrees(rig: Rig, symbol: str) -> None:
    (written,) = [row for row in rig.account["positions"] if row["symbol"] == symbol]
    (asked,) = await rig.exchange.get_positions(symbol)
    assert asked.quantity == Decimal(written["quantity"]) < 0
    assert asked.entry_price == pytest.approx(Decimal(written["entry_price"]), rel=Decimal("1e-7"))
    assert asked.unrealized_pnl == pytest.approx(Decimal(written["unrealized_pnl"]), abs=Decimal("1e-4"))


async def _prices_agree(rig: Rig, rules: SymbolSettings) -> None:
    symbol, engine = rules.symbol, rig.simulator.engine
    assert _is_true(await rig.exchange.get_latest_price(symbol), rig)
    (candle,) = await rig.exchange.get_historical_klines(symbol, "1d", limit=1)
    assert candle.volume == engine.candles(symbol, "1d", limit=1)[-1].volume
    stream = rig.exchange.subscribe_price(symbol)
    assert _is_true((await anext(stream)).updates[-1], rig)

    async def moved() -> bool:
        # Until the subscription is there, a change of the market is told to nobody. The next one waits for a while, as
        # it makes what is told of this one untrue.
        rig.simulator.market.send_outside_order(symbol, Side.BUY, rules.quantity_step)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                async for batch in stream:
                    if _is_true(batch.updates[-1], rig):
                        return True
        return False

    await eventually(moved, what="the true price streamed")
    await stream.aclose()


def _is_true(told: Price, rig: Rig) -> bool:
    best = rig.simulator.engine.best(told.symbol)
    quoted = (best.bid, best.bid_quantity, best.ask, best.ask_quantity)
    return (told.bid, told.bid_quantity, told.ask, told.ask_quantity) == quoted
