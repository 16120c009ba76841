"""What a client's run shows: the calls that passed in each step, and the failures that nothing lists as missing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.clients.catalogue import OPTIONAL_STEPS, STEPS, Missing


@dataclass(frozen=True)
class Call:
    """One call of a client, or one message that it waited for."""

    step: str
    name: str
    error: str | None = None


@dataclass(frozen=True)
class Answer:
    """What a call returned, and the type that the client's package declares for it."""

    call: str
    type: str
    value: Any


@dataclass(frozen=True)
class Report:
    """The run of one client."""

    client: str
    calls: tuple[Call, ...]
    answers: tuple[Answer, ...] = ()

    def passed(self, step: str) -> int:
        """Return the number of calls that passed in a step."""
        return sum(call.step == step and call.error is None for call in self.calls)

    def problems(self, listed: Sequence[Missing]) -> list[str]:
        """Return one sentence for each difference from a run in which everything passes but what is *listed*."""
        missing = [one.call for one in listed]
        said = [
            f"{self.client}: {call.step}: {call.name}: {call.error}"
            for call in self.calls
            if call.error is not None and call.name not in missing
        ]
        said += [
            f"{self.client}: {step}: no call passed"
            for step in STEPS
            if step not in OPTIONAL_STEPS and not self._tried(step)
        ]
        failed = {call.name for call in self.calls if call.error is not None}
        passed = {call.name for call in self.calls} - failed
        said += [f"{self.client}: {name} passes: strike it from exceptions.toml" for name in missing if name in passed]
        unknown = [name for name in missing if name not in passed | failed]
        said += [f"{self.client}: {name} is in exceptions.toml and was not called" for name in unknown]
        return said

    def _tried(self, step: str) -> bool:
        return any(call.step == step for call in self.calls)


def read(text: str) -> Report:
    """Read the report that a client's script writes.

    Raises:
        ValueError: It is not a report.
    """
    try:
        said = json.loads(text)
        calls = tuple(Call(row["step"], row["call"], row["error"]) for row in said["calls"])
        answers = tuple(Answer(row["call"], row["type"], row["answer"]) for row in said.get("answers", ()))
        return Report(said["client"], calls, answers)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a report of a client: {error!r}") from None


def table(reports: Sequence[Report]) -> str:
    """Write the table of passed calls in Markdown: one row for each step, one column for each client."""
    rows = [["step", *(report.client for report in reports)]]
    rows += [[step, *(_cell(report, step) for report in reports)] for step in STEPS]
    rows.append(["all", *(str(sum(report.passed(step) for step in STEPS)) for report in reports)])
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|---|" + "---:|" * len(reports), *body])


def _cell(report: Report, step: str) -> str:
    """The calls that passed, and of how many if not all did."""
    passed, tried = report.passed(step), sum(call.step == step for call in report.calls)
    return str(passed) if passed == tried else f"{passed} of {tried}"
