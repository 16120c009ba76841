"""Runs every behaviour over every subject, skips by declared capability, and tells at the end what was run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from opensqt.model.account import PositionMode
from opensqt.model.venue import Capabilities
from tests.contract.bench import Bench
from tests.contract.subjects import SUBJECTS

Need = Callable[[Capabilities], bool]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(what, predicate): skip where the declared capabilities lack it")
    config.addinivalue_line("markers", "hedge: open the exchange in hedge mode")


@pytest.fixture(params=SUBJECTS)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    subject = SUBJECTS[request.param]
    mode = PositionMode.HEDGE if request.node.get_closest_marker("hedge") else PositionMode.ONE_WAY
    async with AsyncExitStack() as stack:
        exchange, market = await stack.enter_async_context(subject.open(mode))
        stack.push_async_callback(exchange.close)
        await exchange.start()
        info = await exchange.get_exchange_info()
        able = info.capabilities
        if mode not in able.position_modes:
            pytest.skip(f"{request.param} declares no {mode} mode")
        for marker in request.node.iter_markers("needs"):
            what, has = marker.args
            if not has(able):
                pytest.skip(f"{request.param} declares no {what}")
        yield Bench(exchange, market, info, subject.idempotent)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            name = report.nodeid.rpartition("[")[2].rstrip("]").split("-", 1)
            subject = next(
                (one for one in sorted(SUBJECTS, key=len, reverse=True) if "-".join(name).startswith(one)), ""
            )
            if "tests/contract/" in report.nodeid and subject and (report.when == "call" or outcome != "passed"):
                counts[subject][outcome] += 1
    if not counts:
        return
    terminalreporter.section("contract suite")
    for subject in SUBJECTS:
        told = ", ".join(f"{number} {outcome}" for outcome, number in counts[subject].items())
        terminalreporter.line(f"{subject:16} {told or 'not run'}")
