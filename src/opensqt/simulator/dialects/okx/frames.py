"""Frames of OKX's streams: `{"arg": ..., "data": [...]}`, each encoded once for all who listen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from opensqt.simulator.dialects.base import World
from opensqt.simulator.dialects.okx.channels import Channel
from opensqt.simulator.sockets import Socket


class Sender:
    """Sends to who listens, and notes when each connection last carried something."""

    def __init__(self, world: World) -> None:
        self._hub = world.hub
        self._monotonic_ms = world.monotonic_ms

    def subscribe(self, socket: Socket, topic: str, channel: Channel) -> bool:
        """Let a connection hear a topic; say whether that is new."""
        if not self._hub.subscribe(socket, topic):
            return False
        socket.channels.update(channel.fine.split("+"))
        return True

    def unsubscribe(self, socket: Socket, topic: str, channel: Channel) -> None:
        """End that."""
        if self._hub.unsubscribe(socket, topic):
            socket.channels.subtract(channel.fine.split("+"))

    def heard(self, topic: str) -> bool:
        """Whether anybody listens."""
        return bool(self._hub.listeners(topic))

    def send(self, topic: str, channel: Channel, rows: Sequence[Any], **more: Any) -> None:
        """Send rows to all who hear a topic."""
        listeners = list(self._hub.listeners(topic))
        if not listeners:
            return
        frame = encode(channel, rows, **more)
        for socket in listeners:
            self.touch(socket)
            socket.send(frame, channel.fine)

    def send_to(self, socket: Socket, channel: Channel, rows: Sequence[Any], **more: Any) -> None:
        """Send rows to one connection."""
        self.touch(socket)
        socket.send(encode(channel, rows, **more), channel.fine)

    def touch(self, socket: Socket) -> None:
        """Note that a connection is in use."""
        socket.state["used_ms"] = self._monotonic_ms()


def encode(channel: Channel, rows: Sequence[Any], **more: Any) -> bytes:
    """Encode a frame."""
    return orjson.dumps({"arg": channel.arg, **more, "data": list(rows)})
