"""What is sent to Bybit: windows of a week, pages, and how orders are written."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opensqt.model.order import OrderRef, OrderRequest, OrderType, PositionSide, Side, TimeInForce
from opensqt.venues.bybit.requests import BybitRequests, order_ref, order_request

WEEK_MS = 7 * 86_400_000
NOW_MS = 1_700_000_000_000


class Sent:
    """Stands for the venue: records each query, and returns the given responses in order."""

    def __init__(self, *responses: Any) -> None:
        self.queries: list[tuple[str, dict[str, Any]]] = []
        self._responses = list(responses)

    async def send(self, endpoint: str, params: dict[str, Any], **_options: Any) -> dict[str, Any]:
        self.queries.append((endpoint, params))
        response = self._responses.pop(0) if self._responses else {"list": []}
        if isinstance(response, Exception):
            raise response
        return {"result": response, "retExtInfo": {}, "time": NOW_MS}


def requests(sent: Sent) -> BybitRequests:
    return BybitRequests(sent)  # type: ignore[arg-type]


def trade(number: int, time_ms: int, **more: str) -> dict[str, str]:
    return {"execId": str(number), "execTime": str(time_ms), "execType": "Trade", "closedSize": "0"} | more


async def test_trades_are_queried_a_week_at_a_time_until_now() -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    sent = Sent()
    await requests(sent).fills({"symbol": "BTCUSDT"}, "BTCUSDT", NOW_MS - 2 * WEEK_MS, NOW_MS)
    windows = [(int(query["startTime"]), int(query["endTime"])) for _, query in sent.queries]
    assert [start for start, _ in windows] == [NOW_MS - 2 * WEEK_MS, NOW_MS - WEEK_MS, NOW_MS]
    assert all(end - start < WEEK_MS for start, end in windows)


async def test_trades_older_than_half_a_year_are_not_queried() -> None:
    sent = Sent()
    await requests(sent).fills({}, "BTCUSDT", 1, NOW_MS)
    assert int(sent.queries[0][1]["startTime"]) == NOW_MS - 26 * WEEK_MS


async def test_pages_are_followed_and_come_out_oldest_first_without_other_executions() -> None:
    """F8: a fill counts once, however often it is reported."""
    first = {"list": [trade(4, 30), trade(3, 20)], "nextPageCursor": "more"}
    second = {"list": [trade(2, 20), trade(9, 15, execType="Funding"), trade(1, 10)], "nextPageCursor": ""}
    sent = Sent(first, second)
    rows = await requests(sent).fills({}, "BTCUSDT", NOW_MS, NOW_MS)
    assert [row["execId"] for row in rows] == ["1", "2", "3", "4"]
    assert sent.queries[1][1]["cursor"] == "more"


async def test_profits_are_queried_only_if_something_was_closed() -> None:
    """F36: the profit that is shown is the account's."""
    sent = Sent({"list": [{"tradeId": "2", "symbol": "BTCUSDT", "cashFlow": "1.5"}], "nextPageCursor": ""})
    sender = requests(sent)
    assert await sender.profits("BTCUSDT", [trade(1, 10)], "BTCUSDT") == {}
    assert sent.queries == []
    rows = [trade(1, 10), trade(2, 20, closedSize="0.5")]
    assert await sender.profits("BTCUSDT", rows, "BTCUSDT") == {"2": "1.5"}
    ((endpoint, query),) = sent.queries
    assert (endpoint, query["startTime"], query["endTime"]) == ("privateGetV5AccountTransactionLog", "20", "20")


def test_an_order_is_written_with_all_its_fields() -> None:
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
