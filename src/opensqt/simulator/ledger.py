"""The ledger as tests and the demo read it: one plain dict, every number a decimal string."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opensqt.simulator.engine import Engine


def ledger(engine: Engine, *, finished: bool = False, statistics: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Write down every account.

    Args:
        engine: The venue.
        finished: Whether a recording was played to its end.
        statistics: The server's own counts, taken over as they are.
    """
    raise NotImplementedError
