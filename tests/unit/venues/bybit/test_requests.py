"""What is sent to Bybit: windows of a week, pages, and how orders are written."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.errors import InvalidRequest, OrderRejected
from opensqt.model.order import OrderRef, OrderRequest, OrderType, PositionSide, Side, TimeInForce
from opensqt.venues.bybit.requests import BybitRequests, order_ref, order_request

WEEK_MS = 7 * 86_400_000
NOW_MS = 1_700_000_000_000


class Sent:
    """Stands for the venue: notes what is asked for and answers what it was given, in turn."""

    def __init__(self, *answers: Any) -> None:
        self.queries: list[tuple[str, dict[str, Any]]] = []
        self._answers = list(answers)

    async def send(self, endpoint: str, params: dict[str, Any], **_options: Any) -> dict[str, Any]:
        self.queries.append((endpoint, params))
        answer = self._answers.pop(0) if self._answers else {"list": []}
        if isinstance(answer, Exception):
            raise answer
        return {"result": answer, "retExtInfo": {}, "time": NOW_MS}


def requests(sent: Sent) -> BybitRequests:
    return BybitRequests(sent)  # type: ignore[arg-type]


def trade(number: int, time_ms: int, **more: str) -> dict[str, str]:
    return {"execId": str(number), "execTime": str(time_ms), "execType": "Trade", "closedSize": "0"} | more


async def test_trades_are_asked_for_a_week_at_a_time_until_now() -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    sent = Sent()
    await requests(sent).fills({"symbol": "BTCUSDT"}, "BTCUSDT", NOW_MS - 2 * WEEK_MS, NOW_MS)
    windows = [(int(query["startTime"]), int(query["endTime"])) for _, query in sent.queries]
    assert [start for start, _ in windows] == [NOW_MS - 2 * WEEK_MS, NOW_MS - WEEK_MS, NOW_MS]
    assert all(end - start < WEEK_MS for start, end in windows)


async def test_what_is_older_than_half_a_year_is_not_asked_for() -> None:
    sent = Sent()
    await requests(sent).fills({}, "BTCUSDT", 1, NOW_MS)
    assert int(sent.queries[0][1]["startTime"]) == NOW_MS - 26 * WEEK_MS


async def test_pages_are_followed_and_come_out_oldest_first_without_what_is_no_trade() -> None:
    """F8: a fill counts once, however often it is reported."""
    first = {"list": [trade(4, 30), trade(3, 20)], "nextPageCursor": "more"}
    second = {"list": [trade(2, 20), trade(9, 15, execType="Funding"), trade(1, 10)], "nextPageCursor": ""}
    sent = Sent(first, second)
    rows = await requests(sent).fills({}, "BTCUSDT", NOW_MS, NOW_MS)
    assert [row["execId"] for row in rows] == ["1", "2", "3", "4"]
    assert sent.queries[1][1]["cursor"] == "more"


async def test_what_trades_earned_is_asked_for_only_where_something_was_closed() -> None:
    """F36: the profit that is shown is the account's."""
    sent = Sent({"list": [{"tradeId": "2", "symbol": "BTCUSDT", "cashFlow": "1.5"}], "nextPageCursor": ""})
    asked = requests(sent)
    assert await asked.profits("BTCUSDT", [trade(1, 10)], "BTCUSDT") == {}
    assert sent.queries == []
    rows = [trade(1, 10), trade(2, 20, closedSize="0.5")]
    assert await asked.profits("BTCUSDT", rows, "BTCUSDT") == {"2": "1.5"}
    ((endpoint, query),) = sent.queries
    assert (endpoint, query["startTime"], query["endTime"]) == ("privateGetV5AccountTransactionLog", "20", "20")


async def test_a_setting_that_is_in_force_already_is_no_error() -> None:
    """F21: the leverage in force is the one that was asked for."""
    sent = Sent(InvalidRequest("leverage not modified", venue_code="110043"), OrderRejected("no", venue_code="10001"))
    asked = requests(sent)
    await asked.change_setting("PositionSetLeverage", {})
    with pytest.raises(OrderRejected):
        await asked.change_setting("PositionSetLeverage", {})


def test_an_order_is_written_with_all_that_it_says() -> None:
    """F23: numbers go out as text, digit by digit."""
    request = OrderRequest(
        symbol="BTCUSDT",
        side=Side.SELL,
        quantity=Decimal("0.0010"),
        price=Decimal("45000.10"),
        client_order_id="mine",
        time_in_force=TimeInForce.POST_ONLY,
        reduce_only=True,
        position_side=PositionSide.LONG,
    )
    assert order_request(request, "BTCUSDT") == {
        "symbol": "BTCUSDT",
        "side": "Sell",
        "orderType": "Limit",
        "qty": "0.0010",
        "price": "45000.10",
        "timeInForce": "PostOnly",
        "orderLinkId": "mine",
        "positionIdx": 1,
        "reduceOnly": True,
    }


def test_a_market_order_has_neither_price_nor_time_in_force() -> None:
    request = OrderRequest(
        symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(1), client_order_id="m", order_type=OrderType.MARKET
    )
    assert not {"price", "timeInForce", "reduceOnly"} & order_request(request, "BTCUSDT").keys()


def test_the_clients_id_wins_where_both_ids_name_an_order() -> None:
    both = OrderRef(symbol="BTCUSDT", client_order_id="mine", order_id="77")
    assert order_ref(both, "BTCUSDT") == {"symbol": "BTCUSDT", "orderLinkId": "mine"}
    assert order_ref(OrderRef(symbol="BTCUSDT", order_id="77"), "BTCUSDT") == {"symbol": "BTCUSDT", "orderId": "77"}
