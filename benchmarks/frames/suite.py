"""Suite `frames`: what a frame costs from the socket to a model object, beside ccxt.pro and beside the floor."""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import json
import pstats
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import aiohttp
import uvloop
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.frames.capture import Kind, Way
from benchmarks.frames.feed import READY
from benchmarks.frames.readers import WAYS, Source
from opensqt.venues.factory import VENUES

GOALS = {Way.CCXT: 0.4, Way.BARE: 2.2}
"""What our adapter may cost at most, as a multiple of each other way."""
_TIMEOUT_S = 120
_PACED_EVERY_S = 0.0005
_PACED_SHARE = 10
"""One frame in so many is read paced: that takes its time, and each costs more."""


class Arrival(StrEnum):
    """How frames come in."""

    BURST = "burst"
    """As fast as they are read, so that many wait in the socket: what the reader must stand when the market moves."""
    PACED = "paced"
    """Each is alone, so that it also pays for waking the process up: what the day is made of."""


@dataclass(frozen=True)
class Cost:
    """What one kind of frame costs on one venue, medians in microseconds of CPU; the runs show the spread."""

    venue: str
    kind: Kind
    arrival: Arrival
    frames: int
    published: int
    """Updates that the adapter's reader was given."""
    cpu_us: dict[Way, float]
    runs_us: dict[Way, list[float]]

    def ratio(self, to: Way) -> float:
        return self.cpu_us[Way.ADAPTER] / self.cpu_us[to]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what of this suite can be chosen."""
    group = parser.add_argument_group("suite frames")
    group.add_argument("--venue", action="append", choices=VENUES, help="one of them, repeatable (default: all)")
    group.add_argument("--kind", action="append", choices=list(Kind), type=Kind, help="(default: both)")
    group.add_argument("--frames", type=int, help="in one run (default: 20000; 2000 with --quick)")
    group.add_argument("--repeats", type=int, help="alternating runs of each way (default: 3; 1 with --quick)")


def run(options: argparse.Namespace, results: Path) -> None:
    """Measure, print the table, write the file. A goal that is missed is no failure of the command."""
    options.frames = options.frames or (2_000 if options.quick else 20_000)
    options.repeats = options.repeats or (1 if options.quick else 3)
    costs: list[Cost] = []
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_measure_all(options, costs))
    finally:
        if costs:
            _report(costs, results)


async def _measure_all(options: argparse.Namespace, costs: list[Cost]) -> None:
    for venue in options.venue or VENUES:
        print(f"{venue}: capturing {options.frames} frames of each kind", file=sys.stderr)
        async with _feed(venue, options.frames) as source:
            for kind in options.kind or Kind:
                if options.profile:
                    await _profile(source, kind, options.frames)
                    continue
                costs += [await _measure(source, kind, arrival, options) for arrival in Arrival]


async def _measure(source: Source, kind: Kind, arrival: Arrival, options: argparse.Namespace) -> Cost:
    frames = options.frames if arrival is Arrival.BURST else options.frames // _PACED_SHARE
    runs: dict[Way, list[float]] = {way: [] for way in Way}
    published = 0
    for number in range(options.repeats):
        for way in Way:
            print(f"{source.venue}: {kind}, {arrival}, {way}, run {number + 1}", file=sys.stderr)
            cpu_s, published_now = await _run(source, kind, way, frames, arrival)
            runs[way].append(cpu_s / frames * 1e6)
            published = max(published, published_now)
    medians = {way: statistics.median(some) for way, some in runs.items()}
    return Cost(source.venue, kind, arrival, frames, published, medians, runs)


async def _run(
    source: Source,
    kind: Kind,
    way: Way,
    frames: int,
    arrival: Arrival = Arrival.BURST,
    profile: cProfile.Profile | None = None,
) -> tuple[float, int]:
    """Return the seconds of CPU that the frames took in this process, and the updates that came out of them."""
    async with WAYS[way](source, kind) as read:
        url = f"{source.feed}/send/{kind}/{way}"
        asked = {"frames": frames, "every_s": _PACED_EVERY_S if arrival is Arrival.PACED else 0}
        gc.collect()
        async with aiohttp.ClientSession() as session, session.post(url, params=asked) as answer:
            answer.raise_for_status()
        async with asyncio.timeout(_TIMEOUT_S):
            if profile is not None:
                profile.enable()
            began = time.process_time()
            published = await read(frames)
            cpu_s = time.process_time() - began
            if profile is not None:
                profile.disable()
        return cpu_s, published


async def _profile(source: Source, kind: Kind, frames: int) -> None:
    profile = cProfile.Profile()
    await _run(source, kind, Way.ADAPTER, frames, profile=profile)
    print(f"\n{source.venue}, {kind}, {frames} frames; the profiler itself weighs on many small calls")
    pstats.Stats(profile).sort_stats("tottime").print_stats(30)


@asynccontextmanager
async def _feed(venue: str, frames: int) -> AsyncIterator[Source]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.frames.feed",
        venue,
        str(frames),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_TIMEOUT_S * 2):
            while not (line := (await process.stdout.readline()).decode()).startswith(READY):
                if not line:
                    raise RuntimeError(f"the feed of {venue} ended before it was ready; it says why above")
        feed, venue_url = line.removeprefix(READY).split()
        yield Source(feed, venue_url, venue)
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _report(costs: list[Cost], results: Path) -> None:
    table = Table(title="CPU of the reading process per frame, microseconds (median)", box=box.SIMPLE)
    for column in ("venue", "frame", "arrival"):
        table.add_column(column, no_wrap=True)
    for column in ("bare", "ccxt", "adapter", *(f"to {to}\n<= {goal}" for to, goal in GOALS.items()), "published"):
        table.add_column(column, justify="right")
    for cost in costs:
        ratios = [f"[{'green' if cost.ratio(to) <= goal else 'red'}]{cost.ratio(to):.2f}" for to, goal in GOALS.items()]
        medians = [f"{cost.cpu_us[way]:.1f}" for way in (Way.BARE, Way.CCXT, Way.ADAPTER)]
        table.add_row(cost.venue, cost.kind, cost.arrival, *medians, *ratios, f"{cost.published / cost.frames:.0%}")
    Console(width=100).print(table)
    report = machine.facts() | {
        "goals": GOALS,
        "costs": [asdict(cost) | {"ratios": {to: round(cost.ratio(to), 3) for to in GOALS}} for cost in costs],
    }
    results.write_text(json.dumps(report, indent=2) + "\n")
