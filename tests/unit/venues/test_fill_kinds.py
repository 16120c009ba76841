"""What the venue did to a position of itself, over whole adapters: each fill is published as what it is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.account import PositionMode
from opensqt.model.order import FillKind, OrderRef, OrderStatus, PositionSide, Side
from tests.unit.venues.account_rig import AccountRig
from tests.unit.venues.binance import test_parse as binance
from tests.unit.venues.bitget import test_parse as bitget
from tests.unit.venues.bybit import test_parse as bybit
from tests.unit.venues.gate import test_parse as gate
from tests.unit.venues.okx import test_parse as okx
from tests.unit.venues.test_fees import BINANCE_TRADE, BITGET_TRADE, OKX_TRADE, update


def binance_order(**changes: Any) -> dict[str, Any]:
    return binance.TRADE | {"o": binance.TRADE["o"] | changes}


BY_CLIENT_ID = [
    ("autoclose-1724133733000000001", FillKind.LIQUIDATION),
    ("adl_autoclose", FillKind.ADL),
    ("settlement_autoclose-1724133733", FillKind.SETTLEMENT),
    ("delivery_autoclose-1724133733", FillKind.DELIVERY),
    ("mine1", FillKind.TRADE),
    ("x-myautoclose-", FillKind.TRADE),
]


@pytest.mark.parametrize(("client_id", "kind"), BY_CLIENT_ID)
async def test_binance_names_the_cause_in_the_client_order_id(client_id: str, kind: FillKind) -> None:
    """https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams/Event-Order-Update."""
    rig = await AccountRig("binance").start()
    frame = binance_order(c=client_id, o="LIMIT" if kind is FillKind.TRADE else "LIQUIDATION", f="IOC")
    (fill,) = await rig.fills(frame)
    assert fill.kind is kind


async def test_binance_execution_of_a_liquidation_is_one_whatever_its_id() -> None:
    rig = await AccountRig("binance").start()
    (fill,) = await rig.fills(binance_order(x="CALCULATED", c="web_1"))
    assert fill.kind is FillKind.LIQUIDATION


@pytest.mark.parametrize(("client_id", "kind"), BY_CLIENT_ID)
async def test_binance_fill_that_only_a_query_finds_has_the_cause_of_its_order(client_id: str, kind: FillKind) -> None:
    """A row of the list of trades has no client order id."""
    rig = await AccountRig("binance").start()
    rig.answers.trades = [BINANCE_TRADE]
    rig.answers.orders = [
        {
            "orderId": 8886774, "symbol": "BTCUSDT", "status": "FILLED", "clientOrderId": client_id, "price": "0",
            "avgPrice": "9910.10", "origQty": "0.001", "executedQty": "0.001", "timeInForce": "IOC", "type": "MARKET",
            "reduceOnly": True, "side": "SELL", "positionSide": "BOTH", "updateTime": 1568879465651,
        }
    ]  # fmt: skip
    await rig.state.query_fills("BTCUSDT")
    (published,) = await rig.published()
    assert published.fill is not None
    assert published.fill.kind is kind
    (listed,) = await rig.queries.fills("BTCUSDT", 1)
    assert (listed.kind, listed.client_order_id) == (kind, client_id)


OKX_CAUSES = [
    ("normal", "2", FillKind.TRADE),
    ("twap", "1", FillKind.TRADE),
    ("full_liquidation", "104", FillKind.LIQUIDATION),
    ("partial_liquidation", "100", FillKind.LIQUIDATION),
    ("adl", "125", FillKind.ADL),
    ("delivery", "112", FillKind.DELIVERY),
]


@pytest.mark.parametrize(("category", "sub_type", "kind"), OKX_CAUSES)
async def test_okx_tells_the_cause_by_category_and_by_sub_type(category: str, sub_type: str, kind: FillKind) -> None:
    """The orders channel has the category of the order, the list of trades a type of its own."""
    rig = await AccountRig("okx").start()
    (fill,) = await rig.fills({"arg": {"channel": "orders"}, "data": [okx.ORDER | {"category": category}]})
    rig.answers.trades = [OKX_TRADE | {"subType": sub_type}]
    (queried,) = await rig.venue.fills("BTCUSDT", 0)
    assert (fill.kind, queried.kind) == (kind, kind)


@pytest.mark.parametrize(("sub_type", "kind"), [("204", FillKind.BLOCK_TRADE), ("270", FillKind.SPREAD)])
async def test_okx_block_and_spread_trades_are_told_by_their_type(sub_type: str, kind: FillKind) -> None:
    rig = await AccountRig("okx").start()
    rig.answers.trades = [OKX_TRADE | {"subType": sub_type}]
    (queried,) = await rig.venue.fills("BTCUSDT", 0)
    assert queried.kind is kind


GATE_CAUSES = [
    ("t-my1", FillKind.TRADE),
    ("web", FillKind.TRADE),
    ("t-liq-mine", FillKind.TRADE),
    ("auto_deleveraging", FillKind.ADL),
    ("liquidation", FillKind.LIQUIDATION),
    ("liq-100000", FillKind.LIQUIDATION),
    ("hedge-liq-100000", FillKind.LIQUIDATION),
    ("pm_liquidate", FillKind.LIQUIDATION),
    ("comb_margin_liquidate", FillKind.LIQUIDATION),
    ("scm_liquidate", FillKind.LIQUIDATION),
    ("insurance", FillKind.INSURANCE),
    ("clear", FillKind.SETTLEMENT),
]


@pytest.mark.parametrize(("text", "kind"), GATE_CAUSES)
async def test_gate_tells_the_cause_in_the_text_of_the_order(text: str, kind: FillKind) -> None:
    """https://www.gate.com/docs/developers/futures/ws/en/#user-trades-notification."""
    rig = await AccountRig("gate").start()
    row = gate.TRADE | {"text": text}
    rig.answers.trades = [row]
    order = update(gate.ORDER | {"id": row["order_id"], "text": text}, "futures.orders")
    (fill,) = await rig.fills(order, update(row))
    (queried,) = await rig.venue.fills("BTCUSDT", 0)
    assert (fill.kind, queried.kind) == (kind, kind)


BITGET_CAUSES = [
    ("sell_single", FillKind.TRADE),
    ("reduce_sell_single", FillKind.LIQUIDATION),
    ("burst_sell_single", FillKind.LIQUIDATION),
    ("delivery_sell_single", FillKind.DELIVERY),
    ("dte_sys_adl_sell_in_single_side_mode", FillKind.ADL),
]


@pytest.mark.parametrize(("trade_side", "kind"), BITGET_CAUSES)
async def test_bitget_tells_the_cause_in_the_trade_side(trade_side: str, kind: FillKind) -> None:
    """https://www.bitget.com/api-doc/contract/trade/Get-Order-Fills."""
    rig = await AccountRig("bitget").start()
    (fill,) = await rig.fills(bitget.frame("orders", bitget.ORDER | {"tradeSide": trade_side}))
    rig.answers.trades = [BITGET_TRADE | {"tradeSide": trade_side}]
    (queried,) = await rig.venue.fills("BTCUSDT", 0)
    assert (fill.kind, queried.kind, fill.side, queried.side) == (kind, kind, Side.SELL, Side.SELL)


async def test_bitget_order_that_risk_control_placed_is_a_liquidation() -> None:
    rig = await AccountRig("bitget").start()
    (fill,) = await rig.fills(bitget.frame("orders", bitget.ORDER | {"orderSource": "liquidation"}))
    assert fill.kind is FillKind.LIQUIDATION


HEDGE = [
    ("long", "open", "buy", Side.BUY),
    ("long", "close", "buy", Side.SELL),
    ("short", "open", "sell", Side.SELL),
    ("short", "close", "sell", Side.BUY),
    ("long", "burst_close_long", "sell", Side.SELL),
    ("short", "burst_close_short", "buy", Side.BUY),
    ("long", "reduce_close_long", "buy", Side.SELL),
    ("short", "dte_sys_adl_close_short", "sell", Side.BUY),
    ("long", "offset_close_long", "sell", Side.SELL),
]


@pytest.mark.parametrize(("held", "trade_side", "said", "side"), HEDGE)
async def test_bitget_hedge_fill_of_a_query_is_the_one_of_the_stream(
    held: str, trade_side: str, said: str, side: Side
) -> None:
    """F12, F20: a close of the long position is a sale, though its row says buy, as the side is the position's."""
    hedged = {"posMode": "hedge_mode", "posSide": held, "tradeSide": trade_side, "side": said}
    rig = await AccountRig("bitget", PositionMode.HEDGE).start()
    (streamed,) = await rig.fills(bitget.frame("orders", bitget.ORDER | hedged))
    after_restart = await AccountRig("bitget", PositionMode.HEDGE).start()
    after_restart.answers.trades = [
        BITGET_TRADE | {"posMode": "hedge_mode", "tradeSide": trade_side, "side": said, "profit": "1.25"}
    ]
    (queried,) = await after_restart.venue.fills("BTCUSDT", 0)
    facts = [
        (one.side, one.position_side, one.quantity, one.kind, one.trade_id, one.realized_pnl)
        for one in (streamed, queried)
    ]
    assert facts[0] == facts[1]
    assert facts[0][:2] == (side, PositionSide(held.upper()))


@pytest.mark.parametrize("said", ["buy", "sell"])
async def test_bitget_close_of_an_order_from_before_the_start_takes_its_position_from_the_order(said: str) -> None:
    """F12: sources contradict each other on what the side of such a row is; an order names its position."""
    row = BITGET_TRADE | {"posMode": "hedge_mode", "tradeSide": "close", "side": said}
    rig = await AccountRig("bitget", PositionMode.HEDGE).start()
    rig.answers.trades = [row]
    rig.answers.orders = [
        {
            "symbol": "BTCUSDT", "size": "0.03", "orderId": row["orderId"], "clientOid": "mine1", "side": said,
            "baseVolume": "0.01", "priceAvg": "27000.5", "price": "27000.5", "status": "filled", "force": "gtc",
            "orderType": "limit", "posSide": "short", "posMode": "hedge_mode", "tradeSide": "close",
            "reduceOnly": "YES", "uTime": "1695718781146", "cTime": "1695718781129",
        }
    ]  # fmt: skip
    (queried,) = await rig.venue.fills("BTCUSDT", 0)
    assert (queried.side, queried.position_side) == (Side.BUY, PositionSide.SHORT)
    asked = list(rig.answers.asked)
    await rig.venue.fills("BTCUSDT", 0)
    assert rig.answers.asked == [*asked, "privateMixGetV2MixOrderFills"], "the orders are listed once"


BYBIT_CAUSES = [
    ("AdlTrade", FillKind.ADL),
    ("BustTrade", FillKind.LIQUIDATION),
    ("Settle", FillKind.SETTLEMENT),
    ("Delivery", FillKind.DELIVERY),
    ("BlockTrade", FillKind.BLOCK_TRADE),
    ("MovePosition", FillKind.POSITION_TRANSFER),
    ("FutureSpread", FillKind.SPREAD),
]


@pytest.mark.parametrize(("kind_text", "kind"), BYBIT_CAUSES)
@pytest.mark.parametrize("order_id", ["", "f6e324ff-99c2-4e89-9739-3086e47f9381"])
async def test_bybit_execution_that_moves_a_position_is_a_fill_though_no_order_is_known(
    kind_text: str, kind: FillKind, order_id: str
) -> None:
    """F10: the venue made it, with an order that it does not show, or with none."""
    row = bybit.EXECUTION | {"execType": kind_text, "orderId": order_id, "orderLinkId": "", "isMaker": False}
    rig = await AccountRig("bybit").start()
    rig.answers.trades = [row]
    (published,) = await rig.feed(bybit.frame("execution.linear", row))
    order, fill = published.order, published.fill
    assert fill is not None
    assert (fill.kind, fill.side, fill.quantity, fill.realized_pnl) == (kind, Side.SELL, 25, Decimal("1.5"))
    assert (order.status, order.filled_quantity, order.quantity) == (OrderStatus.FILLED, 25, 25)
    assert order.reason == f"made by the venue, without an order: {kind}"
    assert await rig.feed(bybit.frame("execution.linear", row)) == [], "told once"
    assert not rig.venue.set_aside
    named = OrderRef(symbol="BTCUSDT", order_id=fill.order_id)
    assert (await rig.queries.order(named)).order_id == fill.order_id == (order_id or row["execId"])


async def test_bybit_two_executions_of_an_order_that_is_not_known_are_one_order() -> None:
    first = bybit.EXECUTION | {"execType": "BlockTrade", "execId": "a", "execTime": "1672364174443"}
    second = first | {"execId": "b", "execTime": "1672364174500"}
    rig = await AccountRig("bybit").start()
    rig.answers.trades = [second, first]
    updates = await rig.feed(bybit.frame("execution.linear", first, second))
    assert [update.fill.trade_id for update in updates if update.fill] == ["a", "b"]
    last = updates[-1].order
    assert (last.filled_quantity, last.quantity, last.remaining_quantity) == (50, 50, 0)


async def test_bybit_order_of_a_liquidation_that_the_stream_shows_has_the_fill() -> None:
    """The order's own row comes first, as it mostly does: no query is made."""
    row = bybit.EXECUTION | {"execType": "BustTrade", "orderLinkId": ""}
    order = bybit.ORDER | {"orderId": row["orderId"], "createType": "CreateByTakeOver_PassThrough", "orderLinkId": ""}
    rig = await AccountRig("bybit").start()
    asked = len(rig.answers.asked)
    (fill,) = await rig.fills(bybit.frame("order.linear", order), bybit.frame("execution.linear", row))
    assert (fill.kind, len(rig.answers.asked)) == (FillKind.LIQUIDATION, asked)


@pytest.mark.parametrize("kind_text", ["Funding", "SessionSettlePnL", "Dividend"])
async def test_bybit_execution_that_moves_only_money_is_no_fill(kind_text: str) -> None:
    row = bybit.EXECUTION | {"execType": kind_text}
    rig = await AccountRig("bybit").start()
    rig.answers.trades = [row]
    assert await rig.feed(bybit.frame("execution.linear", row)) == []
    assert await rig.venue.fills("BTCUSDT", 0) == []
    assert not rig.venue.set_aside


async def test_an_execution_of_a_new_type_is_set_aside() -> None:
    """F25: whether it moves a position is not known, so it is neither counted nor hidden."""
    rig = await AccountRig("bybit").start()
    assert await rig.feed(bybit.frame("execution.linear", bybit.EXECUTION | {"execType": "NewTrade"})) == []
    assert "execType 'NewTrade': expected one of Trade" in rig.venue.set_aside.text()
