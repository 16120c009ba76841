"""What limits the entries of a market maker, as processes over a connector and a simulator: exits always go on."""

from __future__ import annotations

import json
import signal
import urllib.error
from decimal import Decimal
from pathlib import Path
from typing import Any

from opensqt.model.order import Side
from tests.service.grid_rig import ACCOUNT, SYMBOL, Chain, chain, get
from tests.support import Process, eventually
from tests.support.blocking import in_thread


async def test_a_restart_in_a_drawdown_offers_what_it_holds_and_buys_when_the_rule_holds_again(tmp_path: Path) -> None:
    """F41: with a safety rule broken it starts with exits only, says why, and begins entries by itself."""
    levels = {"OPENSQT__TRADING__POSITION_SAFETY_CHECK": "700"}
    async with chain(tmp_path, leverage=8) as made:
        async with made.maker() as maker:
            await maker.ready()
            await _hold_levels(made, 4)
            maker.send(signal.SIGTERM)
            assert await maker.wait() == 0, maker.output
        assert made.open_orders == []
        made.sim.market.pause(SYMBOL)
        async with made.maker("--check", **levels) as maker:
            assert await maker.wait() == 2
            assert "BROKEN: no entries" in maker.output
            assert "held" in maker.output
        async with made.maker(**levels) as maker:
            await maker.ready()
            await eventually(lambda: _offered(made) == made.position > 0, what="everything held is offered")
            assert "warning: exits only: levels: the account carries 6" in maker.output
            health, status = await in_thread(get_any, maker, "/health"), await in_thread(get, maker, "/status")
            assert any(problem.startswith("exits only: levels") for problem in health["problems"])
            assert status["risk"]["entries"] == "STOPPED"
            assert _open(made, "BUY") == []
            made.sim.engine.set_leverage(ACCOUNT, SYMBOL, 10)
            await eventually(lambda: len(_open(made, "BUY")) > 3, what="entries begin")
            assert await in_thread(get, maker, "/health") == {"healthy": True, "problems": []}


async def test_leverage_raised_at_the_venue_stops_entries_and_exits_go_on(tmp_path: Path) -> None:
    """F21: noticed by the comparison while it runs; lowered again, entries begin by themselves."""
    async with chain(tmp_path) as made, made.maker() as maker:
        await maker.ready()
        await _hold_levels(made, 2)
        made.sim.market.pause(SYMBOL)
        made.sim.engine.set_leverage(ACCOUNT, SYMBOL, 50)
        await eventually(lambda: _open(made, "BUY") == [], what="entries are cancelled")

        async def reported() -> bool:
            health = await in_thread(get_any, maker, "/health")
            return "exits only: leverage: 50, expected at most 10" in health["problems"]

        await eventually(reported, what="the rule is reported")
        await eventually(lambda: _offered(made) == made.position)
        made.sim.engine.set_leverage(ACCOUNT, SYMBOL, 5)
        await eventually(lambda: len(_open(made, "BUY")) > 3, what="entries begin")


def get_any(process: Process, path: str) -> Any:
    """GET a page whatever its status."""
    try:
        return get(process, path)
    except urllib.error.HTTPError as answer:
        return json.loads(answer.read())


async def _hold_levels(made: Chain, levels: int) -> None:
    """Sell at the market until the grid holds so many levels."""
    await eventually(lambda: len(_open(made, "BUY")) > 5)

    def held() -> bool:
        if made.position >= levels * Decimal("0.001"):
            return True
        made.sim.market.send_outside_order(SYMBOL, Side.SELL, Decimal(3))
        return False

    await eventually(held, what="levels are held")


def _open(made: Chain, side: str) -> list[dict[str, Any]]:
    return [order for order in made.open_orders if order["side"] == side]


def _offered(made: Chain) -> Decimal:
    """Base coins in open exits of the ledger."""
    offered = (Decimal(order["quantity"]) - Decimal(order["filled_quantity"]) for order in _open(made, "SELL"))
    return sum(offered, Decimal(0))
