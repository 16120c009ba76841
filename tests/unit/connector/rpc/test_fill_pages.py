"""Fills page by page: none lost, none twice, and one question to the venue for all pages of a series."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.connector.rpc.fill_pages import FillPages
from opensqt.model.errors import InvalidRequest
from opensqt.model.order import Fill, PositionSide, Side
from opensqt.proto import gateway_service_pb2 as pb
from tests.support import eventually

SYMBOL = "BTCUSDT"


def fill(trade_id: str, at_ms: int) -> Fill:
    return Fill(
        symbol=SYMBOL,
        trade_id=trade_id,
        order_id="1",
        client_order_id="a",
        side=Side.BUY,
        position_side=PositionSide.BOTH,
        price=Decimal(100),
        quantity=Decimal(1),
        fee=Decimal(0),
        fee_asset="USDT",
        is_maker=True,
        event_time_ms=at_ms,
    )


class Account:
    """A venue's list of fills; counts how often it is asked for."""

    def __init__(self, *times: int) -> None:
        self.fills = [fill(f"t{number}", at_ms) for number, at_ms in enumerate(times)]
        self.asked: list[int] = []

    async def list_fills(self, _symbol: str, *, since_ms: int) -> list[Fill]:
        self.asked.append(since_ms)
        return [one for one in self.fills if one.event_time_ms >= since_ms]


def request(size: int, token: str = "", since_ms: int = 0) -> pb.ListFillsRequest:
    return pb.ListFillsRequest(symbol=SYMBOL, since_ms=since_ms, page_size=size, page_token=token)


async def read_all(pages: FillPages, sizes: list[int], since_ms: int = 0) -> list[list[str]]:
    """Read a series to its end; the sizes are taken one after the other, the last for all that follow."""
    found, token = [], ""
    while True:
        answer = await pages.answer(request(sizes[min(len(found), len(sizes) - 1)], token, since_ms))
        found.append([one.trade_id for one in answer.fills])
        token = answer.next_page_token
        if not token:
            return found
        assert len(found) < 200


async def test_pages_join_to_the_whole_list() -> None:
    pages = FillPages(Account(1, 2, 3, 4, 5))
    assert await read_all(pages, [2]) == [["t0", "t1"], ["t2", "t3"], ["t4"]]


async def test_a_list_that_fills_its_last_page_has_no_empty_one_behind_it() -> None:
    assert await read_all(FillPages(Account(1, 2)), [2]) == [["t0", "t1"]]


async def test_without_a_page_size_all_fills_come_in_one_response() -> None:
    assert await read_all(FillPages(Account(*range(3000))), [0]) == [[f"t{n}" for n in range(3000)]]


async def test_a_series_costs_one_question_to_the_venue() -> None:
    account = Account(1, 2, 3, 4, 5)
    await read_all(FillPages(account), [1], since_ms=1)
    assert account.asked == [1]


async def test_a_later_connector_goes_on_from_the_token_alone() -> None:
    account = Account(1, 2, 2, 3)
    first = await FillPages(account).answer(request(2))
    restarted = FillPages(account)
    second = await restarted.answer(request(10, first.next_page_token))
    assert [one.trade_id for one in second.fills] == ["t2", "t3"]
    assert account.asked == [0, 2]


@given(
    times=st.lists(st.integers(1, 6), min_size=1, max_size=40).map(sorted),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=5),
    kept=st.booleans(),
    since_ms=st.integers(0, 7),
)
@settings(max_examples=200)
def test_no_fill_is_lost_or_doubled_whatever_the_pages_are(
    times: list[int], sizes: list[int], kept: bool, since_ms: int
) -> None:
    """Many fills of one millisecond, pages that end among them, and a connector that forgets between two pages."""
    account = Account(*times)
    wanted = [f"t{number}" for number, at_ms in enumerate(times) if at_ms >= since_ms]

    async def run() -> list[list[str]]:
        return await read_all(FillPages(account, kept_fills=10_000 if kept else 0), sizes, since_ms)

    found = asyncio.run(run())
    assert [name for page in found for name in page] == wanted
    assert all(len(page) <= max(sizes) for page in found)


async def test_fills_that_come_between_two_pages_shift_nothing() -> None:
    account = Account(1, 2, 3)
    pages = FillPages(account, kept_fills=0)
    first = await pages.answer(request(2))
    # One of the same millisecond, which the venue lists before the last one that was handed over.
    account.fills = [account.fills[0], fill("late", 2), account.fills[1], account.fills[2]]
    second = await pages.answer(request(9, first.next_page_token))
    assert [one.trade_id for one in first.fills] == ["t0", "t1"]
    assert [one.trade_id for one in second.fills] == ["late", "t2"]


async def test_what_is_kept_between_pages_is_bounded_and_forgotten_in_time() -> None:
    account = Account(*range(10))
    pages = FillPages(account, keep_s=0.05, kept_fills=25)
    for _ in range(5):
        await pages.answer(request(1))
    assert pages.kept == 20
    await eventually(lambda: pages.kept == 0)


async def test_a_token_of_another_list_is_refused() -> None:
    pages = FillPages(Account(1, 2, 3))
    token = (await pages.answer(request(1, since_ms=1))).next_page_token
    with pytest.raises(InvalidRequest, match=r"page_token .*: expected next_page_token"):
        await pages.answer(request(1, token, since_ms=2))
