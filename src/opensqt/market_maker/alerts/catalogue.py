"""The problems that /health can show, each with its level and what to do; docs/operations.md has the same table.

A problem is a text that begins with its kind: `stale price: the last one is 35 s old`. A part that reports a new kind
adds a row here and one in the document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from opensqt.market_maker.alerts.message import AlertLevel, Condition

_SYMBOL = re.compile(r"[A-Z0-9]{2,}")
_CHECK = re.compile(r"[a-z_]+(:\S+)?")


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind of problem."""

    begins: str
    """How its text begins."""
    level: AlertLevel
    advice: str


PROBLEM_KINDS = (
    ProblemKind(
        "halted",
        AlertLevel.CRITICAL,
        "No entries are placed until it is explained. Compare /status with the exchange's page, then follow the text;"
        " `opensqt reset` lists the ways out.",
    ),
    ProblemKind(
        "ended",
        AlertLevel.CRITICAL,
        "The market maker does not run any more. Read the last lines of its log, mend the cause and start it;"
        " `opensqt status` shows the orders that are open.",
    ),
    ProblemKind(
        "stopped with orders left",
        AlertLevel.CRITICAL,
        "Look with `opensqt status`; `opensqt cancel-all --symbol SYMBOL` ends them.",
    ),
    ProblemKind(
        "does not trade",
        AlertLevel.CRITICAL,
        "One of several symbols has failed: its orders are cancelled, the others trade on. It begins again by itself"
        " within a minute. Mend what its text names; SIGHUP reads the settings file again and begins it at once.",
    ),
    ProblemKind(
        "starting",
        AlertLevel.WARNING,
        "It can't compare its orders with the exchange yet. `opensqt status`: are connector and exchange up?",
    ),
    ProblemKind(
        "stale price",
        AlertLevel.WARNING,
        "Entries are pulled until prices come again. `opensqt status`: is the connector healthy, is the symbol traded?",
    ),
    ProblemKind(
        "reconcile",
        AlertLevel.WARNING,
        "The exchange's state can't be queried; nothing is concluded meanwhile. `opensqt status` shows the red check.",
    ),
    ProblemKind(
        "orders paused",
        AlertLevel.WARNING,
        "The exchange or the connector refuses orders; the text has its reason. It is tried again by itself.",
    ),
    ProblemKind(
        "paused",
        AlertLevel.WARNING,
        "A person paused it. `opensqt resume --config FILE` places entries again.",
    ),
    ProblemKind(
        "exits only: circuit breaker",
        AlertLevel.WARNING,
        "Entries are stopped; they begin by themselves after its cool-down. Mend the cause in its text,"
        " or `opensqt reset --breaker`.",
    ),
    ProblemKind(
        "exits only: risk monitor",
        AlertLevel.WARNING,
        "Volume is high while prices fall. Entries begin by themselves when the watched symbols have recovered.",
    ),
    ProblemKind(
        "exits only: daily loss",
        AlertLevel.CRITICAL,
        "Entries are stopped until 00:00 UTC. Look at what lost; `opensqt reset --breaker` begins sooner.",
    ),
    ProblemKind(
        "exits only: peak loss",
        AlertLevel.CRITICAL,
        "Entries are stopped until a person decides. Look at what lost, then `opensqt reset --breaker`.",
    ),
    ProblemKind(
        "exits only",
        AlertLevel.CRITICAL,
        "A rule of the safety check is broken: its text has the numbers. `market-maker --check` shows all of them.",
    ),
    ProblemKind(
        "database",
        AlertLevel.CRITICAL,
        "Nothing new is placed until it can be written; entries are cancelled. Is its disk full, its server up?"
        " `opensqt doctor --config FILE` looks. Trading goes on by itself.",
    ),
    ProblemKind(
        "outcome unknown",
        AlertLevel.CRITICAL,
        "The connector still asks for these orders. Compare with the exchange's own page; don't place them by hand.",
    ),
    ProblemKind(
        "fills missing",
        AlertLevel.CRITICAL,
        "The exchange reports more filled than it lists as fills. Compare the position with the exchange's own page.",
    ),
    ProblemKind(
        "alerts",
        AlertLevel.WARNING,
        "A target of the alerts takes none. `opensqt alert test --config FILE` says why, for each target.",
    ),
    ProblemKind(
        "settings",
        AlertLevel.WARNING,
        "A stored or changed setting is not in force; the text names it. `opensqt set --config FILE` lists them.",
    ),
    ProblemKind(
        "connector",
        AlertLevel.CRITICAL,
        "The connector does not answer: is its process up? Its lease cancels the orders when this lasts.",
    ),
)
CHECK_ADVICE = "A check of the connector is red: `opensqt status` and docs/operations.md (Health) say what to do."
OTHER_ADVICE = "`opensqt status --config FILE` shows the whole state; docs/operations.md has the runbook."


def split_symbol(text: str) -> tuple[str, str]:
    """Return the symbol that a problem or its key is of, and the rest; the symbol is empty where only one trades."""
    symbol, colon, rest = text.partition(": ")
    return (symbol, rest) if colon and _SYMBOL.fullmatch(symbol) else ("", text)


def condition(problem: str) -> Condition:
    """Return a problem's text as a condition, with its level and its advice."""
    symbol, rest = split_symbol(problem)
    found = _condition(rest)
    return replace(found, key=f"{symbol}: {found.key}", text=problem) if symbol else found


def _condition(problem: str) -> Condition:
    for entry in PROBLEM_KINDS:
        if problem.startswith(entry.begins):
            return Condition(key=entry.begins, level=entry.level, text=problem, advice=entry.advice)
    kind = problem.partition(": ")[0]
    if _CHECK.fullmatch(kind):
        return Condition(key=kind, level=AlertLevel.WARNING, text=problem, advice=CHECK_ADVICE)
    return Condition(key=kind[:60], level=AlertLevel.WARNING, text=problem, advice=OTHER_ADVICE)
