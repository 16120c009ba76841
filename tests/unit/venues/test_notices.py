"""What happens to the account, over whole adapters: margin calls, forced closes and switched modes reach the client."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.account import Account, AccountNotice, NoticeKind, PositionMode
from opensqt.model.errors import PermissionDenied, Unreachable
from tests.unit.venues.account_rig import VENUES, AccountRig
from tests.unit.venues.binance import test_parse as binance
from tests.unit.venues.bitget import test_parse as bitget
from tests.unit.venues.bybit import test_parse as bybit
from tests.unit.venues.gate import test_parse as gate
from tests.unit.venues.okx import test_parse as okx
from tests.unit.venues.test_fees import update

MARGIN_CALL = {
    "e": "MARGIN_CALL", "E": 1587727187525, "cw": "3.16812045",
    "p": [
        {
            "s": "BTCUSDT", "ps": "LONG", "pa": "1.327", "mt": "CROSSED", "iw": "0", "mp": "187.17127",
            "up": "-1.166074", "mm": "1.614445",
        },
    ],
}  # fmt: skip
"""https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams/Event-Margin-Call."""


def shown(rig: AccountRig) -> list[AccountNotice]:
    """What a reader of the account's stream is told now."""
    (account,) = rig.state.accounts.snapshot
    return list(account.notices)


async def test_binance_margin_call_reaches_the_client() -> None:
    rig = await AccountRig("binance").start()
    await rig.feed(MARGIN_CALL)
    (notice,) = shown(rig)
    assert (notice.kind, notice.symbol, notice.event_time_ms) == (NoticeKind.MARGIN_CALL, "BTCUSDT", 1587727187525)
    assert "maintenance margin 1.614445" in notice.text
    await rig.feed(MARGIN_CALL)
    assert (len(shown(rig)), rig.state.notices.total) == (1, {"MARGIN_CALL": 1})


async def test_binance_margin_call_that_cannot_be_read_is_set_aside_and_hides_no_position() -> None:
    """F25: one unknown field or value never stops a stream."""
    rig = await AccountRig("binance").start()
    bad = MARGIN_CALL["p"][0] | {"mm": "garbled"}  # type: ignore[index]
    await rig.feed(MARGIN_CALL | {"p": [bad, *MARGIN_CALL["p"]]})  # type: ignore[misc]
    assert len(shown(rig)) == 1
    assert not rig.venue.set_aside.hides("position", "BTCUSDT")


@pytest.mark.parametrize(("multi", "mode"), [(True, "multi-assets mode"), (False, "single-asset mode")])
async def test_binance_switch_of_the_asset_mode_reaches_the_client(multi: bool, mode: str) -> None:
    rig = await AccountRig("binance").start()
    await rig.feed({"e": "ACCOUNT_CONFIG_UPDATE", "E": 2, "T": 1, "ai": {"j": multi}})
    (notice,) = shown(rig)
    assert (notice.kind, notice.text) == (NoticeKind.ACCOUNT_MODE, f"the account was switched to {mode}")


@pytest.mark.parametrize("status", ["Liq", "Adl"])
async def test_bybit_position_that_the_venue_closes_reaches_the_client(status: str) -> None:
    rig = await AccountRig("bybit").start()
    await rig.feed(bybit.frame("position.linear", bybit.POSITION | {"positionStatus": status}))
    (notice,) = shown(rig)
    assert (notice.kind, notice.symbol) == (NoticeKind.LIQUIDATION, "BTCUSDT")


def forced(venue: str) -> list[dict[str, Any]]:
    """The frames of a fill that closes a position by force."""
    if venue == "binance":
        return [binance.TRADE | {"o": binance.TRADE["o"] | {"c": "autoclose-1"}}]
    if venue == "bitget":
        return [bitget.frame("orders", bitget.ORDER | {"tradeSide": "burst_sell_single"})]
    if venue == "bybit":
        row = bybit.EXECUTION | {"execType": "BustTrade"}
        order = bybit.ORDER | {"orderId": row["orderId"]}
        return [bybit.frame("order.linear", order), bybit.frame("execution.linear", row)]
    if venue == "gate":
        row = gate.TRADE | {"text": "liq-1"}
        return [update(gate.ORDER | {"id": row["order_id"]}, "futures.orders"), update(row)]
    return [{"arg": {"channel": "orders"}, "data": [okx.ORDER | {"category": "full_liquidation"}]}]


@pytest.mark.parametrize("venue", VENUES)
async def test_a_forced_close_is_a_notice(venue: str) -> None:
    rig = await AccountRig(venue).start()
    rig.answers.trades = [gate.TRADE | {"text": "liq-1"}] if venue == "gate" else []
    (fill,) = await rig.fills(*forced(venue))
    (notice,) = (await rig.queries.account()).notices
    assert (notice.kind, notice.symbol, notice.event_time_ms) == (
        NoticeKind.LIQUIDATION,
        "BTCUSDT",
        fill.event_time_ms,
    )
    assert f"liquidated: {fill.side} {fill.quantity}" in notice.text


def account(needed: str) -> Account:
    return Account(
        asset="USDT",
        wallet_balance=Decimal(100),
        unrealized_pnl=Decimal(0),
        available_balance=Decimal(0),
        maintenance_margin=Decimal(needed),
    )


@pytest.mark.parametrize("venue", VENUES)
async def test_a_margin_that_is_nearly_used_up_is_a_margin_call_while_it_lasts(venue: str) -> None:
    """Only Binance sends one: on every venue it follows from the queried balance."""
    rig = await AccountRig(venue).start()
    found: list[list[AccountNotice]] = []
    for needed in ("79", "80", "95", "50", "0"):
        rig.balance = account(needed)
        await rig.state.refresh_account()
        found.append(shown(rig))
    assert [[notice.kind for notice in each] for each in found] == [
        [],
        [NoticeKind.MARGIN_CALL],
        [NoticeKind.MARGIN_CALL],
        [],
        [],
    ]
    assert found[1] == found[2], "one call, though the balance is queried again"
    assert found[1][0].text == "the maintenance margin of 80 is near the equity of 100 USDT"


@pytest.mark.parametrize("venue", VENUES)
async def test_a_switched_position_mode_is_noticed_and_applied(venue: str) -> None:
    """F20: another program, or somebody on the venue's site, has switched it."""
    rig = await AccountRig(venue).start()

    async def load() -> None:
        rig.venue.position_mode = PositionMode.HEDGE

    rig.venue.load_position_mode = load
    await rig.state.reconcile(full=True)
    (notice,) = shown(rig)
    assert (notice.kind, notice.text) == (
        NoticeKind.POSITION_MODE,
        "the account was switched from ONE_WAY to HEDGE mode",
    )
    await rig.state.reconcile(full=True)
    assert len(shown(rig)) == 1


async def test_a_mode_that_the_adapter_does_not_trade_in_is_noticed_and_ends_no_comparison() -> None:
    """F25: what is refused for the account's mode hides nothing else."""
    rig = await AccountRig("okx").start()

    async def load() -> None:
        raise PermissionDenied("this OKX account is in spot mode")

    rig.venue.load_position_mode = load
    await rig.state.reconcile(full=True)
    (notice,) = shown(rig)
    assert (notice.kind, notice.text) == (NoticeKind.ACCOUNT_MODE, "this OKX account is in spot mode")


async def test_a_venue_that_cannot_be_reached_says_nothing_about_the_mode() -> None:
    """F3: a failed query proves nothing."""
    rig = await AccountRig("okx").start()

    async def load() -> None:
        raise Unreachable("down")

    rig.venue.load_position_mode = load
    with pytest.raises(Unreachable):
        await rig.state.reconcile(full=True)
    assert shown(rig) == []


async def test_a_notice_is_shown_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = await AccountRig("binance").start()
    await rig.feed(MARGIN_CALL)
    (notice,) = shown(rig)
    monkeypatch.setattr("opensqt.venues.account.notices.KEPT_S", -1.0)
    rig.state.apply_notice(replace(notice, kind=NoticeKind.ACCOUNT_MODE))
    assert rig.state.notices.current() == ()
