"""Suite `engine`: one decision of the market maker with 20, 200 and 2,000 levels, this build's and another's in turns.

What is measured is the CPU time of the engine's thread: a decision waits for nothing, and on a busy machine the wall
clock shows what else runs there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gateway import suite
from benchmarks.measure import Result, percentile

LEVELS = (20, 200, 2_000)
_HERE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Sizes:
    """How often each thing is measured."""

    rounds: int
    calls: int
    """In one round."""


class Worker:
    """A process with one build's engine."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, *request: object) -> list[float]:
        """Return the microseconds that each call took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(*request, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the worker ended at {request}")
        times: list[float] = json.loads(answer)
        return times


def run(options: argparse.Namespace, file: Path) -> None:
    """Measure, print the table, write the file. A goal that is missed is no failure of the command."""
    builds = {"this": _HERE}
    if options.other is not None:
        builds["other"] = options.other.resolve()
    sizes = Sizes(rounds=3, calls=20) if options.quick else Sizes(rounds=10, calls=40)
    with ExitStack() as stack:
        workers = {name: stack.enter_context(_worker(folder)) for name, folder in builds.items()}
        times = {(name, *row): took for name, row, took in _measured(workers, sizes)}
    results = list(_results(times, compared="other" in builds))
    suite.write(file, "engine", results, quick=options.quick)
    suite.report("A decision of the market maker (CPU, p50 / p99 in microseconds)", results)


def _measured(workers: dict[str, Worker], sizes: Sizes) -> Iterator[tuple[str, tuple[str, int], list[float]]]:
    """Measure each thing in each build, the builds in turns."""
    for levels in LEVELS:
        print(f"engine: {levels} levels", file=sys.stderr)
        for name, worker in workers.items():
            yield name, ("lay", levels), worker.ask("lay", levels)
        for what in ("step", "fill"):
            taken: dict[str, list[float]] = {name: [] for name in workers}
            for number in range(sizes.rounds):
                # The order is reversed each round, so that neither build always follows the other.
                for name in list(workers)[:: 1 if number % 2 else -1]:
                    taken[name] += workers[name].ask(what, levels, sizes.calls)
            for name, times in taken.items():
                yield name, (what, levels), times


def _results(times: dict[tuple[str, str, int], list[float]], *, compared: bool) -> Iterator[Result]:
    texts = {"step": "price event to commands", "fill": "fill to commands", "lay": "laying the whole grid"}
    goals = {"step": 1 / 100, "fill": 1 / 50, "lay": 1 / 40}
    for what, text in texts.items():
        for levels in LEVELS:
            ours = times["this", what, levels]
            detail = f"this {_text(ours)}"
            if compared:
                detail += f"; other {_text(times['other', what, levels])}"
            yield Result(what, f"{text}, {levels:,} levels", percentile(ours, 0.5), None, unit=" us", detail=detail)
        if compared:
            ours, other = (percentile(times[name, what, LEVELS[-1]], 0.5) for name in ("this", "other"))
            yield Result(what, f"share of the other build, {LEVELS[-1]:,} levels", ours / other, goals[what])
    few, many = (percentile(times["this", "step", levels], 0.5) for levels in (LEVELS[0], LEVELS[-1]))
    yield Result("step", f"{LEVELS[-1]:,} levels beside {LEVELS[0]}", many / few, 1.5)


def _text(times: list[float]) -> str:
    return f"{percentile(times, 0.5):,.0f} / {percentile(times, 0.99):,.0f}"


@contextmanager
def _worker(build: Path) -> Iterator[Worker]:
    environment = os.environ | {"PYTHONPATH": str(build / "src")}
    command = [sys.executable, str(Path(__file__).with_name("worker.py"))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=build
    ) as process:
        try:
            yield Worker(process)
        finally:
            if process.stdin is not None:
                process.stdin.close()
