"""The account in each of its modes as the venues document it, ids replaced, over whole adapters."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Account
from opensqt.model.errors import PermissionDenied, UnsupportedAccount
from opensqt.venues.account.state import AccountState
from opensqt.venues.binance.adapter import BinanceAdapter
from opensqt.venues.bybit.adapter import BybitAdapter
from opensqt.venues.events import AccountModeChange, BalanceChange, BalancePending
from opensqt.venues.gate.adapter import GateAdapter
from opensqt.venues.okx.adapter import OkxAdapter
from opensqt.venues.rows import RowError
from opensqt.venues.venue import Venue


class Answers:
    """The venue: gives each endpoint's response, or raises it, and keeps the parameters that it was asked with."""

    def __init__(self, responses: Mapping[str, Any]) -> None:
        self.responses = dict(responses)
        self.asked: dict[str, Any] = {}

    async def send(self, endpoint: str, params: Any = None, **_: Any) -> Any:
        self.asked[endpoint] = params
        response = self.responses[endpoint]
        if isinstance(response, Exception):
            raise response
        return response


class Client:
    """Stands for ccxt's client, of which these queries use nothing but a place for the user's number."""

    uid = ""

    def nonce(self) -> int:
        return 0


def adapter(kind: type[Venue], responses: Mapping[str, Any]) -> tuple[Any, Answers]:
    rest = Answers(responses)
    return kind(VenueSettings(name=kind.name), Client(), rest), rest  # type: ignore[arg-type]


def amounts(account: Account) -> list[Decimal | None]:
    """Wallet, open profit, available, initial margin, maintenance margin, and what serves as margin in all."""
    return [
        account.wallet_balance,
        account.unrealized_pnl,
        account.available_balance,
        account.initial_margin,
        account.maintenance_margin,
        account.total_margin_balance,
    ]


def decimals(*texts: str | None) -> list[Decimal | None]:
    return [None if text is None else Decimal(text) for text in texts]


def binance_asset(asset: str, wallet: str, **more: str) -> dict[str, Any]:
    row = {"asset": asset, "walletBalance": wallet, "unrealizedProfit": "0.00000000", "marginBalance": wallet}
    margins = {"maintMargin": "0.00000000", "initialMargin": "0.00000000", "availableBalance": "126.72469206"}
    return {**row, **margins, "marginAvailable": True, "updateTime": 1625474304765, **more}


BINANCE_TOTALS = {
    "totalInitialMargin": "12.10000000",
    "totalMaintMargin": "3.20000000",
    "totalWalletBalance": "126.72469206",
    "totalUnrealizedProfit": "1.50000000",
    "totalMarginBalance": "128.22469206",
    "availableBalance": "116.12469206",
}
BINANCE_MULTI = {
    **BINANCE_TOTALS,
    "assets": [
        binance_asset("USDT", "23.72469206", unrealizedProfit="1.50000000", initialMargin="12.1"),
        binance_asset("USDC", "103.12345678"),
    ],
    "positions": [],
}
BINANCE_CREDITS = {
    **BINANCE_TOTALS,
    "assets": [
        *(binance_asset(name, "0.00000000", updateTime=0) for name in ("FDUSD", "BFUSD", "RWUSD")),
        binance_asset("BNFCR", "-30.50000000", unrealizedProfit="1.50000000"),
        binance_asset("USDC", "157.22469206"),
        binance_asset("USDT", "0.00000000"),
    ],
    "positions": [],
}


async def binance(multi_assets: Any, account: Any) -> BinanceAdapter:
    venue, _ = adapter(
        BinanceAdapter,
        {"fapiPrivateGetMultiAssetsMargin": {"multiAssetsMargin": multi_assets}, "fapiPrivateV3GetAccount": account},
    )
    await venue.check_account()
    return venue  # type: ignore[no-any-return]


@pytest.mark.parametrize("flag", [True, "true"])
async def test_binance_multi_assets_margin_is_that_of_all_assets(flag: Any) -> None:
    venue = await binance(flag, BINANCE_MULTI)
    account = await venue.account()
    assert account.asset == "USDT"
    assert amounts(account) == decimals("23.72469206", "1.5", "116.12469206", "12.1", "3.2", "128.22469206")
    assert venue.account_mode == "multi-assets"


async def test_binance_single_asset_margin_is_the_assets_own() -> None:
    account = await (await binance(False, BINANCE_MULTI)).account()
    assert amounts(account) == decimals("23.72469206", "1.5", "126.72469206", "12.1", "0", None)


async def test_binance_credits_are_the_asset_of_the_balance() -> None:
    """Debts in credits are a wallet below zero, which the other assets carry."""
    venue = await binance(True, BINANCE_CREDITS)
    account = await venue.account()
    assert account.asset == "BNFCR"
    assert amounts(account) == decimals("-30.5", "1.5", "116.12469206", "12.1", "3.2", "128.22469206")
    assert venue.account_mode == "credits trading"


async def test_binance_a_multi_assets_account_that_never_had_usdt_has_margin() -> None:
    account = await (await binance(True, {**BINANCE_MULTI, "assets": [binance_asset("BTC", "0.5")]})).account()
    assert amounts(account) == decimals("0", "0", "116.12469206", "12.1", "3.2", "128.22469206")


def binance_update(*balances: tuple[str, str]) -> dict[str, Any]:
    rows = [{"a": asset, "wb": wallet, "cw": wallet, "bc": "0"} for asset, wallet in balances]
    return {"e": "ACCOUNT_UPDATE", "E": 7, "T": 7, "a": {"m": "ORDER", "B": rows, "P": []}}


async def test_binance_streamed_credits_are_the_wallet() -> None:
    venue = await binance(True, BINANCE_CREDITS)
    await venue.account()
    change, pending = list(venue.parse(binance_update(("BNFCR", "-31.00000000"), ("USDT", "5"))) or ())
    assert isinstance(change, BalanceChange)
    assert (change.wallet_balance, change.event_time_ms) == (-31, 7)
    assert pending == BalancePending()


async def test_binance_another_assets_balance_has_the_account_queried_where_it_serves_as_margin() -> None:
    frame = binance_update(("BTC", "0.4"))
    multi, single = await binance(True, BINANCE_MULTI), await binance(False, BINANCE_MULTI)
    assert list(multi.parse(frame) or ()) == [BalancePending()]
    assert list(single.parse(frame) or ()) == []


async def test_binance_a_switch_of_the_mode_holds_from_its_event_on() -> None:
    """The owner switches on the site while the connector runs."""
    venue = await binance(False, BINANCE_MULTI)
    switch = {"e": "ACCOUNT_CONFIG_UPDATE", "E": 8, "T": 8, "ai": {"j": True}}
    assert list(venue.parse(switch) or ()) == [AccountModeChange("multi-assets mode")]
    assert amounts(await venue.account())[2] == Decimal("116.12469206")
    assert venue.account_mode == "multi-assets"


async def test_another_settlement_asset_leaves_no_balance_of_the_old_one() -> None:
    venue = await binance(True, BINANCE_MULTI)
    state = AccountState(venue)
    await state.refresh_account()
    venue.rest.responses["fapiPrivateV3GetAccount"] = BINANCE_CREDITS  # type: ignore[attr-defined]
    await state.refresh_account()
    assert [account.asset for account in state.accounts.snapshot] == ["BNFCR"]


def okx_detail(ccy: str, **more: str) -> dict[str, Any]:
    empty = dict.fromkeys(("imr", "mmr", "mgnRatio", "maxLoan", "notionalLever"), "")
    return {"ccy": ccy, **empty, "frozenBal": "0", "upl": "0", "uTime": "1705449605015", **more}


OKX_USDT = okx_detail("USDT", cashBal="4850.43", eq="4992.89", availBal="4834.31", availEq="4834.31", upl="-7.57")
OKX_MULTI = {
    "adjEq": "55415.62",
    "availEq": "52043.33",
    "imr": "3372.29",
    "mmr": "70.35",
    "isoEq": "0",
    "totalEq": "55837.43",
    "uTime": "1705474164160",
    "details": [okx_detail("BTC", cashBal="1.2", eq="1.2", availBal="1.2", availEq="1.2"), OKX_USDT],
}
OKX_FUTURES = {
    **dict.fromkeys(("adjEq", "availEq", "imr", "mmr"), ""),
    "totalEq": "91884",
    "uTime": "1705474164160",
    "details": [{**OKX_USDT, "imr": "120.5", "mmr": "8.2"}],
}


async def okx(level: str, balance: Any) -> tuple[OkxAdapter, Answers]:
    config = {"acctLv": level, "posMode": "net_mode", "perm": "read_only,trade", "uid": "44705892343619584"}
    responses = {"privateGetAccountConfig": {"data": [config]}, "privateGetAccountBalance": {"data": [balance]}}
    venue, rest = adapter(OkxAdapter, responses)
    await venue.check_account()
    return venue, rest


async def test_okx_multi_currency_margin_is_the_accounts() -> None:
    venue, rest = await okx("3", OKX_MULTI)
    account = await venue.account()
    assert amounts(account) == decimals("4850.43", "-7.57", "52043.33", "3372.29", "70.35", "55415.62")
    assert rest.asked["privateGetAccountBalance"] == {}, "the totals are of all currencies only without one of them"
    assert venue.account_mode == "multi-currency margin"


async def test_okx_multi_currency_without_usdt_has_what_the_other_currencies_carry() -> None:
    venue, _ = await okx("3", {**OKX_MULTI, "details": OKX_MULTI["details"][:1], "availEq": ""})
    assert amounts(await venue.account()) == decimals("0", "0", "52043.33", "3372.29", "70.35", "55415.62")


async def test_okx_multi_currency_without_totals_is_no_balance() -> None:
    """An empty total must not pass for 0, nor for the one currency's."""
    venue, _ = await okx("3", OKX_FUTURES)
    with pytest.raises(RowError, match="adjEq"):
        await venue.account()


async def test_okx_futures_mode_margin_is_the_currencys_own() -> None:
    venue, rest = await okx("2", OKX_FUTURES)
    assert amounts(await venue.account()) == decimals("4850.43", "-7.57", "4834.31", "120.5", "8.2", None)
    assert rest.asked["privateGetAccountBalance"] == {"ccy": "USDT"}
    assert venue.account_mode == "futures"


@pytest.mark.parametrize(
    ("level", "sentence"),
    [
        ("1", "spot mode, in which no swap trades: switch it to Futures mode"),
        ("4", "portfolio margin mode, in which OKX does not apply reduce-only orders: switch it to Futures mode"),
        ("7", "a mode that is not known here"),
        ("", "a mode that is not known here"),
    ],
)
async def test_okx_other_modes_are_refused(level: str, sentence: str) -> None:
    with pytest.raises(UnsupportedAccount, match=sentence):
        await okx(level, OKX_MULTI)


BYBIT_USDT = {
    "coin": "USDT",
    "equity": "1510.2",
    "walletBalance": "1500.2",
    "unrealisedPnl": "10",
    "locked": "0",
    "totalOrderIM": "5",
    "totalPositionIM": "20",
    "totalPositionMM": "2",
}
BYBIT_WALLET = {
    "totalEquity": "3.31216591",
    "totalMarginBalance": "30100.5",
    "totalAvailableBalance": "30075.5",
    "totalInitialMargin": "25",
    "accountType": "UNIFIED",
    "coin": [{**BYBIT_USDT, "coin": "BTC", "walletBalance": "0.5"}, BYBIT_USDT],
}


async def bybit(status: int, wallet: Any) -> BybitAdapter:
    venue, _ = adapter(
        BybitAdapter,
        {
            "privateGetV5AccountInfo": {"result": {"unifiedMarginStatus": status, "marginMode": "REGULAR_MARGIN"}},
            "privateGetV5AccountWalletBalance": {"result": {"list": [wallet]}},
        },
    )
    await venue.check_account()
    return venue  # type: ignore[no-any-return]


@pytest.mark.parametrize(("status", "mode"), [(3, "1.0"), (4, "1.0 Pro"), (5, "2.0"), (6, "2.0 Pro")])
async def test_bybit_each_unified_account_is_read(status: int, mode: str) -> None:
    venue = await bybit(status, BYBIT_WALLET)
    assert amounts(await venue.account()) == decimals("1500.2", "10", "30075.5", "25", "2", "30100.5")
    assert venue.account_mode == f"unified trading account {mode}"


async def test_bybit_with_isolated_margin_nothing_is_shared() -> None:
    wallet = {**BYBIT_WALLET, "totalMarginBalance": "", "totalAvailableBalance": "", "totalInitialMargin": ""}
    account = await (await bybit(6, wallet)).account()
    assert amounts(account) == decimals("1500.2", "10", "1475.2", "25", "2", None)


@pytest.mark.parametrize(("status", "sentence"), [(1, "a classic one: upgrade it"), (2, "not known here")])
async def test_bybit_an_account_that_is_not_unified_is_refused(status: int, sentence: str) -> None:
    with pytest.raises(UnsupportedAccount, match=sentence):
        await bybit(status, BYBIT_WALLET)


GATE_FUTURES = {
    "user": 10003,
    "currency": "USDT",
    "total": "0.000000005",
    "available": "500.7",
    "cross_available": "500.7",
    "unrealised_pnl": "3",
    "cross_unrealised_pnl": "2",
    "enable_credit": True,
    "margin_mode": 1,
    "margin_mode_name": "multi_currency",
    "in_dual_mode": False,
}
GATE_UNIFIED = {
    "user_id": 10003,
    "mode": "multi_currency",
    "balances": {
        "BTC": {"available": "0.1", "equity": "0.1", "cross_balance": "0.1", "iso_balance": "0"},
        "USDT": {
            "available": "502",
            "equity": "502",
            "cross_balance": "500",
            "iso_balance": "40",
            "im": "0",
            "mm": "0",
        },
    },
    "total_initial_margin": "51.5",
    "total_maintenance_margin": "4.1",
    "total_margin_balance": "9502",
    "total_available_margin": "9450.5",
}


async def gate(mode: int, unified: Any) -> GateAdapter:
    venue, _ = adapter(
        GateAdapter,
        {
            "privateFuturesGetSettleAccounts": {**GATE_FUTURES, "margin_mode": mode},
            "privateUnifiedGetAccounts": unified,
        },
    )
    await venue.check_account()
    return venue  # type: ignore[no-any-return]


@pytest.mark.parametrize(("mode", "name"), [(1, "multi-currency"), (2, "portfolio")])
async def test_gate_unified_margin_is_that_of_all_assets(mode: int, name: str) -> None:
    """The futures account of a unified account shows a balance of nearly nothing; the equity holds the open profit."""
    venue = await gate(mode, GATE_UNIFIED)
    assert amounts(await venue.account()) == decimals("540", "3", "9450.5", "91.5", "4.1", "9502")
    assert venue.account_mode == f"unified, {name} margin"


async def test_gate_unified_single_currency_margin_is_that_of_usdt() -> None:
    usdt = {**GATE_UNIFIED["balances"]["USDT"], "im": "51.5", "mm": "4.1", "available_margin": "450.5"}
    totals = dict.fromkeys(("total_initial_margin", "total_margin_balance", "total_available_margin"), "0")
    venue = await gate(3, {**GATE_UNIFIED, **totals, "balances": {"USDT": usdt}})
    assert amounts(await venue.account()) == decimals("540", "3", "450.5", "91.5", "4.1", None)


async def test_gate_a_frame_of_a_unified_account_has_it_queried_and_is_no_wallet() -> None:
    row = {"balance": 0, "change": -1, "time": 1, "time_ms": 1000, "type": "fee", "user": "10003", "currency": "usdt"}
    frame = {"channel": "futures.balances", "event": "update", "result": [row]}
    assert list((await gate(1, GATE_UNIFIED)).parse(frame) or ()) == [BalancePending()]
    (change,) = list((await gate(0, GATE_UNIFIED)).parse(frame) or ())
    assert isinstance(change, BalanceChange)


async def test_gate_a_key_that_may_not_read_the_unified_account_says_so() -> None:
    venue = await gate(1, PermissionDenied("no right", venue_code="FORBIDDEN"))
    with pytest.raises(PermissionDenied, match="allow the key to read the unified account"):
        await venue.account()


async def test_gate_an_unknown_mode_is_refused() -> None:
    with pytest.raises(UnsupportedAccount, match=r"not known here \(margin_mode 9\): switch it"):
        await gate(9, GATE_UNIFIED)
