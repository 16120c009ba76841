"""A reader that set a maximum age is told of older data, and loses none of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.account import Position
from opensqt.model.errors import InvalidRequest, StaleData
from opensqt.model.stream import Batch
from opensqt.streams.max_age import with_max_age


class Scripted:
    """Hands over the batches that the test gave it."""

    def __init__(self, *batches: Batch[Any]) -> None:
        self._batches = iter(batches)

    def __aiter__(self) -> Scripted:
        return self

    async def __anext__(self) -> Batch[Any]:
        for batch in self._batches:
            return batch
        raise StopAsyncIteration

    async def __aenter__(self) -> Scripted:
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    async def aclose(self) -> None:
        return


def batch(sequence: int, *updates: Any, age_s: float = 0.0, **marks: Any) -> Batch[Any]:
    return Batch(updates=updates, epoch="e1", sequence=sequence, age_s=age_s, **marks)


def position(symbol: str) -> Position:
    return Position(symbol=symbol, quantity=Decimal(1), entry_price=Decimal(2))


async def test_data_that_is_young_enough_is_handed_over_as_it_is() -> None:
    one = batch(1, position("BTCUSDT"), age_s=0.9)
    assert await anext(with_max_age(Scripted(one), 1.0, kind="positions")) is one


async def test_older_data_raises_and_says_whose_how_old_and_what_is_allowed() -> None:
    stream = with_max_age(Scripted(batch(1, age_s=12.3456)), 0.5, kind="price", symbol="BTCUSDT")
    with pytest.raises(StaleData, match=r"price BTCUSDT: the newest update is 12\.346 s old; at most 0\.5 s") as stale:
        await anext(stream)
    assert stale.value.symbol == "BTCUSDT"


async def test_what_was_refused_is_part_of_the_next_batch() -> None:
    """A position that only the refused snapshot told of would be unknown for good."""
    old, new = position("ETHUSDT"), position("BTCUSDT")
    source = Scripted(batch(1, old, age_s=9, snapshot=True, gap=True), batch(2, new, age_s=0.1))
    stream = with_max_age(source, 1.0, kind="positions")
    with pytest.raises(StaleData):
        await anext(stream)
    after = await anext(stream)
    assert after == batch(2, old, new, snapshot=True, gap=True)
    assert after.age_s == 0.1


async def test_a_resumption_without_news_makes_refused_data_no_younger() -> None:
    stream = with_max_age(Scripted(batch(1, position("BTCUSDT"), age_s=9), batch(1)), 1.0, kind="positions")
    for _ in range(2):
        with pytest.raises(StaleData):
            await anext(stream)


async def test_the_read_after_the_error_returns_the_late_orders_themselves() -> None:
    """F7: a fill that was told once is told to every reader, however slow."""
    late, next_one = batch(3, "fill", age_s=30), batch(4, "cancel")
    stream = with_max_age(Scripted(late, next_one), 1.0, kind="orders")
    with pytest.raises(StaleData, match="orders: the newest"):
        await anext(stream)
    returned = [await anext(stream), await anext(stream)]
    assert returned == [late, next_one]
    assert returned[0].age_s >= 30


@pytest.mark.parametrize("age_s", [0, -1, float("nan")])
def test_an_age_that_is_no_positive_number_is_refused(age_s: float) -> None:
    with pytest.raises(InvalidRequest, match=r"max_age_s .*: expected more than 0 seconds"):
        with_max_age(Scripted(), age_s, kind="price", symbol="BTCUSDT")


async def test_without_a_limit_the_stream_is_itself() -> None:
    source = Scripted()
    assert with_max_age(source, None, kind="price") is source
