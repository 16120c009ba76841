"""An alert, and the condition that causes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class AlertLevel(IntEnum):
    """How urgent an alert is."""

    INFO = 1
    WARNING = 2
    """Something does not work as it should; nothing is lost while it lasts."""
    CRITICAL = 3
    """A person is needed: money is exposed, or trading has ended."""


class AlertKind(StrEnum):
    """What an alert reports."""

    RAISED = "raised"
    REPEATED = "repeated"
    """The problem lasts."""
    RESOLVED = "resolved"
    NOTE = "note"
    """An event, such as the summary of a day: it is not resolved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A problem that exists now."""

    key: str
    """The same while the problem lasts, whatever numbers its text has."""
    level: AlertLevel
    text: str
    advice: str
    """What to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message."""

    key: str
    kind: AlertKind
    level: AlertLevel
    title: str
    body: str
