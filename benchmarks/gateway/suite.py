"""Suite `gateway`: every row of the connector's goals, each beside its floor in the same run."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.gateway.calls import place, read
from benchmarks.gateway.memory import memory
from benchmarks.gateway.profiles import profile
from benchmarks.gateway.rig import Options
from benchmarks.gateway.streams import fanout, latency, stopped
from benchmarks.gateway.venue import venue
from benchmarks.measure import Figure

ROWS: dict[str, Callable[[Options], Coroutine[Any, Any, list[Figure]]]] = {
    "read": read,
    "place": place,
    "venue": venue,
    "fanout": fanout,
    "latency": latency,
    "stopped": stopped,
    "memory": memory,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what of this suite can be chosen."""
    group = parser.add_argument_group("suite gateway")
    group.add_argument("--row", action="append", choices=ROWS, help="one of the goals, repeatable (default: all)")
    group.add_argument(
        "--folder",
        type=Path,
        help="where the journals are written; its disk is what an order waits for (default: the temporary folder)",
    )


def run(options: argparse.Namespace, results: Path) -> None:
    """Measure, print the table, write the file. A goal that is missed is no failure of the command."""
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        sizes = Options(Path(folder), quick=options.quick)
        rows = options.row or list(ROWS)
        if options.profile:
            runner.run(profile(rows, sizes))
            return
        figures: list[Figure] = []
        try:
            for row in rows:
                print(f"gateway: {row}", file=sys.stderr)
                measured = runner.run(ROWS[row](sizes))
                _write(results, row, measured, quick=options.quick)
                figures += measured
        finally:
            if figures:
                _report(figures)


def _write(results: Path, row: str, figures: list[Figure], *, quick: bool) -> None:
    """Put one row in the file, each with the machine as it was then; the others stay."""
    told = json.loads(results.read_text()) if results.exists() else {}
    told[row] = machine.facts() | {"quick": quick, "figures": [asdict(one) | {"met": one.met} for one in figures]}
    results.write_text(json.dumps(told, indent=2) + "\n")


def _report(figures: list[Figure]) -> None:
    table = Table(title="The connector, each figure beside its floor in the same run (p50 / p99)", box=box.SIMPLE)
    for column in ("row", "what", "detail"):
        table.add_column(column)
    for column in ("measured", "goal"):
        table.add_column(column, justify="right", no_wrap=True)
    for figure in figures:
        colour = {True: "green", False: "red", None: "dim"}[figure.met]
        value = f"[{colour}]{number_of(figure.value)}{figure.unit}"
        table.add_row(figure.row, figure.what, figure.detail, value, goal_of(figure))
    Console(width=130).print(table)


def goal_of(figure: Figure) -> str:
    """Write a goal as it is shown; empty where there is none."""
    if figure.goal is None:
        return ""
    return f"{'>=' if figure.at_least else '<='} {number_of(figure.goal)}{figure.unit}"


def number_of(value: float) -> str:
    """Write a number as it is shown."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
