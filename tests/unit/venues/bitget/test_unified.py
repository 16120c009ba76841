"""The frames and rows of Bitget's unified account, as its documents show them; ids replaced."""

from __future__ import annotations

from copy import copy
from decimal import Decimal
from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model import errors
from opensqt.model.account import Account, PositionMode
from opensqt.model.errors import (
    ExchangeError,
    OrderNotFound,
    PermissionDenied,
    Unsupported,
    UnsupportedAccount,
)
from opensqt.model.order import (
    ClosedBy,
    CloseReason,
    Fee,
    Fill,
    FillKind,
    OrderRef,
    OrderRequest,
    OrderStatus,
    OrderType,
    OrderUpdate,
    PositionSide,
    Side,
)
from opensqt.venues.bitget.adapter import BitgetAdapter
from opensqt.venues.bitget.unified.parse import TOPICS, UnifiedParser
from opensqt.venues.events import BalancePending, FillsPending, StreamReady
from opensqt.venues.rows import RowError
from opensqt.venues.venue import WITHDRAWAL_WARNING

ORDER: dict[str, Any] = {
    "category": "usdt-futures", "symbol": "BTCUSDT", "orderId": "1111111111", "clientOid": "mine1", "price": "",
    "qty": "0.001", "amount": "1000", "holdMode": "hedge_mode", "holdSide": "long", "tradeSide": "open",
    "orderType": "market", "timeInForce": "gtc", "side": "buy", "marginMode": "crossed", "marginCoin": "USDT",
    "reduceOnly": "no", "cumExecQty": "0.001", "cumExecValue": "83.1315", "avgPrice": "83131.5", "totalProfit": "0",
    "orderStatus": "filled", "cancelReason": "", "leverage": "20",
    "feeDetail": [{"feeCoin": "USDT", "fee": "0.0332526"}],
    "createdTime": "1742367838101", "updatedTime": "1742367838115", "stpMode": "none",
}  # fmt: skip
QUERIED_ORDER: dict[str, Any] = {
    "orderId": "1111111111", "clientOid": "mine1", "category": "USDT-FUTURES", "symbol": "BTCUSDT",
    "orderType": "limit", "side": "buy", "price": "20000", "qty": "0.01", "amount": "0", "cumExecQty": "0",
    "cumExecValue": "0", "avgPrice": "0", "timeInForce": "post_only", "orderStatus": "new", "posSide": "",
    "holdMode": "one_way_mode", "reduceOnly": "NO", "feeDetail": [{"feeCoin": "", "fee": ""}], "cancelReason": "",
    "execType": "normal", "stpMode": "none", "tpTriggerBy": None, "slTriggerBy": None, "takeProfit": None,
    "stopLoss": None, "tpOrderType": None, "slOrderType": None, "createdTime": "1750496809871",
    "updatedTime": "1750496809886",
}  # fmt: skip
TRADE: dict[str, Any] = {
    "symbol": "BTCUSDT", "orderType": "market", "updatedTime": "1736378720623", "side": "buy",
    "orderId": "1111111111", "execPnl": "0", "feeDetail": [{"feeCoin": "USDT", "fee": "0.569958"}],
    "execTime": "1736378720623", "tradeScope": "taker", "tradeSide": "open", "execId": "1111111112",
    "execLinkId": "1111111112", "execPrice": "94993", "holdSide": "long", "execValue": "949.93",
    "category": "USDT-FUTURES", "execQty": "0.01", "clientOid": "mine1",
}  # fmt: skip
QUERIED_TRADE: dict[str, Any] = {
    "execId": "1111111112", "orderId": "1111111111", "category": "USDT-FUTURES", "symbol": "BTCUSDT",
    "orderType": "market", "side": "sell", "execPrice": "107005.4", "execQty": "0.0001", "execValue": "10.7005",
    "tradeScope": "taker", "feeDetail": [{"feeCoin": "USDT", "fee": "0.00642032"}], "createdTime": "1751020520451",
    "updatedTime": "1751020520458", "execPnl": "0.00017",
}  # fmt: skip
ENDED: dict[str, Any] = {
    "symbol": "BTCUSDT", "leverage": "20", "openFeeTotal": "", "mmr": "", "breakEvenPrice": "", "available": "0",
    "liqPrice": "", "marginMode": "crossed", "unrealisedPnl": "0", "markPrice": "94987.1",
    "createdTime": "1736378720620", "avgPrice": "0", "totalFundingFee": "0", "updatedTime": "1736378720620",
    "marginCoin": "USDT", "frozen": "0", "profitRate": "", "closeFeeTotal": "", "marginSize": "0",
    "curRealisedPnl": "0", "size": "0", "positionStatus": "ended", "posSide": "long", "holdMode": "hedge_mode",
}  # fmt: skip
POSITION: dict[str, Any] = {
    "category": "USDT-FUTURES", "symbol": "BTCUSDT", "marginCoin": "USDT", "holdMode": "hedge_mode", "posSide": "long",
    "marginMode": "crossed", "positionBalance": "5.435199", "available": "0.001", "frozen": "0", "total": "0.001",
    "leverage": "20", "curRealisedPnl": "0", "avgPrice": "107410.3", "positionStatus": "normal",
    "unrealisedPnl": "0.0047", "liquidationPrice": "0", "mmr": "0.004", "profitRate": "0.0008647337475591",
    "markPrice": "107415.3", "breakEvenPrice": "107539.2", "totalFunding": "0", "openFeeTotal": "-0.06444618",
    "closeFeeTotal": "0", "createdTime": "1750495670699", "updatedTime": "1750929883465",
}  # fmt: skip
ASSETS: dict[str, Any] = {
    "accountEquity": "11.13919278", "usdtEquity": "11.13921165", "btcEquity": "0.00011256", "unrealisedPnl": "0",
    "usdtUnrealisedPnl": "0", "btcUnrealizedPnl": "0", "effEquity": "6.19299777", "mmr": "0", "imr": "0",
    "mgnRatio": "0", "positionMgnRatio": "0",
    "assets": [{"coin": "USDT", "equity": "6.19300826", "usdValue": "6.19299777", "balance": "6.19300826",
                "available": "6.19300826", "debt": "0", "locked": "0"}],
}  # fmt: skip
ACCOUNT: dict[str, Any] = {
    "unrealisedPnL": "-10116.55", "totalEquity": "4976919.05", "positionMgnRatio": "0", "mmr": "408.08",
    "effEquity": "4847952.35", "imr": "17795.97", "mgnRatio": "0",
    "coin": [{"debts": "0", "balance": "0.9992", "available": "0.9992", "borrow": "0", "locked": "0",
              "equity": "0.9992", "coin": "ETH", "usdValue": "2488.667472"}],
}  # fmt: skip
SETTINGS: dict[str, Any] = {
    "uid": "1111111111", "accountMode": "unified", "assetMode": "multi_assets", "accountLevel": "advanced",
    "holdMode": "hedge_mode",
    "symbolConfigList": [
        {"category": "SPOT", "symbol": "BTCUSDT", "marginMode": "", "leverage": "3"},
        {"category": "USDT-FUTURES", "symbol": "BTCUSDT", "marginMode": "crossed", "leverage": "20"},
    ],
    "coinConfigList": [{"coin": "BTC", "leverage": "3"}],
}  # fmt: skip
SWITCHED = Unsupported(
    "You are in Unified Account mode, and the Classic Account API is not supported at this time", venue_code="40085"
)
_GET, _POST = "privateUtaGetV3", "privateUtaPostV3"


class Rest:
    """The venue: gives each endpoint's data, or raises it, and keeps what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {
            "privateMixGetV2MixAccountAccounts": SWITCHED,
            f"{_GET}AccountSettings": SETTINGS,
            **answers,
        }
        self.asked: list[tuple[str, Any]] = []

    async def send(self, endpoint: str, params: Any = None, **_: Any) -> Any:
        self.asked.append((endpoint, copy(params or {})))
        answer = self.answers[endpoint]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"data": answer.answer(params) if hasattr(answer, "answer") else answer}

    def sent(self, endpoint: str) -> list[Any]:
        return [params for asked, params in self.asked if asked == endpoint]


class Rules:
    """What a symbol's name is looked up in."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.market_id = symbol


class Listed(BitgetAdapter):
    """The adapter with a symbol that no market had to be loaded for."""

    def market_id(self, symbol: str) -> str:
        return symbol

    def unified(self, symbol: str) -> str:
        return symbol


async def unified(
    mode: PositionMode = PositionMode.HEDGE, *, rest: Rest | None = None, **answers: Any
) -> tuple[BitgetAdapter, Rest]:
    """Return the adapter of an account that has turned out to be unified."""
    settings, rest = VenueSettings(name="bitget"), rest or Rest(**answers)
    venue = Listed(settings, BitgetAdapter.make_client(settings), rest)  # type: ignore[arg-type]
    rules: Any = {"BTCUSDT": Rules("BTCUSDT")}
    venue.symbols, venue.rules, venue.rules_by_id = {"BTCUSDT": "BTCUSDT"}, rules, rules
    await venue.check_account()
    venue.position_mode = mode
    return venue, rest


def frame(topic: str, *rows: Any) -> dict[str, Any]:
    return {
        "action": "snapshot",
        "arg": {"instType": "UTA", "topic": topic},
        "data": list(rows),
        "ts": 1742367838124,
    }


async def parsed(message: dict[str, Any], mode: PositionMode = PositionMode.HEDGE) -> list[Any]:
    venue, _ = await unified(mode)
    events = venue.parse(message)
    assert events is not None
    return list(events)


def request(side: Side = Side.BUY, **changes: Any) -> OrderRequest:
    given: dict[str, Any] = {"client_order_id": "mine1", "price": Decimal("20000.10"), "quantity": Decimal("0.010")}
    return OrderRequest(symbol="BTCUSDT", side=side, **(given | changes))


# The account


async def test_the_venues_refusal_of_the_classic_api_names_a_unified_account() -> None:
    venue, _ = await unified()
    assert venue.account_mode == "unified, advanced mode"


@pytest.mark.parametrize("level", ["basic", "advanced", "delta"])
async def test_every_level_with_cross_margin_is_traded(level: str) -> None:
    """The documents' own sample is of a hybrid account; demo accounts are."""
    venue, _ = await unified(**{f"{_GET}AccountSettings": SETTINGS | {"accountMode": "hybrid", "accountLevel": level}})
    assert venue.account_mode == f"hybrid, {level} mode"
    settings = {name: value for name, value in SETTINGS.items() if name not in ("accountMode", "accountLevel")}
    assert (await unified(**{f"{_GET}AccountSettings": settings}))[0].account_mode == "unified"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"accountLevel": "isolated"},
            r"accountLevel 'isolated'\): switch it to Basic or Advanced mode .*Account mode",
        ),
        ({"accountMode": "novel"}, r"accountMode 'novel'.*: switch it to Basic or Advanced mode .*Account mode"),
        ({"accountMode": "upgrading"}, "being switched to another mode .*: wait until"),
        ({"accountMode": "switching"}, "being switched to another mode .*: wait until"),
    ],
)
async def test_a_mode_without_cross_margin_is_refused_with_what_to_switch(
    changes: dict[str, str], sentence: str
) -> None:
    with pytest.raises(UnsupportedAccount, match=sentence):
        await unified(**{f"{_GET}AccountSettings": SETTINGS | changes})


async def test_another_refusal_is_no_word_about_the_mode() -> None:
    with pytest.raises(Unsupported) as raised:
        await unified(privateMixGetV2MixAccountAccounts=Unsupported("not now", venue_code="40919"))
    assert not isinstance(raised.value, UnsupportedAccount)


async def account(assets: dict[str, Any]) -> Account:
    venue, _ = await unified(**{f"{_GET}AccountAssets": assets})
    return await venue.account()


async def test_the_wallet_is_the_margin_assets_own_and_the_margin_that_of_all() -> None:
    """Assets that do not serve as margin are in `accountEquity` alone."""
    found = await account(ASSETS)
    assert (found.asset, found.wallet_balance, found.unrealized_pnl) == ("USDT", Decimal("6.19300826"), 0)
    assert found.available_balance == found.total_margin_balance == Decimal("6.19299777")


async def test_what_is_available_is_the_margin_that_is_not_in_use() -> None:
    usdt = ASSETS["assets"][0] | {"equity": "4847952.35", "balance": "4858068.90"}
    found = await account(ACCOUNT | {"assets": [usdt]})
    assert (found.wallet_balance, found.unrealized_pnl) == (Decimal("4858068.90"), Decimal("-10116.55"))
    assert (found.initial_margin, found.maintenance_margin) == (Decimal("17795.97"), Decimal("408.08"))
    assert found.available_balance == Decimal("4847952.35") - Decimal("17795.97")
    assert (await account(ACCOUNT | {"imr": "9999999", "assets": [usdt]})).available_balance == 0


async def test_what_spot_orders_lock_is_no_profit() -> None:
    usdt = ASSETS["assets"][0] | {"equity": "107.5", "balance": "80", "locked": "20", "available": "87.5"}
    found = await account(ASSETS | {"assets": [usdt]})
    assert (found.wallet_balance, found.unrealized_pnl) == (100, Decimal("7.5"))


async def test_an_account_without_the_margin_asset_has_none_of_it() -> None:
    found = await account(ACCOUNT | {"assets": ACCOUNT["coin"]})
    assert (found.wallet_balance, found.unrealized_pnl) == (0, 0)
    assert found.total_margin_balance == Decimal("4847952.35")


@pytest.mark.parametrize("missing", ["effEquity", "imr", "mmr"])
async def test_an_account_that_lacks_a_sum_is_no_account(missing: str) -> None:
    with pytest.raises(RowError, match=missing):
        await account({name: value for name, value in ASSETS.items() if name != missing})


async def warnings(**info: Any) -> list[str]:
    venue, _ = await unified(**{f"{_GET}AccountInfo": info})
    return await venue.key_warnings()


@pytest.mark.parametrize("access", ["read-only", "read_only"])
async def test_a_key_that_may_only_read_is_refused_whatever_it_lists(access: str) -> None:
    with pytest.raises(PermissionDenied, match="may not place futures orders"):
        await warnings(permType=access, permissions=["uta_mgt", "uta_trade"])
    with pytest.raises(PermissionDenied, match="may not place futures orders"):
        await warnings(permType="read_and_write", permissions=["uta_mgt"])


async def test_a_key_that_may_withdraw_is_warned_of() -> None:
    rights = ["uta_mgt", "uta_trade"]
    assert await warnings(permType="read-and-write", permissions=rights) == []
    assert await warnings(permType="read-and-write", permissions=[*rights, "withdraw"]) == [WITHDRAWAL_WARNING]
    assert await warnings(permType=None, permissions=None) == []


# Frames


async def test_an_order_of_the_stream_keeps_the_side_on_which_it_trades() -> None:
    (update,) = await parsed(frame("order", ORDER))
    assert isinstance(update, OrderUpdate)
    order = update.order
    assert (order.side, order.position_side, order.status) == (Side.BUY, PositionSide.LONG, OrderStatus.FILLED)
    assert (order.order_type, order.price, order.filled_quantity) == (OrderType.MARKET, None, Decimal("0.001"))
    assert (order.average_price, order.event_time_ms) == (Decimal("83131.5"), 1742367838115)
    (update,) = await parsed(frame("order", ORDER | {"side": "sell", "tradeSide": "close"}))
    assert (update.order.side, update.order.position_side) == (Side.SELL, PositionSide.LONG)


async def test_a_fee_that_was_paid_is_above_zero() -> None:
    """In the classic account's rows it is below zero."""
    (fill,) = await parsed(frame("fill", TRADE))
    assert isinstance(fill, Fill)
    assert (fill.trade_id, fill.fee, fill.fee_asset) == ("1111111112", Decimal("0.569958"), "USDT")
    assert (fill.price, fill.quantity, fill.is_maker) == (94993, Decimal("0.01"), False)
    assert (fill.position_side, fill.event_time_ms) == (PositionSide.LONG, 1736378720623)
    (fill,) = await parsed(frame("fill", TRADE), PositionMode.ONE_WAY)
    assert fill.position_side is PositionSide.BOTH


async def test_a_position_that_ended_is_flat() -> None:
    (position,) = await parsed(frame("position", ENDED))
    assert (position.quantity, position.entry_price, position.position_side) == (0, 0, PositionSide.LONG)
    assert position.liquidation_price is None


async def test_of_a_position_that_turned_over_the_one_that_is_held_counts_last() -> None:
    """In one-way mode the position that ended and the one that began are the same."""
    ended = ENDED | {"holdMode": "one_way_mode"}
    began = ended | {"posSide": "short", "size": "0.002", "avgPrice": "94000", "positionStatus": "normal"}
    for rows in ((ended, began), (began, ended)):
        found = await parsed(frame("position", *rows), PositionMode.ONE_WAY)
        assert [position.quantity for position in found] == [0, Decimal("-0.002")]


@pytest.mark.parametrize("topic", ["order", "fill", "position"])
@pytest.mark.parametrize("category", ["spot", "margin", "COIN-FUTURES", "usdc-futures"])
async def test_rows_of_other_products_are_none_of_ours(topic: str, category: str) -> None:
    rows = {"order": ORDER, "fill": TRADE, "position": ENDED}
    venue, _ = await unified()
    assert list(venue.parse(frame(topic, rows[topic] | {"category": category})) or ()) == []
    assert not venue.set_aside.hides(topic, "BTCUSDT")


async def test_a_position_of_another_margin_asset_is_none_of_ours() -> None:
    """A position of the stream has no category."""
    venue, _ = await unified()
    ours = ENDED | {"marginCoin": "USDC", "symbol": "BTCPERP"}
    assert list(venue.parse(frame("position", ours)) or ()) == []
    assert not venue.unknown_events


async def test_a_frame_of_the_account_asks_for_a_query() -> None:
    assert await parsed(frame("account", ACCOUNT)) == [BalancePending()]


async def test_a_bad_row_hides_no_other() -> None:
    bad = ORDER | {"orderId": "2", "orderStatus": "dreaming"}
    (update,) = await parsed(frame("order", bad, ORDER))
    assert update.order.order_id == "1111111111"


async def test_the_stream_is_ready_when_all_four_topics_are_acknowledged() -> None:
    venue, _ = await unified()
    parser = UnifiedParser(venue, venue.remember_side)
    parser.acks.expect_all()
    acks = [{"event": "subscribe", "arg": {"instType": "UTA", "topic": topic}} for topic in TOPICS]
    found = [list(parser.parse(ack) or ()) for ack in acks]
    assert found[:3] == [[], [], []]
    assert found[3] == [StreamReady()]


# Orders


def order_params(**changes: str) -> dict[str, str]:
    return {
        "category": "USDT-FUTURES",
        "symbol": "BTCUSDT",
        "qty": "0.010",
        "side": "buy",
        "orderType": "limit",
        "marginMode": "crossed",
        "clientOid": "mine1",
        "price": "20000.10",
        "timeInForce": "gtc",
    } | changes


@pytest.mark.parametrize(
    ("mode", "asked", "params"),
    [
        (PositionMode.ONE_WAY, request(), order_params()),
        (PositionMode.ONE_WAY, request(Side.SELL, reduce_only=True), order_params(side="sell", reduceOnly="yes")),
        (
            PositionMode.HEDGE,
            request(Side.SELL, reduce_only=True, position_side=PositionSide.LONG),
            order_params(side="sell", posSide="long"),
        ),
        (
            PositionMode.HEDGE,
            request(Side.SELL, position_side=PositionSide.SHORT),
            order_params(side="sell", posSide="short"),
        ),
    ],
)
async def test_an_order_names_the_side_on_which_it_trades(
    mode: PositionMode, asked: OrderRequest, params: dict[str, str]
) -> None:
    venue, rest = await unified(mode, **{f"{_POST}TradePlaceOrder": {"orderId": "1111111111", "clientOid": "mine1"}})
    order = await venue.place(asked)
    assert rest.sent(f"{_POST}TradePlaceOrder") == [params]
    assert (order.order_id, order.status) == ("1111111111", OrderStatus.OPEN)


async def test_a_cancel_is_queried_for_its_result() -> None:
    canceled = QUERIED_ORDER | {"orderStatus": "cancelled", "cancelReason": "normal_cancel"}
    venue, rest = await unified(
        PositionMode.ONE_WAY,
        **{f"{_POST}TradeCancelOrder": {"orderId": "1111111111"}, f"{_GET}TradeOrderInfo": canceled},
    )
    order = await venue.cancel(OrderRef(symbol="BTCUSDT", client_order_id="mine1"))
    assert (order.status, order.reason, order.price) == (OrderStatus.CANCELED, "normal_cancel", 20000)
    assert rest.sent(f"{_POST}TradeCancelOrder") == rest.sent(f"{_GET}TradeOrderInfo") == [{"clientOid": "mine1"}]


async def test_an_order_of_another_symbol_is_not_found() -> None:
    """The venue finds it by its id alone, so a cancel under another symbol is preceded by a query."""
    venue, _ = await unified(PositionMode.ONE_WAY, **{f"{_GET}TradeOrderInfo": QUERIED_ORDER})
    assert venue.cancels_by_id_alone
    assert (await venue.order(OrderRef(symbol="BTCUSDT", order_id="1111111111"))).client_order_id == "mine1"
    with pytest.raises(OrderNotFound):
        await venue.order(OrderRef(symbol="ETHUSDT", order_id="1111111111"))


async def test_open_orders_are_read_page_by_page_and_oldest_first() -> None:
    newest_first = [QUERIED_ORDER | {"orderId": str(number), "clientOid": ""} for number in range(150, 0, -1)]
    pages = [{"list": newest_first[:100], "cursor": "51"}, {"list": newest_first[100:], "cursor": "1"}]
    venue, rest = await unified(PositionMode.ONE_WAY, **{f"{_GET}TradeUnfilledOrders": pages})
    found = await venue.open_orders("BTCUSDT")
    assert [order.order_id for order in found] == [str(number) for number in range(1, 151)]
    assert [params.get("cursor") for params in rest.sent(f"{_GET}TradeUnfilledOrders")] == [None, "51"]


async def test_trades_are_read_a_month_at_a_time_and_those_of_other_symbols_left_out() -> None:
    other = QUERIED_TRADE | {"symbol": "ETHUSDT", "execId": "9"}
    spot = QUERIED_TRADE | {"category": "SPOT", "execId": "8"}
    first = {"list": [QUERIED_TRADE, other, spot], "cursor": "1111111112"}
    later = {"list": [QUERIED_TRADE | {"execId": "1111111113"}, QUERIED_TRADE], "cursor": "1111111112"}
    venue, rest = await unified(PositionMode.ONE_WAY, **{f"{_GET}TradeFills": [first, later]})
    now_ms = 1751020520451 + 10 * 86_400_000
    venue.observe_market_time(now_ms)
    since_ms = now_ms - 40 * 86_400_000
    found = await venue.fills("BTCUSDT", since_ms)
    assert [fill.trade_id for fill in found] == ["1111111112", "1111111113"]
    assert (found[0].side, found[0].fee, found[0].realized_pnl) == (
        Side.SELL,
        Decimal("0.00642032"),
        Decimal("0.00017"),
    )
    windows = [(int(each["startTime"]), int(each["endTime"])) for each in rest.sent(f"{_GET}TradeFills")]
    assert windows[0][0] == since_ms
    assert windows[1][1] >= now_ms
    assert all(end - start <= 30 * 86_400_000 for start, end in windows)


async def test_a_trade_of_a_query_takes_its_position_from_its_order() -> None:
    venue, _ = await unified(**{f"{_GET}TradeFills": {"list": [QUERIED_TRADE], "cursor": ""}})
    list(venue.parse(frame("order", ORDER | {"side": "sell", "tradeSide": "close"})) or ())
    (fill,) = await venue.fills("BTCUSDT", 0)
    assert (fill.side, fill.position_side) == (Side.SELL, PositionSide.LONG)


@pytest.mark.parametrize(
    ("side", "trade_side", "position_side"),
    [
        ("buy", "open", PositionSide.LONG),
        ("sell", "close", PositionSide.LONG),
        ("sell", "open", PositionSide.SHORT),
        ("buy", "close", PositionSide.SHORT),
        ("sell", "burst_close_long", PositionSide.LONG),
        ("buy", "dte_sys_adl_close_short", PositionSide.SHORT),
    ],
)
async def test_the_position_of_a_trade_follows_from_what_it_did(
    side: str, trade_side: str, position_side: PositionSide
) -> None:
    """After a restart the orders of older trades are not remembered."""
    row = QUERIED_TRADE | {"side": side, "tradeSide": trade_side}
    venue, _ = await unified(**{f"{_GET}TradeFills": {"list": [row], "cursor": ""}})
    (fill,) = await venue.fills("BTCUSDT", 0)
    assert (fill.side.value.lower(), fill.position_side) == (side, position_side)


async def test_a_side_without_a_position_is_flat() -> None:
    venue, _ = await unified(**{f"{_GET}PositionCurrentPosition": {"list": [POSITION]}})
    held, flat = await venue.positions("BTCUSDT")
    assert (held.quantity, held.entry_price, held.liquidation_price) == (Decimal("0.001"), Decimal("107410.3"), None)
    assert (flat.position_side, flat.quantity, flat.leverage) == (PositionSide.SHORT, 0, 20)


async def test_no_positions_at_all_are_none() -> None:
    venue, _ = await unified(PositionMode.ONE_WAY, **{f"{_GET}PositionCurrentPosition": {"list": None}})
    assert await venue.positions() == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("25000", errors.OutcomeUnknown),
        ("25001", errors.OutcomeUnknown),
        ("25004", errors.RateLimited),
        ("25100", errors.UnknownSymbol),
        ("25107", errors.PositionModeMismatch),
        ("25202", errors.InsufficientMargin),
        ("25204", errors.OrderNotFound),
        ("24056", errors.OrderNotFound),
        ("25207", errors.OrderRejected),
        ("25212", errors.DuplicateOrder),
        ("25227", errors.ReduceOnlyRefused),
        ("25245", errors.Unsupported),
        ("25620", errors.PermissionDenied),
        ("40762", errors.InsufficientMargin),
    ],
)
def test_a_refusal_says_what_to_do(code: str, kind: type[ExchangeError]) -> None:
    """F2: after a time-out of the venue's engine an order may have been placed."""
    assert BitgetAdapter.codes[code] is kind


async def test_every_fee_of_a_trade_is_read_and_one_without_is_queried() -> None:
    """A fee that is not known is no fee of zero."""
    details = [{"feeCoin": "USDT", "fee": "0"}, {"feeCoin": "BGB", "fee": "0.5"}, {"feeCoin": "BTC", "fee": "0.1"}]
    (fill,) = await parsed(frame("fill", TRADE | {"feeDetail": details}))
    assert isinstance(fill, Fill)
    assert (fill.fee, fill.fee_asset, fill.other_fees) == (Decimal("0.5"), "BGB", (Fee("BTC", Decimal("0.1")),))
    for missing in ([], [{"feeCoin": "", "fee": ""}]):
        assert await parsed(frame("fill", TRADE | {"feeDetail": missing})) == [FillsPending("BTCUSDT")]
    venue, _ = await unified(**{f"{_GET}TradeFills": {"list": [QUERIED_TRADE | {"feeDetail": []}], "cursor": ""}})
    assert await venue.fills("BTCUSDT", 0) == []
    assert [row.kind for row in venue.set_aside.rows("fill")] == ["fill"]


@pytest.mark.parametrize(
    ("trade_side", "kind"),
    [
        ("open", FillKind.TRADE),
        ("burst_close_long", FillKind.LIQUIDATION),
        ("reduce_close_long", FillKind.LIQUIDATION),
        ("dte_sys_adl_close_long", FillKind.ADL),
        ("delivery_close_long", FillKind.DELIVERY),
    ],
)
async def test_a_trade_says_why_it_was_made(trade_side: str, kind: FillKind) -> None:
    (fill,) = await parsed(frame("fill", TRADE | {"tradeSide": trade_side}))
    assert isinstance(fill, Fill)
    assert fill.kind is kind


@pytest.mark.parametrize(
    ("fields", "closed_by", "close_reason"),
    [
        ({"cancelReason": "normal_cancel", "timeInForce": "gtc"}, ClosedBy.OWNER, CloseReason.REQUESTED),
        ({"cancelReason": "normal_cancel", "timeInForce": "ioc"}, ClosedBy.VENUE, CloseReason.TIME_IN_FORCE),
        ({"cancelReason": "normal_cancel", "timeInForce": "post_only"}, None, None),
        ({"cancelReason": "stp_cancel", "timeInForce": "gtc"}, ClosedBy.VENUE, CloseReason.SELF_TRADE),
        ({"cancelReason": "ioc_not_full_cancel", "timeInForce": "ioc"}, ClosedBy.VENUE, CloseReason.TIME_IN_FORCE),
        ({"cancelReason": "post_only_fill_cancel", "timeInForce": "post_only"}, ClosedBy.VENUE, CloseReason.POST_ONLY),
        ({"cancelReason": "burst_cancel", "timeInForce": "gtc"}, ClosedBy.VENUE, CloseReason.LIQUIDATION),
        ({"cancelReason": "adl_cancel", "timeInForce": "gtc"}, ClosedBy.VENUE, CloseReason.ADL),
        ({"cancelReason": "delivery_order_cancel", "timeInForce": "gtc"}, ClosedBy.VENUE, CloseReason.SYMBOL_CLOSED),
        ({"cancelReason": "modify_limit_order", "timeInForce": "gtc"}, ClosedBy.OWNER, CloseReason.REQUESTED),
        ({"cancelReason": "call_auction_cancel", "timeInForce": "gtc"}, ClosedBy.VENUE, CloseReason.OTHER),
        ({"cancelReason": "", "timeInForce": "gtc"}, None, None),
    ],
)
async def test_an_order_says_who_ended_it(
    fields: dict[str, str], closed_by: ClosedBy | None, close_reason: CloseReason | None
) -> None:
    row = ORDER | {"orderStatus": "cancelled", "orderType": "limit", "price": "83131.5", "cumExecQty": "0"} | fields
    (update,) = await parsed(frame("order", row))
    assert isinstance(update, OrderUpdate)
    assert (update.order.closed_by, update.order.close_reason) == (closed_by, close_reason)
    assert update.order.status is (OrderStatus.EXPIRED if closed_by is ClosedBy.VENUE else OrderStatus.CANCELED)
