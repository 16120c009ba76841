"""What counts as proof that an order was amended or was not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from opensqt.connector.orders.amend_resolve import AmendResolver
from opensqt.model.errors import CredentialsRefused, ExchangeError, OrderNotFound, RateLimited, Unreachable
from opensqt.model.order import AmendRequest, Order, OrderRef, OrderStatus, Side

REF = OrderRef(symbol="BTCUSDT", client_order_id="mine", order_id="7")
TARGET = AmendRequest(order=REF, amend_id="a", price=Decimal(2), quantity=Decimal(5))
BEFORE = Order(
    symbol="BTCUSDT",
    side=Side.BUY,
    quantity=Decimal(5),
    price=Decimal(1),
    client_order_id="mine",
    status=OrderStatus.OPEN,
    order_id="7",
)
AFTER = replace(BEFORE, price=Decimal(2))


class Venue:
    """Answers a script, and is the clock that its asker sleeps by."""

    def __init__(self, *answers: Order | ExchangeError) -> None:
        self.answers: Iterator[Order | ExchangeError] = iter(answers)
        self.now_ns = 0
        self.waits: list[float] = []

    async def get_order(self, ref: OrderRef) -> Order:
        assert ref == REF
        answer = next(self.answers)
        if isinstance(answer, ExchangeError):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_ns += int(seconds * 1e9)

    async def resolve(self) -> Order | OrderNotFound | None:
        return await AmendResolver(clock=lambda: self.now_ns, sleep=self.sleep)(self, TARGET, 0)


async def test_an_order_as_asked_for_is_the_proof() -> None:
    assert await Venue(AFTER).resolve() is AFTER


@pytest.mark.parametrize("status", [OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED])
async def test_an_order_that_has_ended_can_not_be_amended_any_more(status: OrderStatus) -> None:
    ended = replace(BEFORE, status=status)
    assert await Venue(ended).resolve() is ended


async def test_an_order_as_it_was_proves_nothing_before_the_window_and_the_margin_are_over() -> None:
    """F1: the amendment may still be on its way, or not visible yet."""
    assert await Venue(*[BEFORE] * 5, AFTER).resolve() is AFTER


async def test_an_order_as_it_was_after_the_window_and_the_margin_was_not_amended() -> None:
    """F1: an amendment is never sent twice, nor lost from sight, when a reply is lost."""
    venue = Venue(*[BEFORE] * 100)
    assert await venue.resolve() is None
    assert venue.now_ns >= 10_000_000_000


async def test_one_of_two_changes_is_no_proof() -> None:
    both = replace(TARGET, quantity=Decimal(6))
    venue = Venue(AFTER, replace(AFTER, quantity=Decimal(6)))
    found = await AmendResolver(clock=lambda: venue.now_ns, sleep=venue.sleep)(venue, both, 0)
    assert isinstance(found, Order)
    assert found.quantity == 6


async def test_not_found_is_told_only_after_the_window_and_the_margin() -> None:
    missing = OrderNotFound("no")
    assert await Venue(*[missing] * 3, AFTER).resolve() is AFTER
    assert await Venue(*[missing] * 100).resolve() is missing


@pytest.mark.parametrize("error", [Unreachable("gone"), CredentialsRefused("no"), RateLimited("wait")])
async def test_an_error_never_proves_anything(error: ExchangeError) -> None:
    """F3: "could not ask" is never taken for "did not happen"."""
    venue = Venue(*[error] * 50, BEFORE, AFTER)
    assert await venue.resolve() in (None, AFTER)
    assert len(venue.waits) >= 50


async def test_a_demanded_pause_is_kept() -> None:
    venue = Venue(RateLimited("wait", retry_after_s=7.0), AFTER)
    await venue.resolve()
    assert venue.waits == [7.0]
