"""Gate's frames: one envelope for all, encoded once for each format of sizes that clients use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from opensqt.simulator.dialects.gate.formats import Sizes
from opensqt.simulator.sockets import Socket


def envelope(channel: str, event: str, time_ms: int, result: Any, **more: Any) -> bytes:
    """Return a message of the server."""
    head = {"time": time_ms // 1000, "time_ms": time_ms, **more, "channel": channel, "event": event}
    return orjson.dumps({**head, "result": result})


def send(
    listeners: Iterable[Socket], fine_channel: str, channel: str, time_ms: int, result: Callable[[Sizes], Any]
) -> None:
    """Send an update to its subscribers; *fine_channel* is its name in a fault script."""
    encoded: dict[bool, bytes] = {}
    for socket in listeners:
        sizes: Sizes = socket.state["sizes"]
        frame = encoded.get(sizes.as_text)
        if frame is None:
            frame = encoded[sizes.as_text] = envelope(channel, "update", time_ms, result(sizes))
        socket.send(frame, fine_channel)
