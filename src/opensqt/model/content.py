"""Comparison of messages by their content, without their times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any

_WHEN = frozenset({"event_time_ms", "received_ns"})


def without_times(kind: type[Any]) -> Callable[[Any], Any]:
    """Return a function that returns all fields of a message of *kind* except its times, as a key for comparison.

    Copies of frozen messages cost several times as much as this, and streams compare at every frame.
    """
    return attrgetter(*(field.name for field in fields(kind) if field.name not in _WHEN))
