"""What goes wrong and when: a list drawn from a seed before the run begins."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from opensqt.simulator.faults import Fault, FaultChannel, FaultKind, Operation

KILL = "kill -9 of the connector"
STALL = "stall of the connector"
SKEW = "clock skew"
CRASH = "crash of a client"

_STREAMS: Sequence[str] = ("any", "private", "market", "orders", "price", "positions")
_ORDERS = ("place_order", "batch_place")
_CHANGES = (*_ORDERS, "cancel_order", "batch_cancel", "cancel_all")
_QUERIES = ("get_order", "open_orders", "account", "positions", "fills", "time", "listen_key", "market_data")
assert {*_CHANGES, *_QUERIES, "any", "amend_order", "settings", "countdown", "login"} == set(get_args(Operation))
assert set(_STREAMS) < set(get_args(FaultChannel))


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that goes wrong."""

    at_s: float
    what: str
    fault: Fault | None = None
    value: int = 0
    """Milliseconds of a stall or a skew; the number of the client that crashes."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often, in seconds between two of a kind."""

    fault_s: float = 0.8
    kill_s: float = 30.0
    stall_s: float = 41.0
    skew_s: float = 53.0
    crash_s: float = 8.0


def script(seed: int, duration_s: float, rhythm: Rhythm, *, refusal: str, clients: int) -> list[Step]:
    """Draw what goes wrong.

    Args:
        seed: Same seed, same script.
        duration_s: Of the run; everything is over then.
        rhythm: How often.
        refusal: A code by which the venue refuses an order.
        clients: How many may crash.
    """
    draw = random.Random(seed)
    steps = [Step(at_s, fault.kind.value, fault) for at_s, fault in _faults(draw, duration_s, rhythm.fault_s, refusal)]
    steps += [Step(at_s, KILL) for at_s in _times(draw, duration_s, rhythm.kill_s, even=True)]
    steps += [Step(at_s, STALL, value=draw.randint(3_000, 6_000)) for at_s in _times(draw, duration_s, rhythm.stall_s)]
    skews = (-3_000, -1_000, 0, 1_000, 3_000)
    steps += [Step(at_s, SKEW, value=draw.choice(skews)) for at_s in _times(draw, duration_s, rhythm.skew_s)]
    steps += [Step(at_s, CRASH, value=draw.randrange(clients)) for at_s in _times(draw, duration_s, rhythm.crash_s)]
    return sorted(steps, key=lambda step: step.at_s)


def _times(draw: random.Random, duration_s: float, every_s: float, *, even: bool = False) -> Iterator[float]:
    at_s = 0.0
    while (at_s := at_s + (every_s if even else every_s * draw.uniform(0.6, 1.4))) < duration_s - 1:
        yield at_s


def _faults(draw: random.Random, duration_s: float, every_s: float, refusal: str) -> Iterator[tuple[float, Fault]]:
    """Every kind in turn, the turns shuffled, so that a short run meets all kinds and a long one meets them evenly."""
    menu = list(_menu(draw, refusal).items())
    turn: list[tuple[FaultKind, Callable[[], dict[str, Any]]]] = []
    for at_s in _times(draw, duration_s, every_s):
        if not turn:
            turn = draw.sample(menu, len(menu))
        kind, fields = turn.pop()
        yield at_s, Fault(kind=kind, **fields())


def _menu(draw: random.Random, refusal: str) -> dict[FaultKind, Callable[[], dict[str, Any]]]:
    """Every kind that an honest venue may show. It never bans who behaves, and never says done for what it ignored."""

    def change() -> str:
        return draw.choice(_CHANGES)

    def either() -> str:
        return draw.choice((*_CHANGES, *_QUERIES))

    def few() -> int:
        return draw.randint(1, 3)

    def lasts() -> int:
        return draw.randint(500, 4_000)

    def stream() -> str:
        return draw.choice(_STREAMS)

    return {
        FaultKind.DROP_REPLY: lambda: {"on": change(), "times": few()},
        FaultKind.DELAY: lambda: {
            "on": either(),
            "times": few(),
            "delay_ms": draw.randint(200, 2_500),
            "before": draw.random() < 0.5,
        },
        FaultKind.ERROR_BEFORE: lambda: {"on": either(), "times": few()},
        FaultKind.ERROR_AFTER: lambda: {"on": change(), "times": few()},
        FaultKind.TIMEOUT_UNKNOWN: lambda: {"on": change(), "times": few()},
        FaultKind.RATE_LIMITED: lambda: {"on": either(), "times": 1, "retry_after_s": draw.randint(1, 2)},
        FaultKind.REFUSE: lambda: {"on": draw.choice(_ORDERS), "times": few(), "code": refusal},
        FaultKind.UNREACHABLE: lambda: {"on": "any", "times": few()},
        FaultKind.HIDE_ORDERS: lambda: {"for_ms": draw.randint(500, 3_000)},
        FaultKind.DROP_FRAMES: lambda: {"channel": stream(), "probability": "0.2", "for_ms": lasts()},
        FaultKind.CUT: lambda: {"channel": stream(), "times": few(), "every_ms": draw.randint(200, 1_500)},
        FaultKind.MUTE: lambda: {"channel": stream(), "for_ms": draw.randint(1_000, 8_000)},
        FaultKind.REPEAT: lambda: {"channel": stream(), "copies": 3, "for_ms": lasts()},
        FaultKind.REORDER: lambda: {"channel": stream(), "window": 5, "for_ms": lasts()},
        FaultKind.REFUSE_CONNECT: lambda: {"channel": "any", "for_ms": draw.randint(500, 2_000)},
        FaultKind.EXPIRE_LISTEN_KEY: lambda: {"copies": 2},
        FaultKind.UNKNOWN_FIELD: lambda: {"channel": stream(), "times": 20},
        FaultKind.MALFORMED: lambda: {"channel": stream(), "times": few()},
    }
