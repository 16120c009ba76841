"""Suite `engine`: one decision of the market maker with 20, 200 and 2,000 levels, this build's and others' in turns.

What is measured is the CPU time of the engine's thread: a decision waits for nothing, and on a busy machine the wall
clock shows what else runs there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.checkout import HERE, checkout
from benchmarks.gateway import suite
from benchmarks.measure import Result, percentile

LEVELS = (20, 200, 2_000)
THIS = "this"
_TEXTS = {"step": "price event to commands", "fill": "fill to commands", "lay": "laying the whole grid"}
_GOALS = {"step": 1 / 100, "fill": 1 / 50, "lay": 1 / 40}
"""At the most levels, of the other build's time."""

Times = dict[tuple[str, str, int], list[float]]
"""Microseconds by build, what was measured, and levels."""


@dataclass(frozen=True)
class Sizes:
    """How often each thing is measured."""

    rounds: int
    calls: int
    """In one round."""
    lays: int
    """Whole grids."""


class Worker:
    """A process with one build's engine."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, *request: object) -> list[Any]:
        """Return the answer: the microseconds that each call took, where something was measured."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(*request, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the worker ended at {request}")
        answers: list[Any] = json.loads(answer)
        return answers


def run(options: argparse.Namespace, file: Path) -> None:
    """Measure, print the table, write the file. A goal that is missed is no failure of the command."""
    sizes = Sizes(rounds=3, calls=20, lays=1) if options.quick else Sizes(rounds=10, calls=40, lays=3)
    with ExitStack() as stack:
        builds = {THIS: HERE} | {name: stack.enter_context(checkout(name)) for name in options.other or ()}
        workers = {name: stack.enter_context(worker(folder)) for name, folder in builds.items()}
        times = _measured(workers, sizes)
    results = list(_results(times, list(workers)))
    suite.write(file, "engine", results, quick=options.quick)
    suite.report("A decision of the market maker (CPU, p50 / p99 in microseconds)", results)


def _measured(workers: Mapping[str, Worker], sizes: Sizes) -> Times:
    """Measure each thing in each build, the builds in turns."""
    times: Times = {(name, what, levels): [] for name in workers for what in _TEXTS for levels in LEVELS}
    for levels in LEVELS:
        calls = (sizes.rounds, (sizes.calls,))
        requests = {"lay": (sizes.lays, ()), "step": calls, "fill": calls}
        for what, (rounds, numbers) in requests.items():
            print(f"engine: {what}, {levels} levels", file=sys.stderr)
            for number in range(rounds):
                # The order is reversed each round, so that no build always follows the same other.
                for name in list(workers)[:: 1 if number % 2 else -1]:
                    times[name, what, levels] += workers[name].ask(what, levels, *numbers)
            check_same(workers, levels)
    return times


def check_same(workers: Mapping[str, Worker], levels: int) -> None:
    """Make sure that the builds did the same work.

    Raises:
        RuntimeError: Their live orders differ.
    """
    live = {name: worker.ask("orders", levels) for name, worker in workers.items()}
    if differ := [name for name in live if live[name] != live[THIS]]:
        raise RuntimeError(f"other orders are live in {', '.join(differ)} than in this build, with {levels} levels")


def _results(times: Times, builds: list[str]) -> Iterator[Result]:
    for what, text in _TEXTS.items():
        for levels in LEVELS:
            detail = "; ".join(f"{name} {_text(times[name, what, levels])}" for name in builds)
            ours = percentile(times[THIS, what, levels], 0.5)
            yield Result(what, f"{text}, {levels:,} levels", ours, None, unit=" us", detail=detail)
        for name in builds[1:]:
            shares = [_share(times, what, name, rank) for rank in (0.5, 0.99)]
            detail = f"p50 1/{1 / shares[0]:.0f}, p99 1/{1 / shares[1]:.0f}"
            yield Result(what, f"share of {name}, {LEVELS[-1]:,} levels", shares[0], _GOALS[what], detail=detail)
    few, many = (percentile(times[THIS, "step", levels], 0.5) for levels in (LEVELS[0], LEVELS[-1]))
    yield Result("step", f"{LEVELS[-1]:,} levels beside {LEVELS[0]}", many / few, 1.5)


def _share(times: Times, what: str, name: str, rank: float) -> float:
    ours, other = (percentile(times[build, what, LEVELS[-1]], rank) for build in (THIS, name))
    return ours / other


def _text(times: list[float]) -> str:
    return f"{percentile(times, 0.5):,.0f} / {percentile(times, 0.99):,.0f}"


@contextmanager
def worker(build: Path) -> Iterator[Worker]:
    """Run a build's engine.

    Args:
        build: Folder of its sources.

    Raises:
        RuntimeError: Another build's sources were imported.
    """
    environment = os.environ | {"PYTHONPATH": str(build / "src")}
    command = [sys.executable, "-m", "benchmarks.engine.worker"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=HERE
    ) as process:
        try:
            started = Worker(process)
            [source] = started.ask("source")
            if not Path(source).is_relative_to(build):
                raise RuntimeError(f"the engine of {source} was measured for that of {build}")
            yield started
        finally:
            if process.stdin is not None:
                process.stdin.close()
