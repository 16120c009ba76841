"""Fees in other assets, and fees that a frame leaves out, over whole adapters: none is ever published as 0."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.order import Fee, Fill
from tests.unit.venues.account_rig import AccountRig
from tests.unit.venues.binance import test_parse as binance
from tests.unit.venues.bitget import test_parse as bitget
from tests.unit.venues.bybit import test_parse as bybit
from tests.unit.venues.gate import test_parse as gate
from tests.unit.venues.okx import test_parse as okx

BINANCE_TRADE = {
    "symbol": "BTCUSDT", "id": 77, "orderId": 8886774, "side": "SELL", "price": "9910.10", "qty": "0.001",
    "realizedPnl": "1.25", "quoteQty": "9.91010", "commission": "0.00003", "commissionAsset": "BNB",
    "time": 1568879465650, "positionSide": "BOTH", "buyer": False, "maker": True,
}  # fmt: skip
BITGET_TRADE = bitget.TRADE | {
    "tradeId": "1111111112", "orderId": "1111111111", "price": "27000.5", "baseVolume": "0.01", "side": "sell",
    "tradeSide": "sell_single", "posMode": "one_way_mode", "tradeScope": "maker", "cTime": "1695718781146",
}  # fmt: skip
OKX_TRADE = {
    "instType": "SWAP", "instId": "BTC-USDT-SWAP", "tradeId": "242720720", "ordId": "312269865356374016",
    "clOrdId": "b1", "billId": "1", "subType": "2", "tag": "", "fillPx": "999.5", "fillSz": "1", "fillPnl": "0.25",
    "side": "sell", "posSide": "net", "execType": "M", "feeCcy": "USDT", "fee": "-0.0050", "ts": "1597026383085",
    "fillTime": "1597026383084",
}  # fmt: skip


def bitget_fee(*rows: dict[str, Any]) -> dict[str, Any]:
    return BITGET_TRADE | {"feeDetail": list(rows)}


def update(row: dict[str, Any], channel: str = "futures.usertrades") -> dict[str, Any]:
    return gate.update(channel, [row])


GATE_ORDER = update(gate.ORDER | {"id": "4872460"}, "futures.orders")


async def only_fill(rig: AccountRig, *frames: dict[str, Any]) -> Fill:
    (fill,) = await rig.fills(*frames)
    return fill


@pytest.mark.parametrize(("asset", "paid"), [("BNB", "0.00003"), ("BNFCR", "0.0021")])
async def test_binance_fee_in_another_asset_is_published_in_it(asset: str, paid: str) -> None:
    rig = await AccountRig("binance").start()
    fill = await only_fill(rig, binance.TRADE | {"o": binance.TRADE["o"] | {"n": paid, "N": asset}})
    assert (fill.fee, fill.fee_asset, fill.fees) == (Decimal(paid), asset, {asset: Decimal(paid)})


@pytest.mark.parametrize("missing", [("n", "N"), ("n",), ("N",)])
async def test_binance_trade_without_a_fee_is_queried(missing: tuple[str, ...]) -> None:
    """The venue leaves both fields out where nothing was paid; the list of trades shows whether that is so."""
    rig = await AccountRig("binance").start()
    rig.answers.trades = [BINANCE_TRADE]
    row = {name: value for name, value in binance.TRADE["o"].items() if name not in missing}
    updates = await rig.feed(binance.TRADE | {"o": row})
    assert updates[0].order.filled_quantity == Decimal("0.001")
    (fill,) = [one.fill for one in updates if one.fill is not None]
    assert (fill.fee, fill.fee_asset, fill.trade_id) == (Decimal("0.00003"), "BNB", "77")


async def test_binance_trade_that_cost_nothing_has_a_fee_of_zero() -> None:
    """The list of trades has the last word: it names the fee even where there is none."""
    rig = await AccountRig("binance").start()
    rig.answers.trades = [BINANCE_TRADE | {"commission": "0", "commissionAsset": "USDT"}]
    row = {name: value for name, value in binance.TRADE["o"].items() if name not in ("n", "N")}
    fill = await only_fill(rig, binance.TRADE | {"o": row})
    assert (fill.fee, fill.fee_asset) == (0, "USDT")


@pytest.mark.parametrize("fee", [None, "", "0", "-0.00000000"])
async def test_bitget_fee_that_was_deducted_in_another_coin_is_queried(fee: str | None) -> None:
    """A deduction in BGB leaves nothing to pay in USDT, and a frame only has that nothing."""
    rig = await AccountRig("bitget").start()
    deducted = {"deduction": "yes", "feeCoin": "BGB", "totalDeductionFee": "-0.017118519726", "totalFee": "0"}
    rig.answers.trades = [bitget_fee(deducted)]
    fill = await only_fill(rig, bitget.frame("orders", bitget.ORDER | {"fillFee": fee}))
    assert (fill.fee, fill.fee_asset) == (Decimal("0.017118519726"), "BGB")


async def test_bitget_deduction_that_is_told_twice_counts_once() -> None:
    """The two amounts of a row are one: https://www.bitget.com/api-doc/contract/trade/Get-Order-Fills."""
    rig = await AccountRig("bitget").start()
    deducted = {"deduction": "yes", "feeCoin": "BGB", "totalDeductionFee": "-0.02", "totalFee": "-0.02"}
    rig.answers.trades = [bitget_fee(deducted)]
    fill = await only_fill(rig, bitget.frame("orders", bitget.ORDER | {"fillFee": "0"}))
    assert fill.fees == {"BGB": Decimal("0.02")}


async def test_bitget_fee_in_two_coins_is_told_in_both() -> None:
    """The coin of the deduction may run out in the middle of a trade."""
    rig = await AccountRig("bitget").start()
    rest = {"deduction": "no", "feeCoin": "USDT", "totalDeductionFee": "0", "totalFee": "-0.05"}
    deducted = {"deduction": "yes", "feeCoin": "BGB", "totalDeductionFee": "-0.02", "totalFee": "-0.02"}
    rig.answers.trades = [bitget_fee(deducted, rest)]
    fill = await only_fill(rig, bitget.frame("orders", bitget.ORDER | {"fillFee": ""}))
    assert (fill.fee, fill.fee_asset, fill.other_fees) == (Decimal("0.02"), "BGB", (Fee("USDT", Decimal("0.05")),))


async def test_bitget_trade_whose_list_has_no_fee_is_set_aside() -> None:
    rig = await AccountRig("bitget").start()
    rig.answers.trades = [bitget_fee()]
    assert await rig.fills(bitget.frame("orders", bitget.ORDER | {"fillFee": ""})) == []
    assert "feeDetail: expected a fee" in rig.venue.set_aside.text()


@pytest.mark.parametrize("asset", ["MNT", "USDC"])
async def test_bybit_fee_has_the_currency_of_its_execution(asset: str) -> None:
    rig = await AccountRig("bybit").start()
    row = bybit.EXECUTION | {"feeCurrency": asset}
    order = bybit.frame("order.linear", bybit.ORDER | {"orderId": row["orderId"], "orderStatus": "Filled"})
    fill = await only_fill(rig, order, bybit.frame("execution.linear", row))
    assert (fill.fee, fill.fee_asset) == (Decimal("0.0050505"), asset)


async def test_bybit_execution_without_a_fee_is_queried() -> None:
    rig = await AccountRig("bybit").start()
    rig.answers.trades = [bybit.EXECUTION | {"feeCurrency": "MNT"}]
    order = bybit.frame("order.linear", bybit.ORDER | {"orderId": bybit.EXECUTION["orderId"]})
    fill = await only_fill(rig, order, bybit.frame("execution.linear", bybit.EXECUTION | {"execFee": ""}))
    assert (fill.fee, fill.fee_asset) == (Decimal("0.0050505"), "MNT")


async def test_bybit_further_fees_are_told() -> None:
    """Taxes of some accounts: https://bybit-exchange.github.io/docs/v5/websocket/private/execution."""
    extra = '[{"feeCoin":"IDR","feeType":"GST","subFeeType":"","feeRate":"0.01","fee":"0.25"}]'
    rig = await AccountRig("bybit").start()
    order = bybit.frame("order.linear", bybit.ORDER | {"orderId": bybit.EXECUTION["orderId"]})
    fill = await only_fill(rig, order, bybit.frame("execution.linear", bybit.EXECUTION | {"extraFees": extra}))
    assert fill.fees == {"USDT": Decimal("0.0050505"), "IDR": Decimal("0.25")}


@pytest.mark.parametrize(
    ("fee", "points", "expected"),
    [
        ("0", "1.5", {"POINT": Decimal("1.5")}),
        ("0.02", "1.5", {"USDT": Decimal("0.02"), "POINT": Decimal("1.5")}),
        ("0.02", 0, {"USDT": Decimal("0.02")}),
        ("-0.01", "0", {"USDT": Decimal("-0.01")}),
        ("0", "0", {"USDT": Decimal(0)}),
    ],
)
async def test_gate_fee_in_points_is_told(fee: str, points: Any, expected: dict[str, Decimal]) -> None:
    """https://www.gate.com/docs/developers/futures/ws/en/#user-trades-notification."""
    rig = await AccountRig("gate").start()
    row = gate.TRADE | {"fee": fee, "point_fee": points}
    rig.answers.trades = [row]
    assert (await only_fill(rig, GATE_ORDER, update(row))).fees == expected
    (queried,) = await rig.venue.fills("BTCUSDT", 0)
    assert queried.fees == expected


@pytest.mark.parametrize("fee", [None, ""])
async def test_okx_fill_without_a_fee_is_queried(fee: str | None) -> None:
    rig = await AccountRig("okx").start()
    rig.answers.trades = [OKX_TRADE | {"feeCcy": "BTC"}]
    frame = {"arg": {"channel": "orders"}, "data": [okx.ORDER | {"fillFee": fee}]}
    fill = await only_fill(rig, frame)
    assert (fill.fee, fill.fee_asset) == (Decimal("0.0050"), "BTC")


async def test_okx_trade_whose_list_has_no_fee_is_set_aside() -> None:
    rig = await AccountRig("okx").start()
    rig.answers.trades = [OKX_TRADE | {"fee": ""}]
    frame = {"arg": {"channel": "orders"}, "data": [okx.ORDER | {"fillFee": ""}]}
    assert await rig.fills(frame) == []
    assert "fee" in rig.venue.set_aside.text()
