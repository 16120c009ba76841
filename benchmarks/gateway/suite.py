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
from benchmarks.gateway.fresh import fresh
from benchmarks.gateway.memory import memory
from benchmarks.gateway.profiles import profile
from benchmarks.gateway.rig import Options
from benchmarks.gateway.streams import fanout, latency, stopped
from benchmarks.gateway.venue import venue
from benchmarks.measure import Result

ROWS: dict[str, Callable[[Options], Coroutine[Any, Any, list[Result]]]] = {
    "read": read,
    "place": place,
    "venue": venue,
    "fanout": fanout,
    "latency": latency,
    "stopped": stopped,
    "fresh": fresh,
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


def run(options: argparse.Namespace, file: Path) -> None:
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
        results: list[Result] = []
        try:
            for row in rows:
                print(f"gateway: {row}", file=sys.stderr)
                measured = runner.run(ROWS[row](sizes))
                write(file, row, measured, quick=options.quick)
                results += measured
        finally:
            if results:
                report("The connector, each result beside its floor in the same run (p50 / p99)", results)


def write(file: Path, row: str, results: list[Result], *, quick: bool) -> None:
    """Put one row in the file, each with the machine as it was then; the others stay."""
    rows = json.loads(file.read_text()) if file.exists() else {}
    rows[row] = machine.facts() | {"quick": quick, "results": [asdict(one) | {"met": one.met} for one in results]}
    file.write_text(json.dumps(rows, indent=2) + "\n")


def report(title: str, results: list[Result]) -> None:
    """Print the results as a table."""
    table = Table(title=title, box=box.SIMPLE)
    for column in ("row", "what", "detail"):
        table.add_column(column)
    for column in ("measured", "goal"):
        table.add_column(column, justify="right", no_wrap=True)
    for result in results:
        colour = {True: "green", False: "red", None: "dim"}[result.met]
        value = f"[{colour}]{number_of(result.value)}{result.unit}"
        table.add_row(result.row, result.what, result.detail, value, goal_of(result))
    Console(width=130).print(table)


def goal_of(result: Result) -> str:
    """Write a goal as it is shown; empty where there is none."""
    if result.goal is None:
        return ""
    return f"{'>=' if result.at_least else '<='} {number_of(result.goal)}{result.unit}"


def number_of(value: float) -> str:
    """Write a number as it is shown."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
