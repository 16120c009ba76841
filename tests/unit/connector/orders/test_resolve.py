"""What counts as proof that an order is there or is not."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from opensqt.connector.orders.resolve import resolve
from opensqt.model.errors import CredentialsRefused, ExchangeError, OrderNotFound, RateLimited, Unreachable
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderStatus, Side

REQUEST = OrderRequest(symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(1), price=Decimal(1), client_order_id="mine")
FOUND = Order(
    symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(1), client_order_id="mine", status=OrderStatus.OPEN, order_id="7"
)


class Venue:
    """Answers a script, and is the clock that its asker sleeps by."""

    def __init__(self, *answers: Order | ExchangeError) -> None:
        self.answers: Iterator[Order | ExchangeError] = iter(answers)
        self.now_ns = 0
        self.waits: list[float] = []

    async def get_order(self, ref: OrderRef) -> Order:
        assert ref.client_order_id == "mine"
        answer = next(self.answers)
        if isinstance(answer, ExchangeError):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_ns += int(seconds * 1e9)

    async def resolve(self) -> Order | None:
        return await resolve(self, REQUEST, sent_ns=0, clock=lambda: self.now_ns, sleep=self.sleep)


async def test_an_order_that_is_found_is_the_answer() -> None:
    assert await Venue(FOUND).resolve() is FOUND


async def test_not_found_proves_nothing_before_the_window_and_the_margin_are_over() -> None:
    """F1: the order may still be on its way, or not visible yet."""
    venue = Venue(*[OrderNotFound("no")] * 5, FOUND)
    assert await venue.resolve() is FOUND


async def test_not_found_after_the_window_and_the_margin_is_absence() -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    venue = Venue(*[OrderNotFound("no")] * 100)
    assert await venue.resolve() is None
    assert venue.now_ns >= 10_000_000_000


@pytest.mark.parametrize("error", [Unreachable("gone"), CredentialsRefused("no"), RateLimited("wait")])
async def test_any_other_error_never_proves_anything(error: ExchangeError) -> None:
    """F3: however long it lasts."""
    venue = Venue(*[error] * 500, FOUND)
    assert await venue.resolve() is FOUND
    assert venue.now_ns > 600 * 1_000_000_000


async def test_a_wait_that_the_venue_asks_for_is_kept() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    venue = Venue(RateLimited("wait", retry_after_s=30), FOUND)
    await venue.resolve()
    assert venue.waits == [30]
