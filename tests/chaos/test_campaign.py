"""The campaign against the market maker: short in every run of the tests, at full length by `make chaos-maker`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opensqt.market_maker.orders.ids import OrderIds
from opensqt.model.order import Side
from opensqt.simulator import Simulator
from tests.chaos.campaign.compare import differences
from tests.chaos.campaign.run import Settings, campaign
from tests.chaos.campaign.wanted import Rules, Working, unwanted_or_missing
from tests.service.grid_rig import SYMBOL, TRADING, Ledger, running, simulator, store_fills
from tests.support import eventually


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", ["long", "short", "neutral"])
async def test_a_grid_under_faults_and_kills_ends_with_the_ledgers_figures(tmp_path: Path, mode: str) -> None:
    """F1 F6 F8 F9: no order is doubled or left, no fill is lost, and what is open is what the grid wants."""
    settings = Settings(
        mode=mode, maker_kills=2, connector_kills=1, kill_every_s=(0.5, 2.0), fault_every_s=0.5, funding_every_s=2
    )
    outcome = await campaign(settings, tmp_path)
    assert outcome.differences == []
    assert outcome.faults > 0
    assert outcome.figures["fills"] > 0
    assert len(outcome.recovery_s["maker"]) == 2


RULES = Rules(
    mode="neutral",
    anchor=Decimal(1000),
    interval=Decimal(10),
    order_quantity=Decimal(10),
    windows={"BUY": 2, "SELL": 2},
)
PRICE = Decimal(1003)


def order(level: int, side: str, price: int, **changes: Any) -> Working:
    """Return an entry at a level; the rules lay one for 10 USDT."""
    quantity = (Decimal(10) / (1000 + 10 * level)).quantize(Decimal("0.001"), "ROUND_FLOOR")
    made = Working(
        level=level,
        side=side,
        price=Decimal(price),
        quantity=quantity,
        filled=Decimal(0),
        reduce_only=False,
        time_in_force="POST_ONLY",
    )
    return replace(made, **changes)


HELD = {-1: Decimal("0.010"), 4: Decimal("-0.009")}
"""A long level and a short one."""
LAID = [
    order(0, "BUY", 1000),
    order(1, "SELL", 1010),
    order(-1, "SELL", 1000, quantity=Decimal("0.010")),
    order(4, "BUY", 1003, quantity=Decimal("0.009")),
]


def test_the_rules_explain_the_orders_of_a_neutral_grid() -> None:
    """Both windows have their entries, and each level is closed on its own side."""
    assert list(unwanted_or_missing(RULES, PRICE, HELD, LAID)) == []


@pytest.mark.parametrize(
    ("orders", "found"),
    [
        (LAID[1:], "levels without their entry: [0] BUY, price 1003"),
        ([LAID[0], *LAID[2:]], "levels without their entry: [1] SELL, price 1003"),
        ([*LAID[:2], LAID[3]], "level -1 holds 0.010 and offers nothing, price 1003"),
        (LAID[:3], "level 4 holds -0.009 and offers nothing, price 1003"),
        ([*LAID, order(-3, "BUY", 970)], "entries that nobody wants: [-3] BUY, price 1003"),
        ([*LAID, order(3, "SELL", 1030)], "entries that nobody wants: [3] SELL, price 1003"),
        ([*LAID[:2], order(-1, "BUY", 990), LAID[3]], "level -1 holds 0.010 and has an entry for 0.010, filled 0"),
        ([*LAID[:2], replace(LAID[2], price=Decimal(990)), LAID[3]], "the exit of level -1 is laid at 990"),
        ([*LAID[:3], replace(LAID[3], price=Decimal(1031))], "the exit of level 4 is laid at 1031"),
        ([*LAID[:3], replace(LAID[3], quantity=Decimal("0.010"))], "level 4 holds -0.009 and offers 0.010"),
        ([*LAID[:3], replace(LAID[3], reduce_only=True)], "the order of level 4 has reduce_only True"),
        ([replace(LAID[0], time_in_force="GTC"), *LAID[1:]], "the order of level 0 is GTC, not post-only"),
        ([replace(LAID[0], price=Decimal(1001)), *LAID[1:]], "the entry of level 0 is laid at 1001"),
        ([replace(LAID[0], quantity=Decimal("0.011")), *LAID[1:]], "the entry of level 0 is for 0.011, not 0.01"),
    ],
)
def test_an_order_that_the_rules_do_not_explain_is_described(orders: list[Working], found: str) -> None:
    """The comparison can fail: an order that is missing, too many, misplaced or of another size."""
    seen = list(unwanted_or_missing(RULES, PRICE, HELD, orders))
    assert any(one.startswith(found) for one in seen), seen


def test_a_long_grid_opens_nothing_with_a_sell() -> None:
    """In neutral mode the same order is an entry."""
    seen = list(unwanted_or_missing(replace(RULES, mode="long"), PRICE, {}, [order(1, "SELL", 1010)]))
    assert any(one.startswith("exits of levels that hold nothing: [1]") for one in seen), seen


class Copied(Ledger):
    """A ledger of one moment, with changes."""

    def __init__(self, sim: Simulator, change: Callable[[dict[str, Any]], object]) -> None:
        super().__init__(sim)
        self._account = deepcopy(super().account)
        change(self._account)

    @property
    def account(self) -> dict[str, Any]:
        return self._account


def _open(account: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in account["orders"] if one["status"] == "OPEN")
    return found


def _add_order(account: dict[str, Any]) -> None:
    stray = OrderIds("SQ1", SYMBOL).make(-40, Side.BUY, 1)
    account["orders"].append({**_open(account), "client_order_id": stray, "side": "BUY"})


def _add(key: str, amount: str) -> Callable[[dict[str, Any]], object]:
    return lambda account: account.update({key: str(Decimal(account[key]) + Decimal(amount))})


CHANGES: Mapping[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "an order less": (lambda account: _open(account).update(status="CANCELED"), "orders that are not at the venue"),
    "an order more": (_add_order, "orders at the venue that the market maker does not know"),
    "an order moved": (lambda account: _open(account).update(price="1"), "is laid at 1"),
    "an id accepted twice": (lambda account: account["duplicate_client_order_ids"].append("a"), "accepted twice"),
    "a fill more": (lambda account: account["fills"].append({**account["fills"][0], "trade_id": "x"}), "not stored"),
    "a fill less": (lambda account: account["fills"].pop(), "stored fills are not the venue's"),
    "a fill of a taker": (lambda account: account["fills"][0].update(is_maker=False), "took liquidity"),
    "a position": (lambda account: account["positions"][0].update(quantity="9"), "position"),
    "a fee": (_add("fees", "0.00001"), "fees differs by"),
    "funding": (_add("funding", "-0.00001"), "funding differs by"),
    "realized profit": (_add("realized_pnl", "0.00001"), "realized differs by"),
    "the equity": (_add("wallet_balance", "0.00001"), "equity differs by"),
}


@pytest.mark.parametrize("mode", ["long", "short", "neutral"])
async def test_each_difference_from_the_ledger_is_found(tmp_path: Path, mode: str) -> None:
    """The comparison holds for a grid that was left alone, and each change of the ledger is named."""
    trading = {**TRADING, "grid_mode": mode}
    async with simulator() as sim, running(sim, tmp_path / "grid.db", grid_mode=mode) as maker:
        ledger = Ledger(sim)
        await eventually(lambda: len(ledger.account["fills"]) >= 4)
        sim.market.pause(SYMBOL)

        async def found(of: Ledger) -> list[str]:
            return differences(of, await store_fills(tmp_path / "grid.db"), maker.status(), trading)

        async def equal() -> bool:
            return not await found(ledger)

        await eventually(equal, what="the market maker and the ledger agree")
        for name, (change, sentence) in CHANGES.items():
            seen = await found(Copied(sim, change))
            assert any(sentence in one for one in seen), (name, seen)
