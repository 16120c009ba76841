"""WebSocket connections: bounded buffers, frames that are encoded once, and the faults of the fault script."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from opensqt.simulator.faults import ANSWERS, PRIVATE_CHANNELS, Fault, FaultKind, FaultScript
from opensqt.simulator.statistics import Statistics
from opensqt.telemetry import logging

_log = logging.get_logger("simulator.sockets")
_REORDER_DELAY_S = 0.25
"""Maximum delay of a frame that waits for reordering, though its window is not full."""


_EVENT_NAMES = ("e", "event", "channel", "topic")
"""Fields in which venues name the subject of a frame."""
_ID_NAMES = ("id", "reqId", "request_id", "req_id")
"""Fields in which venues repeat the id of a request."""
_NOBODYS_ID = "987654321"


class Socket:
    """One connection of a client.

    Args:
        ws: Prepared for sending.
        transport: Used to cut the connection without a close frame.
        buffer: Frames that may queue; a client that reads too slowly for it is cut, as venues do.
    """

    def __init__(
        self,
        ws: web.WebSocketResponse,
        transport: asyncio.Transport,
        script: FaultScript,
        statistics: Statistics,
        *,
        buffer: int,
    ) -> None:
        self._ws = ws
        self.transport = transport
        self._script = script
        self._statistics = statistics
        self._buffer = buffer
        self._frames: deque[tuple[bytes, WSMsgType]] = deque()
        self._wake = asyncio.Event()
        self._delayed: list[bytes] = []
        self._shuffle = random.Random(0)  # noqa: S311 - repeatable on purpose
        self.channels: Counter[str] = Counter()
        """Fine channel names that the connection carries now."""
        self.state: dict[str, Any] = {}
        """State of the connection that the dialect keeps."""
        self.headers: Mapping[str, str] = {}
        """Headers of the client's handshake."""
        self.address = ""
        """Address of the client."""
        self.closed = False
        self.pong_at = asyncio.get_running_loop().time()

    @property
    def private(self) -> bool:
        """Whether it carries events of an account, or answers to its orders."""
        return any(self.channels[name] for name in (*PRIVATE_CHANNELS, ANSWERS))

    def mark_private(self) -> None:
        """Count the connection as private, where only its subscriptions show that it is."""
        self._statistics.connections_opened.subtract(("market",))
        self._statistics.connections_opened["private"] += 1

    def concerned_by(self, fault: Fault) -> bool:
        """Return whether the connection carries a fault's channel; one without any channel yet counts as market."""
        carried = [name for name, count in self.channels.items() if count > 0] or ["price"]
        return any(fault.concerns_channel(name) for name in carried)

    def send(self, frame: bytes, channel: str) -> None:
        """Queue a data frame of *channel*, with the faults of the fault script."""
        if not self._script.has_frame_faults:
            self._queue(frame)
            return
        faults = {fault.kind: fault for fault in self._script.take_frame_faults(channel)}
        if FaultKind.DROP_FRAMES in faults or FaultKind.MUTE in faults:
            self._statistics.frames_dropped += 1
            return
        if FaultKind.UNKNOWN_ID in faults or FaultKind.MISSING_ID in faults:
            frame = with_other_id(frame, None if FaultKind.MISSING_ID in faults else _NOBODYS_ID)
        frames = [unknown_event(frame), with_unknown_field(frame)] if FaultKind.UNKNOWN_FIELD in faults else [frame]
        if FaultKind.MALFORMED in faults:
            frames.insert(0, garbled(frame))
        if repeat := faults.get(FaultKind.REPEAT):
            frames *= repeat.copies
        if reorder := faults.get(FaultKind.REORDER):
            self._delay_frames(frames, reorder.window)
            return
        for each in frames:
            self._queue(each)

    def answer(self, frame: bytes) -> None:
        """Queue the answer to an order request, with the faults of the fault script."""
        self.send(frame, ANSWERS)

    def reply(self, frame: bytes) -> None:
        """Queue a reply to another message of the client; faults of frames do not apply to it."""
        self._queue(frame)

    def ping(self) -> None:
        """Queue a ping."""
        self._frames.append((b"", WSMsgType.PING))
        self._wake.set()

    def cut(self) -> None:
        """End the connection at once, without a close frame."""
        self.closed = True
        self.transport.abort()

    async def serve(self, receive: Callable[[Socket, str], None]) -> None:
        """Write queued frames and pass incoming text to *receive*, until the connection ends."""
        writer = asyncio.create_task(self._write())
        try:
            async for message in self._ws:
                if message.type is WSMsgType.TEXT:
                    receive(self, message.data)
                elif message.type is WSMsgType.PING:
                    self._frames.append((message.data, WSMsgType.PONG))
                    self._wake.set()
                elif message.type is WSMsgType.PONG:
                    self.pong_at = asyncio.get_running_loop().time()
        finally:
            self.closed = True
            writer.cancel()
            (outcome,) = await asyncio.gather(writer, return_exceptions=True)
            if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionError):
                _log.error("writer failed", exc_info=outcome)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._frames:
                frame, kind = self._frames.popleft()
                await self._ws.send_frame(frame, kind)
                self._statistics.frames_sent += 1

    def _queue(self, frame: bytes) -> None:
        if self.closed:
            return
        if len(self._frames) >= self._buffer:
            _log.warning("slow reader cut", waiting=len(self._frames))
            self.cut()
            return
        self._frames.append((frame, WSMsgType.TEXT))
        self._wake.set()

    def _delay_frames(self, frames: list[bytes], window: int) -> None:
        if not self._delayed:
            asyncio.get_running_loop().call_later(_REORDER_DELAY_S, self._release)
        self._delayed.extend(frames)
        if len(self._delayed) >= window:
            self._release()

    def _release(self) -> None:
        held, self._delayed = self._delayed, []
        self._shuffle.shuffle(held)
        for frame in held:
            self._queue(frame)


class Subscriptions:
    """The open connections, and the topics that they subscribed to."""

    def __init__(self) -> None:
        self.sockets: dict[Socket, None] = {}
        self._topics: dict[str, dict[Socket, None]] = {}

    def add(self, socket: Socket) -> None:
        """Add a new connection."""
        self.sockets[socket] = None

    def remove(self, socket: Socket) -> None:
        """Remove a connection and all its subscriptions."""
        self.sockets.pop(socket, None)
        for topic in [topic for topic, subscribers in self._topics.items() if socket in subscribers]:
            self.unsubscribe(socket, topic)

    def subscribe(self, socket: Socket, topic: str) -> bool:
        """Subscribe a connection to a topic; return whether the subscription is new."""
        subscribers = self._topics.setdefault(topic, {})
        if socket in subscribers:
            return False
        subscribers[socket] = None
        return True

    def unsubscribe(self, socket: Socket, topic: str) -> bool:
        """End a subscription; return whether there was one."""
        subscribers = self._topics.get(topic, {})
        if socket not in subscribers:
            return False
        del subscribers[socket]
        if not subscribers:
            del self._topics[topic]
        return True

    def subscribers(self, topic: str) -> Iterable[Socket]:
        """Return the connections that subscribed to a topic."""
        return self._topics.get(topic, ())

    def topics(self) -> Iterator[str]:
        """Return every topic with a subscription."""
        return iter(list(self._topics))

    def topics_of(self, socket: Socket) -> list[str]:
        """Return the topics that a connection subscribed to."""
        return [topic for topic, subscribers in self._topics.items() if socket in subscribers]

    def open_connections(self) -> Counter[str]:
        """Count the open connections by kind."""
        counts = Counter({"market": 0, "private": 0})
        for socket in self.sockets:
            counts["private" if socket.private else "market"] += 1
        return counts


def with_unknown_field(frame: bytes) -> bytes:
    """Add an unknown field to every row of a frame."""
    message = orjson.loads(frame)
    for row in _rows(message):
        row["newField"] = {"since": 1, "values": ["x", None]}
    return orjson.dumps(message)


def unknown_event(frame: bytes) -> bytes:
    """Return the frame with an unknown event type."""
    message = orjson.loads(frame)
    # Some venues name the channel next to the rows: in the frame itself, or in the subscription's argument.
    beside = [message, message.get("arg")] if isinstance(message, dict) else []
    for row in (*_rows(message), *(each for each in beside if isinstance(each, dict))):
        row.update({name: "somethingNew" for name in _EVENT_NAMES if name in row})
    return orjson.dumps(message)


def with_other_id(frame: bytes, other: str | None) -> bytes:
    """Return the answer with the id of no request, or without an id."""
    message = orjson.loads(frame)
    echoed = message.get("data", {}) if message.get("ack") else {}
    listed = message.get("arg")
    for row in (message, echoed.get("result", {}), *(listed if isinstance(listed, list) else ())):
        for name in [name for name in _ID_NAMES if name in row]:
            if other is None:
                del row[name]
            else:
                row[name] = other
    return orjson.dumps(message)


def _rows(message: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects with content: the message, its `data`, or the items of a list of them."""
    for each in message if isinstance(message, list) else [message]:
        inner = each.get("data", each) if isinstance(each, dict) else None
        for row in inner if isinstance(inner, list) else [inner]:
            if isinstance(row, dict):
                yield row


def garbled(frame: bytes) -> bytes:
    """Return the same JSON with every number in a text replaced by a text that is not a number."""
    return orjson.dumps(_garble(orjson.loads(frame)))


def _garble(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _garble(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_garble(below) for below in value]
    if isinstance(value, str):
        try:
            Decimal(value)
        except InvalidOperation:
            return value
        return "garbled"
    return value
