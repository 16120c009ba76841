"""The pytest plugin of the contract suite: the `bench` fixture, the markers, and the table at the end of a run.

Name it in the conftest.py of your tests: `pytest_plugins = ["opensqt.testing.contract.plugin"]`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from opensqt.model.account import PositionMode
from opensqt.testing.contract.bench import Bench, Subject

SUBJECT = "contract subject"
PART = "contract part"
"""Properties of a test of the suite: the name of its subject, and the module that the behaviour is in."""
_OUTCOMES = ("passed", "failed", "error", "skipped")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    config.addinivalue_line(
        "markers", "needs_capability(what, predicate): skip where the capabilities of the subject lack it"
    )
    config.addinivalue_line("markers", "hedge_mode: open the subject in hedge mode")


@pytest.fixture
def contract_subject() -> Subject:
    """Override this fixture: return the implementation that the suite runs on."""
    raise pytest.UsageError("the contract suite needs a fixture `contract_subject` that returns a Subject")


@pytest.fixture
async def bench(request: pytest.FixtureRequest, contract_subject: Subject) -> AsyncIterator[Bench]:
    """Open and start the subject; skip the test where a capability is missing."""
    part = request.function.__module__.rpartition(".")[2]
    request.node.user_properties += [(SUBJECT, contract_subject.name), (PART, part)]
    mode = PositionMode.HEDGE if request.node.get_closest_marker("hedge_mode") else PositionMode.ONE_WAY
    async with AsyncExitStack() as stack:
        exchange, market = await stack.enter_async_context(contract_subject.open(mode))
        stack.push_async_callback(exchange.close)
        await exchange.start()
        info = await exchange.get_exchange_info()
        if mode not in info.capabilities.position_modes:
            pytest.skip(f"capability: {contract_subject.name} declares no {mode} mode")
        for marker in request.node.iter_markers("needs_capability"):
            what, is_met = marker.args
            if not is_met(info.capabilities):
                pytest.skip(f"capability: {contract_subject.name} declares no {what}")
        yield Bench(exchange, market, info, contract_subject.idempotent)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a table of subjects by part of the contract: the number of passed tests, and every other outcome."""
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for outcome in _OUTCOMES:
        for report in terminalreporter.getreports(outcome):
            # A module that could not be collected has a report without properties.
            properties = dict(getattr(report, "user_properties", ()))
            if SUBJECT in properties:
                counts[str(properties[SUBJECT])][str(properties[PART])][outcome] += 1
    if not counts:
        return
    parts = sorted({part for by_part in counts.values() for part in by_part})
    terminalreporter.section("contract suite")
    terminalreporter.line(" ".join(["subject".ljust(16), *(part.rjust(_width(part)) for part in parts)]))
    for subject in sorted(counts):
        cells = [_cell(counts[subject][part]).rjust(_width(part)) for part in parts]
        terminalreporter.line(" ".join([subject.ljust(16), *cells]))


def _width(part: str) -> int:
    return max(len(part), 10)


def _cell(outcomes: Counter[str]) -> str:
    others = [f"{outcomes[outcome]} {outcome}" for outcome in _OUTCOMES[1:] if outcomes[outcome]]
    return ", ".join([str(outcomes["passed"]), *others])
