"""Shows a marathon while it runs, and prints what came of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tests.chaos.marathon.run import CAST, Marathon, Settings, Verdict

_SHOWN = 40
"""Differences told on the screen; the folder has all."""
_EVERY_S = 1.0
_LINE_EVERY_S = 10.0


@asynccontextmanager
async def progress(run: Marathon, console: Console) -> AsyncIterator[None]:
    """Show the run for as long as the block lasts: a live panel on a terminal, else a line every few seconds."""
    showing = asyncio.create_task(_live(run, console) if console.is_terminal else _lines(run, console))
    try:
        yield
    finally:
        showing.cancel()
        with suppress(asyncio.CancelledError):
            await showing


async def _live(run: Marathon, console: Console) -> None:
    with Live(_panel(run), console=console, refresh_per_second=2) as live:
        while True:
            await asyncio.sleep(_EVERY_S)
            live.update(_panel(run))


async def _lines(run: Marathon, console: Console) -> None:
    while True:
        await asyncio.sleep(_LINE_EVERY_S)
        console.print(", ".join(f"{name} {value}" for name, value in _now(run).items()))


def _panel(run: Marathon) -> Table:
    table = Table(title=f"chaos marathon on {run.settings.venue}, seed {run.settings.seed}", show_header=False)
    for name, value in _now(run).items():
        table.add_row(name, str(value))
    return table


def _now(run: Marathon) -> dict[str, Any]:
    left = run.settings.duration_s - (time.monotonic() - run.began)
    account = run.account
    return {
        "time left": f"{max(left, 0):.0f} s" if run.ended is None else "settling",
        "faults": sum(run.asked.values()),
        "hits": sum(run.hits.values()),
        "kills": run.keeper.kills,
        "calls": sum(run.tally.calls.values()),
        "orders": len(account["orders"]),
        "fills": len(account["fills"]),
        "differences now": len(run.differences()),
    }


def tell(verdict: Verdict, settings: Settings, console: Console) -> None:
    """Print the faults, the figures, each client's verdict and the whole one."""
    faults = Table("fault", "asked for", "happened", title="What went wrong")
    for what, (asked, done) in verdict.faults.items():
        faults.add_row(what, str(asked), str(done))
    faults.add_row("in all", *(str(sum(column)) for column in zip(*verdict.faults.values(), strict=True)))
    console.print(faults)
    figures = Table("what", "how much", title="What happened")
    for name, value in verdict.figures.items():
        figures.add_row(name, str(value))
    console.print(figures)
    by_client = Table("client", "differences", "verdict", title="Whose view equals the ledger")
    for name in (*CAST, "ledger", "connector"):
        count = sum(difference.who == name for difference in verdict.differences)
        by_client.add_row(name, str(count), "equal" if not count else "DIFFERS")
    console.print(by_client)
    for difference in verdict.differences[:_SHOWN]:
        console.print(f"{difference.who}: {difference.what}", style="red", highlight=False, markup=False)
        for line in difference.history:
            console.print(f"    {line}", highlight=False, markup=False)
    if verdict.passed:
        console.print(
            f"PASS on {settings.venue} (seed {settings.seed}): all equal {verdict.settled_after_s:.1f} s after"
        )
    else:
        console.print(f"FAIL on {settings.venue} (seed {settings.seed}): {len(verdict.differences)} differences")


def keep(verdict: Verdict, folder: Path) -> None:
    """Write down all that is needed to find out what happened."""
    (folder / "connector.log").write_text(verdict.log)
    lines = []
    for difference in verdict.differences:
        lines += [f"{difference.who}: {difference.what}", *(f"    {line}" for line in difference.history)]
        if difference.order:
            lines += [f"    log {line}" for line in verdict.log.splitlines() if difference.order in line]
    (folder / "differences.txt").write_text("\n".join(lines) + "\n")


def summary(verdict: Verdict, settings: Settings) -> str:
    """Answer the run in JSON."""
    return json.dumps(
        {
            "passed": verdict.passed,
            "venue": settings.venue,
            "seed": settings.seed,
            "duration_s": settings.duration_s,
            "settled_after_s": verdict.settled_after_s,
            "faults": {what: {"asked": asked, "happened": done} for what, (asked, done) in verdict.faults.items()},
            "figures": verdict.figures,
            "differences": [f"{difference.who}: {difference.what}" for difference in verdict.differences],
        },
        indent=2,
    )
