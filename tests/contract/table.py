"""The table at the end of a run: what of the contract was tried on whom, and how it went."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import PurePath

import pytest

SUBJECT = "contract subject"
"""The property that a test of the suite carries: the name of who it was run on."""
_OUTCOMES = ("passed", "failed", "error", "skipped")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print subjects by part of the contract; only what is not simply passed is named."""
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for outcome in _OUTCOMES:
        for report in terminalreporter.getreports(outcome):
            # A module that could not be collected has a report without properties.
            subject = dict(getattr(report, "user_properties", ())).get(SUBJECT)
            if subject:
                part = PurePath(report.nodeid.partition("::")[0]).stem.removeprefix("test_")
                counts[str(subject)][part][outcome] += 1
    if not counts:
        return
    parts = sorted({part for told in counts.values() for part in told})
    terminalreporter.section("contract suite")
    terminalreporter.line(" ".join(["subject".ljust(16), *(part.rjust(_width(part)) for part in parts)]))
    for subject in sorted(counts):
        cells = [_cell(counts[subject][part]).rjust(_width(part)) for part in parts]
        terminalreporter.line(" ".join([subject.ljust(16), *cells]))


def _width(part: str) -> int:
    return max(len(part), 10)


def _cell(told: Counter[str]) -> str:
    others = [f"{told[outcome]} {outcome}" for outcome in _OUTCOMES[1:] if told[outcome]]
    return ", ".join([str(told["passed"]), *others])
