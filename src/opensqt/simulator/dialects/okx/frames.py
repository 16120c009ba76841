"""Frames of OKX's streams: `{"arg": ..., "data": [...]}`, each encoded once for all subscribers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from opensqt.simulator.dialects.base import World
from opensqt.simulator.dialects.okx.subscriptions import Subscription
from opensqt.simulator.sockets import Socket


class Sender:
    """Sends frames to subscribers, and records when each connection was last active."""

    def __init__(self, world: World) -> None:
        self._subscriptions = world.subscriptions
        self._monotonic_ms = world.monotonic_ms

    def subscribe(self, socket: Socket, topic: str, channel: Subscription) -> bool:
        """Subscribe a connection to a topic; return whether the subscription is new."""
        if not self._subscriptions.subscribe(socket, topic):
            return False
        socket.channels.update(channel.fine.split("+"))
        return True

    def unsubscribe(self, socket: Socket, topic: str, channel: Subscription) -> None:
        """End a subscription."""
        if self._subscriptions.unsubscribe(socket, topic):
            socket.channels.subtract(channel.fine.split("+"))

    def has_subscribers(self, topic: str) -> bool:
        """Return whether a topic has subscribers."""
        return bool(self._subscriptions.subscribers(topic))

    def send(self, topic: str, channel: Subscription, rows: Sequence[Any], **more: Any) -> None:
        """Send rows to all subscribers of a topic."""
        listeners = list(self._subscriptions.subscribers(topic))
        if not listeners:
            return
        frame = encode(channel, rows, **more)
        for socket in listeners:
            self.mark_active(socket)
            socket.send(frame, channel.fine)

    def send_to(self, socket: Socket, channel: Subscription, rows: Sequence[Any], **more: Any) -> None:
        """Send rows to one connection."""
        self.mark_active(socket)
        socket.send(encode(channel, rows, **more), channel.fine)

    def mark_active(self, socket: Socket) -> None:
        """Record that a connection is in use."""
        socket.state["used_ms"] = self._monotonic_ms()


def encode(channel: Subscription, rows: Sequence[Any], **more: Any) -> bytes:
    """Encode a frame."""
    return orjson.dumps({"arg": channel.arg, **more, "data": list(rows)})
