"""Replies that are lost, refused or late: an order is sent once, and what became of it is always found out."""

from __future__ import annotations

import asyncio
import random
import string
import time
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from opensqt.connector.orders.resolve import resolve
from opensqt.model import client_order_id
from opensqt.model.errors import (
    ExchangeError,
    InsufficientMargin,
    InvalidRequest,
    OrderDenied,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    PostOnlyWouldCross,
    RateLimited,
    Unreachable,
)
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderStatus, Side, TimeInForce
from tests.chaos.adapter_rig import LOST_REPLIES, SYMBOL, UNLIMITED, Adapter, Rig, code_of
from tests.support import eventually


async def place_or_resolve(rig: Rig, request: OrderRequest, hidden_ms: int) -> Order | None:
    """Do what the connector does: send once, and ask when the outcome is not known."""
    try:
        return await rig.exchange.place_order(request)
    except OutcomeUnknown:
        # As the connector counts: an adapter may have held the order back until its turn had come.
        failed_ns = time.monotonic_ns()
        return await resolve(
            rig.exchange, request, sent_ns=failed_ns, recv_window_ms=500, visibility_margin_ms=hidden_ms
        )


@pytest.mark.timeout(600)
async def test_a_lost_reply_leaves_at_most_one_order_and_none_unresolved(adapter: Adapter, large: bool) -> None:
    """F1: the order is accepted, the reply is lost, and the order is hidden from queries for a while."""
    intents, hidden_ms = (1_000, 3_000) if large else (40, 1_000)
    async with adapter(server=UNLIMITED) as rig:
        rig.fault(kind="hide_orders", for_ms=hidden_ms)
        requests = [
            rig.request(price=await rig.far(number % 50), quantity=Decimal("0.001")) for number in range(intents)
        ]
        for number in range(intents):
            rig.fault(on="place_order", skip=0, **LOST_REPLIES[number % len(LOST_REPLIES)])
        outcomes: list[Order | None] = []
        for start in range(0, intents, 40):
            outcomes += await asyncio.gather(
                *(place_or_resolve(rig, one, hidden_ms) for one in requests[start : start + 40])
            )
            await rig.exchange.cancel_all_orders(SYMBOL)
        accepted = Counter(order["client_order_id"] for order in rig.account["orders"])
        assert rig.account["duplicate_client_order_ids"] == []
        assert set(accepted.values()) == {1}
        found = {request.client_order_id for request, order in zip(requests, outcomes, strict=True) if order}
        assert found == set(accepted)


async def test_a_connection_that_is_never_made_proves_that_nothing_was_sent(adapter: Adapter) -> None:
    """F1: refused before a byte left is not an unknown outcome."""
    async with adapter() as rig:
        request = rig.request(price=await rig.far())
        await rig.simulator.stop()
        with pytest.raises((Unreachable, OutcomeUnknown)):
            await rig.exchange.place_order(request)
        with pytest.raises(Unreachable):
            await rig.exchange.place_order(request)
        await rig.simulator.start()


async def test_a_batch_whose_reply_is_lost_is_not_sent_again(adapter: Adapter) -> None:
    """F2: four of five accepted, one refused, reply lost; asking gives five right answers and no duplicate."""
    async with adapter() as rig:
        prices = [await rig.far(level) for level in range(5)]
        requests = [rig.request(price=price) for price in prices]
        requests[2] = rig.request(price=prices[2], quantity=Decimal("900"))
        rig.fault(kind="drop_reply", on="batch_place")
        answers = await rig.exchange.batch_place_orders(requests)
        assert all(isinstance(answer, OutcomeUnknown) for answer in answers)
        found = [await resolve(rig.exchange, one, sent_ns=0, clock=lambda: 20_000_000_000) for one in requests]
        assert [order is not None for order in found] == [True, True, False, True, True]
        assert rig.simulator.ledger()["statistics"]["requests"]["batch_place"] == 1
        assert rig.account["duplicate_client_order_ids"] == []


async def test_a_mixed_batch_answers_each_item_in_its_place(adapter: Adapter) -> None:
    async with adapter() as rig:
        requests = [rig.request(price=await rig.far(level)) for level in range(7)]
        requests[1] = rig.request(price=await rig.far(), quantity=Decimal("900"))
        requests[3] = rig.request(price=await rig.far() + Decimal("0.05"))
        answers = await rig.exchange.batch_place_orders(requests)
        kinds = [answer.reason if isinstance(answer, ExchangeError) else answer.status for answer in answers]
        assert kinds == ["OPEN", "INSUFFICIENT_MARGIN", "OPEN", "ORDER_DENIED", "OPEN", "OPEN", "OPEN"]


async def test_each_failure_of_a_batch_names_the_symbol_of_its_own_order(adapter: Adapter) -> None:
    """A trader who is refused ETHUSDT must not stop BTCUSDT, which comes first in the same batch."""
    async with adapter() as rig:

        def both() -> list[OrderRequest]:
            return [rig.request(price=price), rig.request(symbol="ETHUSDT", quantity=Decimal(9000), price=eth - 100)]

        price, eth = await rig.far(), (await rig.exchange.get_latest_price("ETHUSDT")).bid
        placed, refused = await rig.exchange.batch_place_orders(both())
        assert isinstance(placed, Order)
        assert isinstance(refused, InsufficientMargin)
        assert refused.symbol == "ETHUSDT"
        for operation in ("place_order", "batch_place"):
            rig.fault(kind="drop_reply", on=operation, times=0)
        lost = await rig.exchange.batch_place_orders(both())
        assert [(type(one), one.symbol) for one in lost] == [(OutcomeUnknown, "BTCUSDT"), (OutcomeUnknown, "ETHUSDT")]


async def test_a_failed_query_makes_nothing_terminal(adapter: Adapter) -> None:
    """F3: while the venue can't be asked, six orders fill; afterwards each is known, none was given up before."""
    async with adapter() as rig:
        price = await rig.front(Side.BUY)
        orders = [await rig.exchange.place_order(rig.request(price=price)) for _ in range(6)]
        await eventually(lambda: len(rig.orders) == 6)
        for operation in ("get_order", "open_orders", "fills", "positions", "account"):
            rig.fault(kind="unreachable", on=operation, times=0)
        rig.fault(kind="mute", channel="private", for_ms=2_000)
        rig.hit(Side.BUY, sum((order.quantity for order in orders), Decimal(0)))
        failed = rig.simulator.ledger()["statistics"]["requests"]["open_orders"] + 2
        await eventually(lambda: rig.simulator.ledger()["statistics"]["requests"]["open_orders"] >= failed)
        assert all(order.status is OrderStatus.OPEN for order in rig.orders.values())
        rig.simulator.faults.clear()
        await rig.agrees()


async def test_a_cancel_that_meets_a_fill_answers_the_fill(adapter: Adapter) -> None:
    """F4: the venue knows the order no more; what became of it is asked."""
    async with adapter() as rig:
        order = await rig.exchange.place_order(rig.request(price=await rig.front(Side.BUY)))
        rig.fault(kind="mute", channel="private", for_ms=1_000)
        rig.hit(Side.BUY, order.quantity)
        answer = await rig.exchange.cancel_order(OrderRef(symbol=SYMBOL, order_id=order.order_id))
        assert answer.status is OrderStatus.FILLED
        await rig.agrees()


async def test_a_cancel_whose_reply_is_lost_is_proven_by_asking(adapter: Adapter) -> None:
    async with adapter() as rig:
        order = await rig.exchange.place_order(rig.request(price=await rig.far()))
        rig.fault(kind="drop_reply", on="cancel_order")
        answer = await rig.exchange.cancel_order(OrderRef(symbol=SYMBOL, client_order_id=order.client_order_id))
        assert answer.status is OrderStatus.CANCELED


@pytest.mark.parametrize("by", ["client_order_id", "order_id"])
async def test_cancelling_what_the_venue_does_not_know_says_so(adapter: Adapter, by: str) -> None:
    async with adapter() as rig:
        with pytest.raises(OrderNotFound):
            await rig.exchange.cancel_order(OrderRef(**{"symbol": SYMBOL, by: "12345"}))


@pytest.mark.parametrize("error", [InsufficientMargin, InvalidRequest, OrderRejected])
async def test_a_refusal_becomes_the_error_that_says_what_to_do(
    adapter: Adapter, venue: str, error: type[ExchangeError]
) -> None:
    code = code_of(venue, error)
    async with adapter() as rig:
        rig.fault(kind="refuse", on="place_order", code=code)
        with pytest.raises(error) as raised:
            await rig.exchange.place_order(rig.request(price=await rig.far()))
        assert raised.value.venue_code == code


async def test_a_post_only_order_that_would_take_is_refused(adapter: Adapter) -> None:
    async with adapter() as rig:
        price = await rig.exchange.get_latest_price(SYMBOL)
        with pytest.raises(PostOnlyWouldCross):
            await rig.exchange.place_order(rig.request(price=price.ask + 1, time_in_force=TimeInForce.POST_ONLY))
        assert rig.account["fills"] == []


async def test_silence_is_kept_for_as_long_as_the_venue_asks(adapter: Adapter) -> None:
    """F16: after a 429 nothing leaves until Retry-After is over."""
    async with adapter() as rig:
        rig.fault(kind="rate_limited", on="place_order", retry_after_s=30)
        request = rig.request(price=await rig.far())
        began_s = time.monotonic()
        with pytest.raises(RateLimited) as told:
            await rig.exchange.place_order(request)
        # Some venues tell the second in which the limit resets: it is waited out, less what the answer took to arrive.
        took_s = time.monotonic() - began_s
        assert 30 - took_s <= (told.value.retry_after_s or 0) < 32
        before = Counter(rig.simulator.ledger()["statistics"]["requests"])
        for _ in range(20):
            with pytest.raises(RateLimited):
                await rig.exchange.get_open_orders(SYMBOL)
        assert Counter(rig.simulator.ledger()["statistics"]["requests"]) == before


@pytest.mark.parametrize("skew_ms", [-6_000, -3_000, 3_000, 6_000])
async def test_a_clock_that_drifts_does_not_stop_trading(adapter: Adapter, skew_ms: int) -> None:
    """F24: the refused timestamp proves that nothing happened; the clock is measured and the order sent once."""
    async with adapter() as rig:
        rig.simulator.engine.clock.skew_ms = skew_ms
        order = await rig.exchange.place_order(rig.request(price=await rig.far()))
        assert order.status is OrderStatus.OPEN
        assert len(rig.account["orders"]) == 1


@pytest.mark.timeout(1800)
async def test_no_price_or_size_that_our_rules_let_through_misses_a_step(adapter: Adapter, large: bool) -> None:
    """F23: random prices and sizes, rounded by the rules, meet no filter of the venue's."""
    count = 100_000 if large else 300
    chance = random.Random(23)
    async with adapter(server=UNLIMITED) as rig:
        info = await rig.exchange.get_exchange_info()
        rules = info.rules(SYMBOL)
        assert rules is not None
        price = await rig.far()
        for start in range(0, count, 100):
            requests = [_random_order(rig, rules, chance, price) for _ in range(start, min(start + 100, count))]
            answers = await rig.exchange.batch_place_orders(requests)
            assert [answer for answer in answers if isinstance(answer, ExchangeError)] == []
            await rig.exchange.cancel_all_orders(SYMBOL)


async def test_a_step_that_changes_while_running_costs_one_refusal(adapter: Adapter) -> None:
    """F23: a refusal by a filter has the rules loaded afresh."""
    async with adapter() as rig:
        desk = rig.exchange.order_entry
        rig.exchange.housekeeping.rules_loaded_s = float("-inf")
        instrument = rig.simulator.engine.state.instruments[SYMBOL]
        instrument.rules = instrument.rules.model_copy(update={"price_step": Decimal(1)})
        rig.simulator.engine.settings = rig.simulator.engine.settings.model_copy(
            update={"symbols": (instrument.rules,)}
        )
        request = rig.request(price=(await rig.far()).quantize(Decimal(1)) + Decimal("0.1"))
        with pytest.raises(OrderRejected):
            await rig.exchange.place_order(request)
        await eventually(lambda: desk.denial(request) is not None)
        assert rig.exchange.venue.rules[SYMBOL].price_step == 1


async def test_ids_of_every_length_come_back_as_they_were_sent(adapter: Adapter, large: bool) -> None:
    """F22: letters and digits, as long as the venue takes, in the answer, in a query and on the stream."""
    chance = random.Random(22)
    alphabet = string.ascii_letters + string.digits
    async with adapter(server=UNLIMITED) as rig:
        longest = (await rig.exchange.get_exchange_info()).capabilities.client_order_id_length
        ids = {"".join(chance.choices(alphabet, k=1 + number % longest)) for number in range(2_000 if large else 64)}
        price = await rig.far()
        for name in ids:
            order = await rig.exchange.place_order(rig.request(price=price, client_order_id=name))
            found = await rig.exchange.cancel_order(OrderRef(symbol=SYMBOL, client_order_id=name))
            assert (order.client_order_id, found.client_order_id, found.order_id) == (name, name, order.order_id)
        await rig.agrees()
        assert {order.client_order_id for order in rig.orders.values()} == ids


@pytest.mark.parametrize("name", ["", "x" * 33, "a-b", "a_b", "ä", "a b", "a\n"])
async def test_an_id_outside_the_rule_is_denied(adapter: Adapter, name: str) -> None:
    """F22: a client order id keeps the venue's rule and comes back unchanged."""
    async with adapter() as rig:
        with pytest.raises(OrderDenied, match="client_order_id"):
            await rig.exchange.place_order(rig.request(price=await rig.far(), client_order_id=name))


def test_ids_made_in_the_same_second_by_any_process_differ(large: bool) -> None:
    """F22: unique across restarts, as no counter is needed."""
    count = 1_000_000 if large else 20_000
    assert len({client_order_id.new("ab") for _ in range(count)}) == count


@pytest.mark.parametrize("field", ["price", "quantity"])
async def test_what_misses_a_step_is_denied_before_it_is_sent(adapter: Adapter, field: str) -> None:
    """F23: our own rules come first."""
    async with adapter() as rig:
        request = rig.request(**{"price": await rig.far(), field: Decimal("44000.00001")})
        with pytest.raises(ExchangeError) as raised:
            await rig.exchange.place_order(request)
        assert raised.value.reason == "ORDER_DENIED"
        assert "place_order" not in rig.simulator.ledger()["statistics"]["requests"]


def _random_order(rig: Rig, rules: Any, chance: random.Random, below: Decimal) -> OrderRequest:
    price = rules.round_price(below * (1 - Decimal(chance.randrange(10**9)) / 10**11))
    quantity = rules.round_quantity(Decimal(chance.randrange(10**9)) / 10**12) + rules.min_quantity
    return rig.request(price=price, quantity=quantity)
