"""The profit over kills: each part equals the venue's ledger, on either database."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opensqt.model.order import Side
from opensqt.simulator.settings import ServerRules
from tests.service.grid_rig import ACCOUNT, SYMBOL, Chain, all_known, chain, get
from tests.service.profit_rig import differences, is_exact, pay_funding, stored_equals
from tests.support import Process, eventually
from tests.support.blocking import in_thread
from tests.support.postgres import missing, postgres


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/grid.db"
        return
    if reason := missing():
        pytest.skip(reason)
    with postgres() as url:
        yield url


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_the_profit_equals_the_ledger_however_often_it_is_killed(tmp_path: Path, kind: str, large: bool) -> None:
    """F50 F36 F8: killed between any two fills, with funding and trades by hand while it runs and while it does not."""
    dice = random.Random(11)
    rules = ServerRules(weight_per_minute=100_000)
    with database(kind, tmp_path) as url:
        async with chain(tmp_path, server=rules) as made:
            for _ in range(30 if large else 3):
                async with made.maker(OPENSQT__APP__DATABASE_URL=url) as maker:
                    await maker.ready()
                    await _trades(made, dice)
                    maker.send(signal.SIGKILL)
                    await maker.wait()
                await _meanwhile(made, dice)
            async with made.maker(OPENSQT__APP__DATABASE_URL=url) as maker:
                await maker.ready()
                made.sim.market.pause(SYMBOL)
                await eventually(lambda: _agrees(made, maker), what="status and ledger agree")
                status = await in_thread(get, maker, "/status")
                await eventually(lambda: all_known(maker), what="every order's outcome is known")
                maker.send(signal.SIGTERM)
                assert await maker.wait() == 0, maker.output
            assert status["funding"]["payments"] > 0
            assert status["profit"]["foreign_fills"] > 0
            await stored_equals(url, made)


async def _trades(made: Chain, dice: random.Random) -> None:
    """Wait for some fills, with a payment in the middle of them."""
    fills = made.sim.engine.fills
    enough = len(fills(ACCOUNT)) + dice.randint(2, 6)
    await eventually(lambda: len(fills(ACCOUNT)) >= enough, every_s=0.001)
    pay_funding(made.sim, dice.choice(("0.0003", "-0.0002", "0.0001")))
    await eventually(lambda: len(fills(ACCOUNT)) >= enough + 1, every_s=0.001)


async def _meanwhile(made: Chain, dice: random.Random) -> None:
    """Pay funding, and trade by hand, out and back, while nobody counts."""
    pay_funding(made.sim, dice.choice(("0.0003", "-0.0002")))
    made.place(Side.BUY)
    made.place(Side.SELL)


async def _agrees(made: Chain, maker: Process) -> bool:
    return is_exact(differences(await in_thread(get, maker, "/status"), made))
