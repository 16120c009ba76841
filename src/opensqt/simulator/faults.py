"""The fault script: faults by operation or channel, with their number and duration.

A fault names an operation or a channel, never a path, so that one script works on every venue.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from opensqt.config.load import Section

Operation = Literal[
    "any",
    "place_order",
    "batch_place",
    "amend_order",
    "cancel_order",
    "batch_cancel",
    "cancel_all",
    "get_order",
    "open_orders",
    "account",
    "positions",
    "fills",
    "listen_key",
    "market_data",
    "time",
    "settings",
    "countdown",
    "login",
]
FaultChannel = Literal[
    "any",
    "market",
    "private",
    "price",
    "kline",
    "depth",
    "trades",
    "mark_price",
    "ticker",
    "orders",
    "account",
    "positions",
    "answers",
]
PRIVATE_CHANNELS = frozenset({"orders", "account", "positions"})
ANSWERS = "answers"
"""Channel of the answers to order requests that came over a WebSocket."""


class FaultKind(StrEnum):
    """Kind of a fault."""

    DROP_REPLY = "drop_reply"
    DELAY = "delay"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    TIMEOUT_UNKNOWN = "timeout_unknown"
    RATE_LIMITED = "rate_limited"
    BANNED = "banned"
    REFUSE = "refuse"
    UNREACHABLE = "unreachable"
    IGNORE = "ignore"
    LOSE_REQUEST = "lose_request"
    LOSE_ANSWER = "lose_answer"
    HIDE_ORDERS = "hide_orders"
    DROP_FRAMES = "drop_frames"
    CUT = "cut"
    MUTE = "mute"
    REPEAT = "repeat"
    REORDER = "reorder"
    REFUSE_CONNECT = "refuse_connect"
    EXPIRE_LISTEN_KEY = "expire_listen_key"
    UNKNOWN_FIELD = "unknown_field"
    MALFORMED = "malformed"
    UNKNOWN_ID = "unknown_id"
    MISSING_ID = "missing_id"


REQUEST_KINDS = frozenset(
    {
        FaultKind.DROP_REPLY,
        FaultKind.DELAY,
        FaultKind.ERROR_BEFORE,
        FaultKind.ERROR_AFTER,
        FaultKind.TIMEOUT_UNKNOWN,
        FaultKind.RATE_LIMITED,
        FaultKind.BANNED,
        FaultKind.REFUSE,
        FaultKind.UNREACHABLE,
        FaultKind.IGNORE,
    }
)
SOCKET_REQUEST_KINDS = frozenset({FaultKind.LOSE_REQUEST, FaultKind.LOSE_ANSWER})
"""Of requests over a WebSocket only: the connection stays open."""
ANSWER_KINDS = frozenset({FaultKind.UNKNOWN_ID, FaultKind.MISSING_ID})
"""Of the frames that answer a request."""
FRAME_KINDS = ANSWER_KINDS | frozenset(
    {
        FaultKind.DROP_FRAMES,
        FaultKind.MUTE,
        FaultKind.REPEAT,
        FaultKind.REORDER,
        FaultKind.UNKNOWN_FIELD,
        FaultKind.MALFORMED,
    }
)
ACTION_KINDS = frozenset({FaultKind.CUT, FaultKind.EXPIRE_LISTEN_KEY})
"""Executed at once when added, not when a request or a frame matches."""


class Fault(Section):
    """One fault. The fields that apply depend on the kind."""

    kind: FaultKind
    on: Operation = "any"
    """The requests that it applies to."""
    channel: FaultChannel = "any"
    """The streams that it applies to."""
    times: int | None = Field(default=None, ge=0)
    """Maximum number of times; 0 means no limit. By default 1, or no limit when `for_ms` or `probability` is given."""
    probability: Decimal | None = Field(default=None, gt=0, le=1)
    for_ms: int | None = Field(default=None, gt=0)
    """Duration from now on; for hide_orders, how long an order stays hidden after it was accepted."""
    skip: int = Field(default=0, ge=0)
    """Number of requests, frames or repetitions to let pass first."""
    delay_ms: int = Field(default=0, ge=0)
    before: bool = True
    """delay: wait before the request is executed, or after."""
    status: int | None = Field(default=None, ge=400, le=599)
    """HTTP status of the error."""
    code: str = ""
    """The venue's error code; empty means the venue's regular one."""
    message: str = ""
    retry_after_s: int = Field(default=1, ge=0)
    copies: int = Field(default=3, ge=2)
    """repeat: times that each frame is sent. expire_listen_key: expiry events of each key (default 1)."""
    window: int = Field(default=5, ge=2)
    """reorder: number of frames that are shuffled together."""
    every_ms: int = Field(default=1000, gt=0)
    """cut, expire_listen_key: the time between two repetitions."""

    @model_validator(mode="before")
    @classmethod
    def _code_may_be_a_number(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("code"), int):
            return {**values, "code": str(values["code"])}
        return values

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind is FaultKind.DELAY and not self.delay_ms:
            raise ValueError("delay: delay_ms: expected above zero")
        if self.kind is FaultKind.REFUSE and not self.code:
            raise ValueError("refuse: code: expected the venue's error code")
        if self.kind is FaultKind.HIDE_ORDERS and self.for_ms is None:
            raise ValueError("hide_orders: for_ms: expected how long an order stays hidden")
        if self.kind in ACTION_KINDS and self.times == 0 and self.for_ms is None:
            raise ValueError(f"{self.kind}: times 0 needs for_ms, or it never ends")
        return self

    @property
    def limit(self) -> int:
        """Maximum number of times; 0 means no limit."""
        if self.times is not None:
            return self.times
        open_ended = self.for_ms is not None or self.probability is not None or self.kind is FaultKind.MUTE
        return 0 if open_ended else 1

    def concerns_channel(self, channel: str) -> bool:
        """Return whether a frame of *channel* matches: a fine name, or several joined by + if one frame has both."""
        names = channel.split("+")
        if self.kind in ANSWER_KINDS:
            return ANSWERS in names
        if self.channel == "any" or self.channel in names:
            return True
        if names == [ANSWERS]:
            return False
        private = not PRIVATE_CHANNELS.isdisjoint(names)
        return self.channel == ("private" if private else "market")


class FaultFile(Section):
    """A fault script in a file or a request: `{"faults": [...]}`."""

    faults: list[Fault]


@dataclass(slots=True, eq=False)
class Armed:
    """A fault that was added, with its counters."""

    fault: Fault
    since_ms: int
    matches: int = 0
    hits: int = 0

    def ended(self, now_ms: int) -> bool:
        """Return whether it can't happen any longer."""
        if self.fault.limit and self.hits >= self.fault.limit:
            return True
        lasts = self.fault.for_ms
        return lasts is not None and self.fault.kind is not FaultKind.HIDE_ORDERS and now_ms >= self.since_ms + lasts


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """The faults of one request."""

    delay_before_ms: int = 0
    delay_after_ms: int = 0
    ignored: bool = False
    outcome_fault: Fault | None = None
    """The fault that decides how the request ends, if any."""


NO_FAULTS = RequestPlan()


class FaultScript:
    """The faults that are armed now.

    Args:
        now_ms: A monotonic clock.
        seed: Makes `probability` repeatable.
    """

    def __init__(self, now_ms: Callable[[], int], *, seed: int) -> None:
        self._now_ms = now_ms
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._armed: list[Armed] = []
        self._open: list[Armed] = []
        """Those that had not ended when the last one was added: a request looks at no others."""
        self._frames: list[Armed] = []
        """Those of them that concern frames."""
        self._hidden_ms = 0
        self._watchers: list[Callable[[Armed], None]] = []

    def watch(self, on_action: Callable[[Armed], None]) -> None:
        """Call *on_action* for each added fault that is executed at once."""
        self._watchers.append(on_action)

    def add(self, *faults: Fault) -> None:
        """Add faults."""
        now = self._now_ms()
        self._open = [armed for armed in self._open if not armed.ended(now)]
        for fault in faults:
            armed = Armed(fault, now)
            self._armed.append(armed)
            if fault.kind is FaultKind.HIDE_ORDERS:
                self._hidden_ms = max(self._hidden_ms, fault.for_ms or 0)
            else:
                self._open.append(armed)
            if fault.kind in ACTION_KINDS:
                for on_action in self._watchers:
                    on_action(armed)
        self._frames = [armed for armed in self._open if armed.fault.kind in FRAME_KINDS]

    def clear(self) -> None:
        """Remove all faults."""
        self._armed.clear()
        self._open, self._frames = [], []
        self._hidden_ms = 0

    @property
    def has_frame_faults(self) -> bool:
        """Whether any fault concerns frames; lets a stream skip the check."""
        return bool(self._frames)

    def live(self, armed: Armed) -> bool:
        """Whether a fault may still happen: it has not ended and was not cleared."""
        return armed in self._armed and not armed.ended(self._now_ms())

    def try_action(self, armed: Armed) -> bool:
        """Return whether a fault of ACTION_KINDS happens now, and count it if so."""
        return self.live(armed) and self._happens(armed)

    def listing(self) -> list[dict[str, Any]]:
        """Return every fault that was added since the last clear, with the number of times that it happened."""
        now = self._now_ms()
        return [
            {
                **armed.fault.model_dump(mode="json", exclude_unset=True),
                "hits": armed.hits,
                "active": not armed.ended(now),
            }
            for armed in self._armed
        ]

    def plan_request(self, operation: str, *, over_socket: bool = False) -> RequestPlan:
        """Decide on the faults of one request and count them; the first fault that ends it wins, delays add up."""
        kinds = REQUEST_KINDS | SOCKET_REQUEST_KINDS if over_socket else REQUEST_KINDS
        if not self._open:
            return NO_FAULTS
        before = after = 0
        ignored = False
        outcome_fault: Fault | None = None
        for armed in self._open:
            fault = armed.fault
            if fault.kind not in kinds or fault.on not in ("any", operation):
                continue
            ends_it = fault.kind not in (FaultKind.DELAY, FaultKind.IGNORE)
            if (ends_it and outcome_fault is not None) or not self._happens(armed):
                continue
            if fault.kind is FaultKind.DELAY:
                before, after = (before + fault.delay_ms, after) if fault.before else (before, after + fault.delay_ms)
            elif fault.kind is FaultKind.IGNORE:
                ignored = True
            else:
                outcome_fault = fault
        return RequestPlan(before, after, ignored, outcome_fault)

    def take_frame_faults(self, channel: str) -> list[Fault]:
        """Return the faults of one frame of a channel, and count them."""
        return [armed.fault for armed in self._frames if armed.fault.concerns_channel(channel) and self._happens(armed)]

    def try_refuse_connection(self, channels: Iterable[str]) -> bool:
        """Return whether a new connection that may carry these channels is refused, and count the fault if so."""
        names = list(channels)
        return any(
            armed.fault.kind is FaultKind.REFUSE_CONNECT
            and any(armed.fault.concerns_channel(name) for name in names)
            and self._happens(armed)
            for armed in self._open
        )

    def hidden_ms(self) -> int:
        """Return how long an order is hidden from queries after it was accepted; 0 when it is not."""
        return self._hidden_ms

    def _happens(self, armed: Armed) -> bool:
        if armed.ended(self._now_ms()):
            return False
        armed.matches += 1
        if armed.matches <= armed.fault.skip:
            return False
        chance = armed.fault.probability
        if chance is not None and self._random.random() >= chance:
            return False
        armed.hits += 1
        return True
