"""exchange-connector with a leak on purpose, run to prove that a soak would see one."""

from __future__ import annotations

import sys
from typing import Any

from opensqt.connector.__main__ import main
from opensqt.exchange.feed import Feed

_KEPT: list[Any] = []
_BYTES = 50_000


def _leak() -> None:
    subscribe = Feed.subscribe

    def subscribe_and_keep(self: Feed[Any], **given: Any) -> Any:
        _KEPT.append(bytearray(_BYTES))
        return subscribe(self, **given)

    Feed.subscribe = subscribe_and_keep  # type: ignore[method-assign]


if __name__ == "__main__":
    _leak()
    sys.exit(main())
