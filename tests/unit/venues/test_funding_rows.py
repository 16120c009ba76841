"""Funding payments as the venues write them, read and announced."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.model.order import PositionSide
from opensqt.model.venue import SymbolRules
from opensqt.venues.binance import funding as binance
from opensqt.venues.bitget import funding as bitget
from opensqt.venues.bitget.unified import funding as bitget_unified
from opensqt.venues.bybit import funding as bybit
from opensqt.venues.gate import funding as gate
from opensqt.venues.okx import funding as okx
from opensqt.venues.rows import RowError

RULES = SymbolRules(
    symbol="ETHUSDT",
    base_asset="ETH",
    quote_asset="USDT",
    price_step=Decimal("0.01"),
    quantity_step=Decimal("0.1"),
    min_quantity=Decimal("0.1"),
    min_notional=Decimal(0),
    contract_size=Decimal("0.1"),
)
BINANCE = {
    "symbol": "ETHUSDT",
    "incomeType": "FUNDING_FEE",
    "income": "0.00134317",
    "asset": "USDT",
    "time": 1621584000000,
    "info": "FUNDING_FEE",
    "tranId": 4480321991774044580,
    "tradeId": "",
}
BITGET = {
    "billId": "1111499428100472833",
    "symbol": "ETHUSDT",
    "amount": "-0.004992",
    "fee": "0",
    "feeByCoupon": "",
    "businessType": "contract_settle_fee",
    "coin": "USDT",
    "cTime": "1700728034996",
}
BITGET_UNIFIED = {
    "category": "USDT-FUTURES",
    "id": "13111111111111111",
    "symbol": "BTCUSDT",
    "coin": "USDT",
    "type": "CONTRACT_MAIN_SETTLE_FEE_USER_OUT",
    "amount": "-0.00531168",
    "fee": "0",
    "balance": "55.10017801",
    "ts": "1745853486185",
}
BYBIT = {
    "id": "592324_ETHUSDT_161440249321",
    "symbol": "ETHUSDT",
    "category": "linear",
    "side": "Sell",
    "transactionTime": "1672128000000",
    "type": "SETTLEMENT",
    "qty": "0.5",
    "size": "-0.5",
    "currency": "USDT",
    "tradePrice": "1191.91",
    "funding": "-0.05959550",
    "fee": "0",
    "cashFlow": "0",
    "change": "-0.05959550",
    "feeRate": "-0.0001",
    "tradeId": "76b1ab86-4bc4-5e5f-a6ec-8f4fa5ac4e4c",
    "orderId": "",
}
GATE = {
    "time": 1646899200,
    "change": "-0.027722",
    "balance": "11.653120591841",
    "text": "ETH_USDT",
    "type": "fund",
    "contract": "ETH_USDT",
    "trade_id": "",
    "id": "8914572316",
}
OKX = {
    "bal": "8694.2179403378290202",
    "balChg": "0.0219338232210000",
    "billId": "623950854533513219",
    "ccy": "USDT",
    "instId": "ETH-USDT-SWAP",
    "instType": "SWAP",
    "mgnMode": "cross",
    "pnl": "0.021933823221",
    "posBal": "0",
    "posBalChg": "0",
    "subType": "174",
    "sz": "9",
    "ts": "1695033476167",
    "type": "8",
}


def test_binance_tells_the_amount_and_an_id() -> None:
    found = binance.parse_funding_payment(BINANCE)
    assert (found.symbol, found.payment_id, found.amount) == ("ETHUSDT", "4480321991774044580", Decimal("0.00134317"))
    assert (found.asset, found.event_time_ms, found.rate, found.position_size) == ("USDT", 1621584000000, None, None)


def test_bitget_tells_the_amount_and_an_id() -> None:
    found = bitget.parse_funding_payment(BITGET, "ETHUSDT")
    assert (found.payment_id, found.amount, found.event_time_ms) == (
        "1111499428100472833",
        Decimal("-0.004992"),
        1700728034996,
    )


@pytest.mark.parametrize(("hedge", "side"), [(False, PositionSide.BOTH), (True, PositionSide.SHORT)])
def test_bybit_tells_the_position_too(hedge: bool, side: PositionSide) -> None:
    """F12: the sign of the size is the position's side, and the amount has its own."""
    found = bybit.parse_funding_payment(BYBIT, hedge=hedge)
    assert (found.amount, found.rate, found.position_size) == (
        Decimal("-0.05959550"),
        Decimal("-0.0001"),
        Decimal("0.5"),
    )
    assert (found.position_side, found.payment_id) == (side, BYBIT["id"])


def test_gate_tells_the_amount_and_an_id_in_whole_seconds() -> None:
    found = gate.parse_funding_payment(GATE, RULES)
    assert (found.payment_id, found.amount, found.event_time_ms) == ("8914572316", Decimal("-0.027722"), 1646899200000)


def test_okx_tells_the_contracts_which_are_base_coins_here() -> None:
    """F11: contracts are not taken for coins."""
    found = okx.parse_funding_payment(OKX, RULES)
    assert (found.payment_id, found.amount, found.position_size) == (
        "623950854533513219",
        Decimal("0.0219338232210000"),
        Decimal("0.9"),
    )


def test_okx_tells_a_payment_under_isolated_margin_as_a_change_of_the_positions_balance() -> None:
    row = OKX | {"balChg": "0", "posBalChg": "-0.5", "mgnMode": "isolated"}
    assert okx.parse_funding_payment(row, RULES).amount == Decimal("-0.5")


@pytest.mark.parametrize(
    ("parse", "row", "field"),
    [
        pytest.param(binance.parse_funding_payment, BINANCE, "income", id="binance"),
        pytest.param(lambda raw: bitget.parse_funding_payment(raw, "ETHUSDT"), BITGET, "amount", id="bitget"),
        pytest.param(
            lambda raw: bitget_unified.parse_funding_payment(raw, "BTCUSDT"),
            BITGET_UNIFIED,
            "amount",
            id="bitget-unified",
        ),
        pytest.param(lambda raw: bybit.parse_funding_payment(raw, hedge=False), BYBIT, "funding", id="bybit"),
        pytest.param(lambda raw: gate.parse_funding_payment(raw, RULES), GATE, "change", id="gate"),
        pytest.param(lambda raw: okx.parse_funding_payment(raw, RULES), OKX, "billId", id="okx"),
    ],
)
@pytest.mark.parametrize("value", [None, "", [], {}], ids=str)
def test_a_row_without_its_amount_or_id_is_an_error_and_not_a_payment_of_nothing(
    parse: object, row: dict[str, object], field: str, value: object
) -> None:
    """F25: it is set aside and reported."""
    with pytest.raises(RowError):
        parse(row | {field: value})  # type: ignore[operator]
