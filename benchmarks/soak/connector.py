"""exchange-connector with small memories, so that they are full at once and what grows after that is a leak.

A stream keeps its last 8,192 updates for clients that come back, and an adapter 10,000 closed orders and 100,000 fills.
That is bounded, but it takes hours to fill, and until then growth means nothing.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from opensqt.connector.__main__ import main
from opensqt.streams.feed import Feed
from opensqt.venues.account.tracker import OrderTracker

_UPDATES = 1024
_ORDERS = 256
_FILLS = 64
_LEAKED_BYTES = 250_000
_KEPT: list[Any] = []


def _shrink() -> None:
    bound(Feed, capacity=_UPDATES)
    bound(OrderTracker, closed_limit=_ORDERS, fill_limit=_FILLS)


def bound(kind: Any, **most: int) -> None:
    """Have each instance of *kind* made with at most so much of its keyword-only arguments."""
    make, defaults = kind.__init__, kind.__init__.__kwdefaults__

    def made(self: Any, *args: Any, **given: Any) -> None:
        make(self, *args, **given | {name: min(size, given.get(name, defaults[name])) for name, size in most.items()})

    kind.__init__ = made


def _leak() -> None:
    subscribe = Feed.subscribe

    def subscribe_and_keep(self: Feed[Any], **given: Any) -> Any:
        _KEPT.append(b"x" * (_LEAKED_BYTES + len(_KEPT)))
        return subscribe(self, **given)

    Feed.subscribe = subscribe_and_keep  # type: ignore[method-assign]


if __name__ == "__main__":
    _shrink()
    if os.environ.get("OPENSQT_SOAK_LEAK"):
        _leak()
    sys.exit(main())
