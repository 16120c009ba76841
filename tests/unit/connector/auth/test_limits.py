"""What a client's new orders are held to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from opensqt.connector.auth.clients import ClientEntry, Clients
from opensqt.connector.auth.limits import OrderLimits
from opensqt.connector.auth.roles import Access
from opensqt.connector.orders.intent import Barred
from opensqt.model.client_context import on_behalf_of
from opensqt.model.errors import ExchangeError, OrderDenied, PermissionDenied, RateLimited, Unreachable
from opensqt.model.market import Price
from opensqt.model.order import OrderRef, OrderRequest, OrderType, Side, TimeInForce

PRICE = Price(symbol="BTCUSDT", bid=Decimal(100), ask=Decimal(101))


@dataclass
class Bench:
    """The limits of one client over a market at 100 / 101."""

    limits: dict[str, Any]
    open_orders: int = 0
    known: set[str] = field(default_factory=set)
    now: float = 1000.0
    price: Price | ExchangeError = PRICE

    def __post_init__(self) -> None:
        self.access = Access(Clients([entry(**self.limits)]))
        self.held = OrderLimits(
            self.access,
            price=self._price,
            open_count=lambda client: self.open_orders if client == "maker" else 0,
            owned_ids=self._own_among,
            now=lambda: self.now,
        )

    async def _price(self, _symbol: str) -> Price:
        if isinstance(self.price, ExchangeError):
            raise self.price
        return self.price

    async def _own_among(self, client: str, client_order_ids: Collection[str]) -> Collection[str]:
        return self.known & set(client_order_ids) if client == "maker" else ()

    async def cancel(self, *refs: OrderRef) -> Sequence[OrderRef | type[Exception]]:
        with on_behalf_of("maker"):
            judged = await self.held.to_cancel(refs)
        return [type(one) if isinstance(one, ExchangeError) else one for one in judged]

    async def ask(self, *requests: OrderRequest) -> Sequence[type[Exception] | None]:
        return [type(verdict) if verdict else None for verdict in await self.verdicts(*requests)]

    async def verdicts(self, *requests: OrderRequest) -> Sequence[ExchangeError | None]:
        with on_behalf_of("maker"):
            judged = await self.held.to_place(requests)
        assert [one.request if isinstance(one, Barred) else one for one in judged] == [*requests]
        return [one.reason if isinstance(one, Barred) else None for one in judged]


def entry(**limits: Any) -> ClientEntry:
    return ClientEntry.model_validate({"name": "maker", "role": "trade", "certificate": "maker", **limits})


def order(name: str = "a", quantity: str = "1", price: str | None = "100", **fields: Any) -> OrderRequest:
    given: dict[str, Any] = {"symbol": "BTCUSDT", "side": Side.BUY, "client_order_id": name}
    if price is None:
        given["order_type"] = OrderType.MARKET
    return OrderRequest(
        **{**given, "quantity": Decimal(quantity), "price": None if price is None else Decimal(price), **fields}
    )


async def test_without_limits_everything_may_be_sent() -> None:
    assert await Bench({}, open_orders=10**6).ask(*[order(str(number), "1e9") for number in range(100)]) == [None] * 100


async def test_only_the_named_symbols_may_be_traded() -> None:
    bench = Bench({"symbols": ["BTCUSDT"]})
    assert await bench.ask(order("a"), order("b", symbol="ETHUSDT")) == [None, PermissionDenied]
    there, elsewhere = (OrderRef(symbol=symbol, client_order_id="a") for symbol in ("BTCUSDT", "ETHUSDT"))
    assert await bench.cancel(there, elsewhere) == [there, PermissionDenied]
    with on_behalf_of("maker"):
        bench.held.check_cancel_all("BTCUSDT")
        with pytest.raises(PermissionDenied, match="may not trade ETHUSDT, only BTCUSDT"):
            bench.held.check_cancel_all("ETHUSDT")


async def test_who_may_cancel_its_own_orders_only_names_them_by_its_own_ids() -> None:
    bench = Bench({"cancel_others": False}, known={"mine"})
    mine, foreign = (OrderRef(symbol="BTCUSDT", client_order_id=name, order_id="7") for name in ("mine", "foreign"))
    by_number = OrderRef(symbol="BTCUSDT", order_id="7")
    # The venue's id of another's order beside one's own does not help either.
    allowed = OrderRef(symbol="BTCUSDT", client_order_id="mine")
    assert await bench.cancel(mine, foreign, by_number) == [allowed, PermissionDenied, PermissionDenied]
    with on_behalf_of("maker"), pytest.raises(PermissionDenied, match="its own orders only; name them with CancelOrd"):
        bench.held.check_cancel_all("BTCUSDT")


@pytest.mark.parametrize(
    ("fields", "worth"),
    [
        ({"price": "90"}, 90),
        ({"price": "200"}, 200),
        ({"price": None}, 101),
        ({"price": None, "side": Side.SELL}, 101),
        ({"price": "300", "side": Side.SELL}, 300),
        # Sold for one coin, it would fill at the market.
        ({"price": "1", "side": Side.SELL}, 101),
        # Post-only can't fill at once, so it is worth its own price.
        ({"price": "1", "side": Side.SELL, "time_in_force": TimeInForce.POST_ONLY}, 1),
    ],
)
async def test_an_order_is_worth_what_it_can_fill_for(fields: dict[str, Any], worth: int) -> None:
    assert await Bench({"max_order_notional": Decimal(worth)}).ask(order(**fields)) == [None]
    assert await Bench({"max_order_notional": Decimal(worth) - Decimal("0.1")}).ask(order(**fields)) == [OrderDenied]


async def test_an_order_that_cannot_be_priced_is_not_sent() -> None:
    bench = Bench({"max_order_notional": Decimal(50)}, price=Unreachable("no price"))
    assert await bench.ask(order("a", price=None), order("b", "0.1")) == [Unreachable, None]


async def test_a_denial_names_the_client_the_order_its_worth_and_the_limit() -> None:
    (verdict,) = await Bench({"max_order_notional": Decimal(150)}).verdicts(order("a", "2"))
    assert str(verdict) == "client maker: order a is worth 200; its limit is 150 an order"


async def test_open_orders_and_those_of_the_same_batch_count() -> None:
    bench = Bench({"max_open_orders": 3}, open_orders=1)
    assert await bench.ask(*map(order, "abc")) == [None, None, OrderDenied]


async def test_an_order_that_is_denied_takes_no_place_of_another() -> None:
    bench = Bench({"max_open_orders": 1, "max_order_notional": Decimal(150)})
    assert await bench.ask(order("a", "2"), order("b")) == [OrderDenied, None]


async def test_no_more_orders_a_second_than_granted() -> None:
    bench = Bench({"max_orders_per_second": 2})
    first, second, third = await bench.verdicts(*map(order, "abc"))
    assert (first, second, type(third)) == (None, None, RateLimited)
    assert third is not None
    assert third.retry_after_s == 0.5
    bench.now += 0.5
    assert await bench.ask(order("c"), order("d")) == [None, RateLimited]
    bench.now += 3600
    assert await bench.ask(*map(order, "efg")) == [None, None, RateLimited]


async def test_less_than_one_order_a_second_is_an_order_now_and_then() -> None:
    bench = Bench({"max_orders_per_second": 0.1})
    assert await bench.ask(order("a")) == [None]
    bench.now += 9
    assert await bench.ask(order("b")) == [RateLimited]
    bench.now += 1
    assert await bench.ask(order("b")) == [None]


async def test_a_limit_that_changed_in_the_file_holds_for_the_next_order() -> None:
    bench = Bench({"max_open_orders": 1})
    assert await bench.ask(order("a"), order("b")) == [None, OrderDenied]
    bench.access.clients = Clients([entry(max_open_orders=2)])
    assert await bench.ask(order("a"), order("b")) == [None, None]


async def test_a_client_that_was_taken_out_meanwhile_places_nothing() -> None:
    bench = Bench({})
    bench.access.clients = Clients([])
    with pytest.raises(PermissionDenied, match="client maker: was revoked"):
        await bench.verdicts(order())


async def amend(bench: Bench, amended: OrderRequest) -> type[Exception] | None:
    with on_behalf_of("maker"):
        denial = await bench.held.to_amend(amended)
    return type(denial) if denial else None


async def test_an_amended_order_is_held_to_the_limits_of_a_new_one() -> None:
    bench = Bench({"max_order_notional": Decimal(100), "symbols": ["BTCUSDT"]}, known={"a"})
    assert await amend(bench, order("a")) is None
    assert await amend(bench, order("a", "1.1")) is OrderDenied
    assert await amend(bench, order("a", symbol="ETHUSDT")) is PermissionDenied


@pytest.mark.parametrize("name", ["foreign", ""])
async def test_who_may_cancel_others_orders_still_amends_its_own_only(name: str) -> None:
    bench = Bench({"cancel_others": True, "max_open_orders": 5}, known={"mine"})
    assert await amend(bench, order("mine")) is None
    assert await amend(bench, order(name)) is PermissionDenied


async def test_an_amendment_counts_as_an_order_of_the_second_and_as_no_more_open_order() -> None:
    bench = Bench({"max_orders_per_second": 2, "max_open_orders": 1}, open_orders=1, known={"a"})
    assert [await amend(bench, order("a")) for _ in range(3)] == [None, None, RateLimited]
    bench.now += 0.5
    assert await amend(bench, order("a")) is None
