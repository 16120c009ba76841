"""Which alerts are sent: each problem once when it comes and once when it has gone, and never a flood."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from opensqt.config.alerts import AlertsSettings
from opensqt.market_maker.alerts.catalogue import split_symbol
from opensqt.market_maker.alerts.message import Alert, AlertKind, AlertLevel, Condition

_HOUR_S = 3600.0


@dataclass(slots=True)
class _Problem:
    condition: Condition
    since: float
    gone_at: float | None = None
    sent_at: float | None = None
    """When the last message about it was sent; None before the first."""


@dataclass(slots=True)
class _SentLately:
    """The messages of the last hour, of one problem or of all."""

    sent: deque[float] = field(default_factory=deque)

    def count(self, now: float) -> int:
        while self.sent and self.sent[0] <= now - _HOUR_S:
            self.sent.popleft()
        return len(self.sent)


class AlertPolicy:
    """Turns the problems that exist into the messages to send. Times are monotonic seconds.

    Args:
        settings: Delays and limits.
        subject: The beginning of every title, such as the symbol.
    """

    def __init__(self, settings: AlertsSettings, subject: str) -> None:
        self.settings = settings
        self._subject = subject
        self._problems: dict[str, _Problem] = {}
        self._windows: dict[str, _SentLately] = {}
        self._all = _SentLately()
        self._symbols: dict[str, _SentLately] = {}
        self._held_back: set[tuple[str, AlertKind, float]] = set()

    @property
    def suppressed(self) -> int:
        """Number of messages that the limits held back since the last one that was sent."""
        return len(self._held_back)

    @property
    def open(self) -> list[str]:
        """The keys of the problems that were sent and not resolved."""
        return sorted(key for key, problem in self._problems.items() if problem.sent_at is not None)

    def update(self, conditions: Iterable[Condition], now: float) -> list[Alert]:
        """Return the messages to send, now that exactly these problems exist."""
        self._windows = {key: window for key, window in self._windows.items() if window.count(now)}
        there = {condition.key: condition for condition in conditions}
        alerts = [alert for key, condition in there.items() if (alert := self._exists(key, condition, now))]
        alerts += [alert for key in self._problems.keys() - there.keys() if (alert := self._absent(key, now))]
        return alerts

    def note(self, key: str, level: AlertLevel, title: str, body: str, now: float) -> list[Alert]:
        """Return the message of an event; none where the limits hold it back."""
        alert = self._message(key, AlertKind.NOTE, level, title, body, now)
        return [alert] if alert is not None else []

    def _exists(self, key: str, condition: Condition, now: float) -> Alert | None:
        problem = self._problems.get(key)
        if problem is None:
            problem = self._problems[key] = _Problem(condition, since=now)
        worse = condition.level > problem.condition.level
        problem.condition, problem.gone_at = condition, None
        lasted = now - problem.since
        if lasted < self.settings.after_seconds:
            return None
        body = f"{condition.text}\nWhat to do: {condition.advice}"
        if problem.sent_at is None:
            kind, title = AlertKind.RAISED, key
        elif worse or now - problem.sent_at >= self.settings.repeat_seconds:
            kind, title = AlertKind.REPEATED, f"{key}, for {duration(lasted)}"
        else:
            return None
        alert = self._message(key, kind, condition.level, title, body, now)
        if alert is not None:
            problem.sent_at = now
        return alert

    def _absent(self, key: str, now: float) -> Alert | None:
        problem = self._problems[key]
        if problem.gone_at is None:
            problem.gone_at = now
        if problem.sent_at is not None and now - problem.gone_at < self.settings.after_seconds:
            return None
        if problem.sent_at is None:
            del self._problems[key]
            return None
        lasted = duration(problem.gone_at - problem.since)
        body = f"It lasted {lasted}: {problem.condition.text}"
        alert = self._message(key, AlertKind.RESOLVED, problem.condition.level, f"resolved: {key}", body, now)
        if alert is not None or now - problem.gone_at > _HOUR_S:
            del self._problems[key]
        return alert

    def _message(self, key: str, kind: AlertKind, level: AlertLevel, title: str, body: str, now: float) -> Alert | None:
        """Return the message, or count it as held back."""
        window = self._windows.setdefault(key, _SentLately())
        limit = self.settings.per_hour if level is AlertLevel.CRITICAL else self.settings.per_hour * 3 // 4
        problem = self._problems.get(key)
        episode = (key, kind, problem.since if problem is not None else now)
        symbol = split_symbol(key)[0]
        # One of several symbols leaves half of the messages to the others.
        of_symbol = self._symbols.setdefault(symbol, _SentLately()) if symbol else _SentLately()
        is_full = self._all.count(now) >= limit or of_symbol.count(now) >= limit // 2
        if window.count(now) >= self.settings.per_problem_per_hour or is_full:
            self._held_back.add(episode)
            return None
        self._held_back.discard(episode)
        window.sent.append(now)
        of_symbol.sent.append(now)
        self._all.sent.append(now)
        if self._held_back:
            body += f"\nHeld back before this one by the limits on messages in an hour: {len(self._held_back)}."
            self._held_back.clear()
        return Alert(key=key, kind=kind, level=level, title=f"{self._subject}: {title}", body=body)


def duration(seconds: float) -> str:
    """Return a duration for a person: the two largest units."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
