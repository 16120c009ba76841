"""Refusals for good: what the venue refuses, why, and when it is tried again, by reason and not by level alone.

A reason is the venue's code, for entries and for exits apart. Entries that are refused for a reason that is not about
their own price stop all entries; then one is tried at a time, at growing distances. Exits are tried on a schedule of
their own. The first order that is accepted ends it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from opensqt.model.errors import ExchangeError
from opensqt.service.backoff import BackoffTimer
from opensqt.telemetry.logging import redact

ENTRY_BASE_S, ENTRY_CAP_S = 2.0, 300.0
EXIT_BASE_S, EXIT_CAP_S = 1.0, 60.0
REPORTED_AFTER_S = 20.0
"""A refusal that lasts for so long is a problem; sooner when it was met often."""
REPORTED_AFTER = 3
ROTATE_S = 5.0
"""A level that may be tried and is not wanted leaves its place to the next one after so many seconds."""
FORGOTTEN_AFTER_S = 60.0
"""A reason that could have been met again for so long, at least, is over: nothing is wanted that would meet it."""

_BAND = "the level is outside of the prices that the exchange takes now; it is tried again as the price moves"
_RULES = "the symbol's rules are read again; if it goes on, raise trading.order_quantity or set trading.price_interval"
_SYMBOL = "the exchange takes no new positions in this symbol now; `opensqt cancel-all --flatten` closes what is held"
_LIMIT = "lower the leverage at the exchange, or trade less: trading.order_quantity, trading.buy_window_size"
_MODE = "set the position mode or the margin mode at the exchange, then start again"
_AGREEMENT = "sign the agreement, or end the cooling-off period, on the exchange's page"
_OTHER = "look the code up at the exchange; entries begin by themselves when one is accepted"

_ADVICE: dict[str, tuple[str, ...]] = {
    _BAND: (
        *("-4016", "-4024", "-4131", "51006", "51137", "51138", "40815", "40816", "110003"),
        *("PRICE_TOO_DEVIATED", "PRICE_THRESHOLD_EXCEEDED"),
    ),
    _RULES: (
        *("-1111", "-1013", "-4001", "-4002", "-4003", "-4004", "-4005", "-4013", "-4014", "-4023", "-4164"),
        *(
            "51020",
            "51120",
            "51121",
            "51202",
            "40808",
            "43006",
            "43007",
            "45110",
            "45111",
            "45112",
            "45115",
            "10001",
            "110094",
        ),
        *("INVALID_ARGUMENT", "INVALID_PARAM_VALUE", "SIZE_TOO_SMALL", "AMOUNT_TOO_LITTLE", "INVALID_PRECISION"),
        *("ORDER_DENIED", "INVALID_REQUEST"),
    ),
    _SYMBOL: (
        *("-4108", "-4140", "-4141", "51021", "51022", "51027", "51028", "51029", "40309", "40844", "40845", "41114"),
        *("110023", "110074", "CONTRACT_IN_DELISTING", "CONTRACT_NOT_FOUND", "UNKNOWN_SYMBOL"),
    ),
    _LIMIT: (
        *("-2027", "-4400", "-4401", "51004", "51031", "51103", "45117", "40762", "110013"),
        *("RISK_LIMIT_EXCEEDED", "LIQUIDATE_IMMEDIATELY"),
    ),
    _MODE: ("POSITION_MODE_MISMATCH",),
    _AGREEMENT: ("-4192", "-4411"),
}
ADVICE_BY_CODE = {code: advice for advice, codes in _ADVICE.items() for code in codes}
"""What to do, by the venue's code or by our own reason."""


@dataclass(slots=True)
class OrderRefusal:
    """One reason, for entries or for exits, from the first refusal to the next order that is accepted."""

    code: str
    """The venue's code; our own reason where it sent none."""
    message: str
    advice: str
    closes: bool
    since: float
    general: bool
    """Whether it stops every entry: nothing shows yet that it is about certain levels only."""
    timer: BackoffTimer
    count: int = 0
    levels: dict[int, None] = field(default_factory=dict)
    """Levels that were refused, the one that was refused longest ago first."""

    def is_blocked(self, level: int, now: float) -> bool:
        """Return whether a level that was refused has to wait; one of them may be tried when the wait is over."""
        if level not in self.levels:
            return False
        return self.timer.until > now or level != self._candidate(now)

    def next_due(self, now: float) -> float:
        """Return when the next level may be tried."""
        if self.timer.until > now:
            return self.timer.until
        return now + ROTATE_S if len(self.levels) > 1 else float("inf")

    def is_over(self, now: float) -> bool:
        """Return whether each level could have been tried again, and none was."""
        return now > self.timer.until + max(FORGOTTEN_AFTER_S, ROTATE_S * (len(self.levels) + 1))

    def _candidate(self, now: float) -> int:
        levels = list(self.levels)
        return levels[int((now - self.timer.until) / ROTATE_S) % len(levels)]


class OrderRefusals:
    """The reasons for which the venue refuses orders of the grid now."""

    def __init__(self) -> None:
        self.failing: dict[tuple[str, bool], OrderRefusal] = {}
        """By code, and whether of exits."""
        self.total = 0
        """Orders refused since the start, for whatever reason is kept here."""

    def record(self, error: ExchangeError, level: int, *, closes: bool, now: float) -> None:
        """Take in that an order was refused.

        Args:
            error: The venue's, or the connector's.
            level: Of the order.
            closes: Whether it was an exit.
            now: Monotonic seconds.
        """
        self.total += 1
        code = error.venue_code or error.reason
        refusal = self.failing.get((code, closes))
        if refusal is None:
            advice = ADVICE_BY_CODE.get(code) or ADVICE_BY_CODE.get(error.reason) or _OTHER
            base_s, cap_s = (EXIT_BASE_S, EXIT_CAP_S) if closes else (ENTRY_BASE_S, ENTRY_CAP_S)
            refusal = self.failing[code, closes] = OrderRefusal(
                code=code,
                message=redact(error.message),
                advice=advice,
                closes=closes,
                since=now,
                general=not closes and advice != _BAND,
                timer=BackoffTimer(base_s, cap_s),
            )
        refusal.count += 1
        refusal.levels.pop(level, None)
        refusal.levels[level] = None
        if refusal.timer.until <= now:
            # The others of the same moment were on their way already.
            refusal.timer.record_failure(now)

    def accepted(self, level: int, *, closes: bool) -> None:
        """Take in that an order was accepted: its reason is over, or is about other levels."""
        for key, refusal in list(self.failing.items()):
            if refusal.closes is not closes:
                continue
            if level in refusal.levels:
                del self.failing[key]
            else:
                refusal.general = False

    def reset(self) -> None:
        """Forget all: the rules are others, and what was refused may be placed now."""
        self.failing.clear()

    def entries(self, now: float) -> int | None:
        """Return the number of entries that may be tried now; None where no reason stops them."""
        general = [one for one in self._current(now) if one.general]
        if not general:
            return None
        return 0 if any(one.timer.until > now for one in general) else 1

    def is_blocked(self, level: int, now: float) -> bool:
        """Return whether a level has to wait."""
        return any(not one.general and one.is_blocked(level, now) for one in self._current(now))

    def next_due(self, now: float) -> float:
        """Return when something that waits may be tried; infinite without it."""
        return min((one.next_due(now) for one in self.failing.values()), default=float("inf"))

    def problems(self, now: float) -> list[str]:
        """Return a sentence for each reason that lasts: what is refused, since when, why, and what to do."""
        return [_sentence(one, now) for one in self._current(now) if _lasts(one, now)]

    def lasting(self, now: float, *, closes: bool) -> int:
        """Return the number of reasons that last, of entries or of exits."""
        return sum(1 for one in self._current(now) if one.closes is closes and _lasts(one, now))

    def _current(self, now: float) -> list[OrderRefusal]:
        for key in [key for key, one in self.failing.items() if one.is_over(now)]:
            del self.failing[key]
        return list(self.failing.values())


def _lasts(refusal: OrderRefusal, now: float) -> bool:
    return refusal.count >= REPORTED_AFTER or now - refusal.since >= REPORTED_AFTER_S


def _sentence(refusal: OrderRefusal, now: float) -> str:
    what = "exits" if refusal.closes else "entries"
    wait_s = max(0.0, refusal.timer.until - now)
    return (
        f"{what} refused by the exchange for {now - refusal.since:.0f} s: {refusal.code}, {refusal.message};"
        f" tried again in {wait_s:.0f} s; {refusal.advice}"
    )
