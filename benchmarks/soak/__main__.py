"""Runs a connector over a simulated venue under a mixed load, and ends with 1 when anything grows that should not.

python -m benchmarks.soak --duration 10m
python -m benchmarks.soak --duration 24h --every 60     before a release
OPENSQT_SOAK_LEAK=1 python -m benchmarks.soak --duration 1m     must fail: its connector leaks
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # read by gRPC when it is first imported

import uvloop
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.gateway import venue
from benchmarks.gateway.rig import Options
from benchmarks.soak.load import Load
from benchmarks.soak.picture import sparkline, svg
from benchmarks.soak.slope import Trend, judge
from benchmarks.soak.watch import SERIES, Watch
from opensqt.telemetry import logging

_UNITS_S = {"s": 1, "m": 60, "h": 3600}
_LINES = 30
_SPEED = 20
"""Market seconds in one real second: a lively market."""
_MOST_SAMPLES = 300
Samples = list[tuple[float, dict[str, float]]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, print the trends, write JSON and a picture; return 1 when a slope is not flat."""
    options = _parser().parse_args(arguments)
    logging.configure("ERROR", service="soak")
    every_s = options.every or max(0.5, options.duration / _MOST_SAMPLES)
    with (
        tempfile.TemporaryDirectory() as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        samples, done = runner.run(_soak(Options(Path(folder)), options.duration, every_s))
    trends = _trends(samples, options.judge or list(SERIES))
    _report(samples, trends, done)
    _write(options.results, samples, trends, done)
    return 0 if all(trend.flat for trend in trends) else 1


def _parser() -> argparse.ArgumentParser:
    text, _, examples = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="benchmarks.soak",
        description=text,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--duration", type=_seconds, default=600.0, help="e.g. 30s, 10m, 24h (default: 10m)")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="between two samples (default: by the duration)")
    parser.add_argument("--judge", action="append", choices=SERIES, help="what must be flat, repeatable (default: all)")
    parser.add_argument(
        "--results", type=Path, default=Path(__file__).parents[1] / "results", help="folder to write to"
    )
    return parser


async def _soak(options: Options, duration_s: float, every_s: float) -> tuple[Samples, dict[str, int]]:
    samples: Samples = []
    async with venue.gateway(options, "--speed", str(_SPEED), module="benchmarks.soak.connector") as gateway:
        watch = Watch(gateway.connector.pid, gateway.log)
        load = Load(gateway.connector.address)
        async with load.running() as running:
            started = time.monotonic()
            while (elapsed := time.monotonic() - started) < duration_s:
                await asyncio.wait({running}, timeout=every_s)
                if running.done():
                    await running  # raises what ended it
                samples.append((elapsed, await watch.sample(load.taken())))
                _print_progress(samples, duration_s)
    return samples, dict(load.done)


def _trends(samples: Samples, names: Sequence[str]) -> list[Trend]:
    return [judge(name, SERIES[name][0], _series(samples, name), SERIES[name][1]) for name in names]


def _series(samples: Samples, name: str) -> list[tuple[float, float]]:
    return [(at, sample[name]) for at, sample in samples if name in sample]


def _print_progress(samples: Samples, duration_s: float) -> None:
    """Say how it goes, some thirty times in a run."""
    at, sample = samples[-1]
    before = samples[-2][0] if len(samples) > 1 else -1.0
    line_every_s = duration_s / _LINES
    if int(at / line_every_s) != int(before / line_every_s):
        results = "  ".join(f"{name} {value:.4g}" for name, value in sample.items())
        print(f"{at:7.0f} s of {duration_s:.0f}: {results}", file=sys.stderr)


def _report(samples: Samples, trends: list[Trend], done: dict[str, int]) -> None:
    table = Table(title="A connector under load, its warm-up cut off", box=box.SIMPLE)
    for column in ("what", "over time"):
        table.add_column(column, no_wrap=True)
    for column in ("median", "growth", "allowed", "trend z", "trend"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in trends:
        results = (f"{one.median:.4g} {one.unit}", f"{one.growth:+.3g}", f"{one.allowed:.3g}", f"{one.z:+.1f}")
        said = "[green]flat" if one.flat else "[red]GROWS"
        table.add_row(one.name, sparkline(_series(samples, one.name)), *results, said)
    console = Console(width=120)
    console.print(table)
    console.print("done meanwhile: " + ", ".join(f"{count:,} {what}" for what, count in sorted(done.items())))


def _write(folder: Path, samples: Samples, trends: list[Trend], done: dict[str, int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    report = machine.facts() | {
        "trends": [asdict(one) | {"flat": one.flat} for one in trends],
        "done": done,
        "samples": [{"at_s": round(at, 1)} | {name: round(v, 3) for name, v in each.items()} for at, each in samples],
    }
    (folder / "soak.json").write_text(json.dumps(report) + "\n")
    series = {one.name: _series(samples, one.name) for one in trends}
    title = f"Soak of {samples[-1][0]:.0f} s, {report['measured']}; grey is warm-up"
    (folder / "soak.svg").write_text(svg(title, series, trends))


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number and s, m or h, such as 10m")
    return float(match[1]) * _UNITS_S[match[2]]


if __name__ == "__main__":
    sys.exit(main())
