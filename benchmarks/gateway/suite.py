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
                figures += runner.run(ROWS[row](sizes))
        finally:
            if figures:
                _report(figures, results)


def _report(figures: list[Figure], results: Path) -> None:
    table = Table(title="The connector, each figure beside its floor in the same run (p50 / p99)", box=box.SIMPLE)
    for column in ("row", "what", "detail"):
        table.add_column(column)
    for column in ("measured", "goal"):
        table.add_column(column, justify="right", no_wrap=True)
    for figure in figures:
        colour = {True: "green", False: "red", None: "dim"}[figure.met]
        value = f"[{colour}]{_number(figure.value)}{figure.unit}"
        table.add_row(figure.row, figure.what, figure.detail, value, _goal(figure))
    Console(width=130).print(table)
    told = machine.facts() | {"figures": [asdict(figure) | {"met": figure.met} for figure in figures]}
    results.write_text(json.dumps(told, indent=2) + "\n")


def _goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    return f"{'>=' if figure.at_least else '<='} {_number(figure.goal)}{figure.unit}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
