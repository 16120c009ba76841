"""Stream responses as bytes: each update is encoded once, and a response is the join of what queued.

A protobuf `repeated` field is a concatenation of entries, each a tag, a length and the item. So an update is encoded
once, whatever the number of clients, and a response is those encodings and a short tail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from opensqt.model.stream import Batch, Cursor
from opensqt.proto.exchange_service_pb2 import SubscribePriceResponse
from opensqt.proto.gateway_service_pb2 import ReadStreamResponse
from opensqt.proto.types_pb2 import StreamPosition
from opensqt.streams.feed import Entry

T = TypeVar("T")
MAX_ENTRIES = 1000
MAX_BYTES = 1024 * 1024

_LENGTH_DELIMITED = 2
# All responses have the same layout, those of GatewayService without epoch and sequence; a test holds them to it.
_NUMBER = {field.name: field.number for field in SubscribePriceResponse.DESCRIPTOR.fields}
_UPDATES = bytes([_NUMBER["updates"] << 3 | _LENGTH_DELIMITED])
_EPOCH = bytes([_NUMBER["epoch"] << 3 | _LENGTH_DELIMITED])
_SEQUENCE = bytes([_NUMBER["sequence"] << 3])
_SNAPSHOT = bytes([_NUMBER["snapshot"] << 3, 1])
_GAP = bytes([_NUMBER["gap"] << 3, 1])
_POSITION = bytes([_NUMBER["position"] << 3 | _LENGTH_DELIMITED])
_ENVELOPE = {
    field.name: bytes([field.number << 3 | _LENGTH_DELIMITED])
    for field in ReadStreamResponse.DESCRIPTOR.fields
    if field.containing_oneof
}
_PLAIN_SENT = bytes([_NUMBER["sent_ns"] << 3])
_SENT = bytes([ReadStreamResponse.SENT_NS_FIELD_NUMBER << 3])
_POSITION_EPOCH = bytes([StreamPosition.EPOCH_FIELD_NUMBER << 3 | _LENGTH_DELIMITED])
_POSITION_SEQUENCE = bytes([StreamPosition.SEQUENCE_FIELD_NUMBER << 3])


class Serializable(Protocol):
    """A protobuf message."""

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        """Encode the message."""
        ...


def encode(message: Serializable) -> bytes:
    """Encode one item of the `updates` field."""
    body = message.SerializeToString()
    return b"".join((_UPDATES, _varint(len(body)), body))


def responses(
    batch: Batch[Entry[T]], encode_update: Callable[[T], bytes], *, has_position_only: bool = False
) -> Iterator[tuple[bytes, Cursor, int]]:
    """Encode a batch as one response, or as several when it is large.

    A snapshot is never cut: half of one would be read as the whole truth. Each response but the last carries the
    number of its own last update, so that a client cut off between two of them resumes exactly there.

    Args:
        batch: What the client has not read yet.
        encode_update: Makes the item of an update that was not encoded before, see `encode`.
        has_position_only: See `StreamKind`.

    Yields:
        The response, the place after it, and how many updates it holds.
    """
    # Nearly every update was encoded for another client already, so the look at it is written out.
    parts = [entry.encoding or entry.encode(encode_update) for entry in batch.updates]
    begin = 0
    for end in () if batch.snapshot else _cuts(parts, batch):
        number = batch.updates[end - 1].number
        yield _response(parts[begin:end], batch, number, has_position_only), Cursor(batch.epoch, number), end - begin
        begin = end
    yield _response(parts[begin:], batch, batch.sequence, has_position_only), batch.cursor, len(parts) - begin


def enveloped(response: bytes, kind: str, sent_ns: int) -> bytes:
    """Encode a ReadStreamResponse around a response of a *kind* of stream."""
    return b"".join((_ENVELOPE[kind], _varint(len(response)), response, _SENT, _varint(sent_ns)))


def stamped(response: bytes, sent_ns: int) -> bytes:
    """Encode a response of a streaming method of one kind with the time at which it is sent."""
    return b"".join((response, _PLAIN_SENT, _varint(sent_ns)))


def _cuts(parts: list[bytes], batch: Batch[Entry[Any]]) -> Iterator[int]:
    """Yield before which of the parts a large batch is cut."""
    if len(parts) <= MAX_ENTRIES and sum(map(len, parts)) <= MAX_BYTES:
        # Nearly always, so a response to one of many clients need not be gone through piece by piece.
        return
    begin = size = 0
    for place, part in enumerate(parts):
        full = place - begin >= MAX_ENTRIES or size + len(part) > MAX_BYTES
        # Where the updates' own numbers are not known, only the end of the batch is a place to resume at.
        if place > begin and full and batch.updates[place - 1].number < batch.sequence:
            yield place
            begin, size = place, 0
        size += len(part)


def _response(parts: list[bytes], batch: Batch[Any], sequence: int, has_position_only: bool) -> bytes:
    epoch, number = batch.epoch.encode(), _varint(sequence)
    length = _varint(len(epoch))
    if not has_position_only:
        # Clients older than `position` read epoch and sequence from the response itself.
        parts += (_EPOCH, length, epoch, _SEQUENCE, number)
    if batch.snapshot:
        parts.append(_SNAPSHOT)
    if batch.gap:
        parts.append(_GAP)
    size = 2 + len(length) + len(epoch) + len(number)
    parts += (_POSITION, _varint(size), _POSITION_EPOCH, length, epoch, _POSITION_SEQUENCE, number)
    return b"".join(parts)


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    digits = bytearray()
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)
