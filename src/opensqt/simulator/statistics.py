"""Counters of the server, which `GET /_sim/ledger` shows."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Statistics:
    """Requests, refusals, connections and frames since the start."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.connections_opened: Counter[str] = Counter({"market": 0, "private": 0})
        self.frames_sent = 0
        self.frames_dropped = 0

    def as_json(self, connections_open: Counter[str]) -> dict[str, Any]:
        """Return the `statistics` part of the ledger."""
        return {
            "requests": dict(self.requests),
            "refused": dict(self.refused),
            "http_429": self.statuses[429],
            "http_418": self.statuses[418],
            "connections_open": dict(connections_open),
            "connections_opened": dict(self.connections_opened),
            "frames_sent": self.frames_sent,
            "frames_dropped": self.frames_dropped,
        }
