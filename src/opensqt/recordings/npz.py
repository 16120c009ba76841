"""hftbacktest's event arrays (`.npz`, `.npy`): read as a stream, without numpy."""

from __future__ import annotations

import ast
import struct
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import IO, Any

from opensqt.model.errors import ConfigError
from opensqt.model.order import Side
from opensqt.recordings.cells import EPOCH, epoch_ns, exact, is_usual
from opensqt.recordings.rows import BookReset, RecordedLevel, Row, Trade
from opensqt.recordings.tables import NPY, UNPACKING, ZIP

_DEPTH, _TRADE, _CLEAR, _SNAPSHOT = 1, 2, 3, 4
_AT_EXCHANGE, _AT_CLIENT, _BUY, _SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28
_KIND = 0xFF
_SIDES = {1.0: Side.BUY, -1.0: Side.SELL}
_FIELDS = ("ev", "exch_ts", "local_ts", "px", "qty")
_CODES = {"u8": "Q", "i8": "q", "f8": "d", "u4": "I", "i4": "i", "f4": "f"}
_ROWS = 4_096
_FLOAT = struct.Struct("<d")
_COLUMNS = ("event", "exch_timestamp", "local_timestamp", "side", "price", "qty")
_EXPECTED = (
    f"a structured array with the fields {', '.join(_FIELDS)} (hftbacktest 2), or a table of floats with the"
    f" {len(_COLUMNS)} columns {', '.join(_COLUMNS)} (hftbacktest 1)"
)


@dataclass(frozen=True, slots=True)
class _Event:
    """One event of either version."""

    number: int
    """Its row."""
    kind: int
    side: Side | None
    side_cell: float
    """What the file has for the side."""
    time_ns: int
    price: float
    quantity: float


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of an event's parts, for errors."""

    time: str
    side: str
    price: str
    quantity: str
    sides: str


_NAMES_2 = _Names("exch_ts", "ev", "px", "qty", "the flag of a side: 1 << 29 for bids, 1 << 28 for asks")
_NAMES_1 = _Names("exch_timestamp", "side", "price", "qty", "1 for bids, -1 for asks")


def is_archive(path: Path) -> bool:
    """Return whether a zip archive holds arrays of numpy."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    except UNPACKING:
        return False


def rows(path: Path) -> Iterator[Row]:
    """Yield the events that happen at the exchange, by the exchange's time; 0 in a snapshot of hftbacktest's own.

    Raises:
        ConfigError: The array has other fields or an event is malformed; the row is named.
    """
    with _array(path) as stream:
        header = _header(path, stream)
        events, names = (
            (_events_2(path, stream, header), _NAMES_2) if header.parts else (_events_1(path, header), _NAMES_1)
        )
        last_ns = -1
        for event in events:
            if event.time_ns < last_ns:
                raise _wrong(path, event.number, names.time, event.time_ns, "a time not before that of the row before")
            last_ns = event.time_ns
            row = _row(path, event, names)
            if row is not None:
                yield row


def _events_2(path: Path, stream: IO[bytes], header: _ArrayHeader) -> Iterator[_Event]:
    for number, values in enumerate(_records(path, stream, header), start=1):
        event, time_ns = int(values["ev"]), int(values["exch_ts"])
        if not event & _AT_EXCHANGE and event & _AT_CLIENT:
            continue  # the same event as the client sees it, where the two orders differ
        if len(str(time_ns)) != 19 and (time_ns or event & _KIND != _SNAPSHOT):
            raise _wrong(path, number, "exch_ts", time_ns, "epoch nanoseconds (19 digits)")
        side = Side.BUY if event & _BUY else Side.SELL if event & _SELL else None
        yield _Event(number, event & _KIND, side, event, time_ns, values["px"], values["qty"])


def _events_1(path: Path, header: _ArrayHeader) -> Iterator[_Event]:
    for number, (event, time, _local, side, price, quantity) in enumerate(_table(path, header), start=1):
        if time == -1:
            continue  # the event as the client sees it
        time_ns = epoch_ns(int(time)) if isfinite(time) else None
        if time_ns is None:
            raise _wrong(path, number, "exch_timestamp", f"{time:.0f}", EPOCH)
        yield _Event(number, int(event), _SIDES.get(side), side, time_ns, price, quantity)


def _row(path: Path, event: _Event, names: _Names) -> Row | None:
    if event.kind == _CLEAR:
        known = event.side is not None and isfinite(event.price) and event.price > 0
        return BookReset(event.time_ns, event.side, exact(event.price) if known else None)
    if event.kind not in (_DEPTH, _SNAPSHOT, _TRADE):
        return None
    price = _number(path, event.number, names.price, event.price)
    quantity = _number(path, event.number, names.quantity, event.quantity)
    if not price:
        raise _wrong(path, event.number, names.price, event.price, "a number above zero")
    if event.kind == _TRADE:
        if not quantity:
            raise _wrong(path, event.number, names.quantity, event.quantity, "a number above zero")
        return Trade(event.time_ns, price, quantity, event.side)
    if event.side is None:
        raise _wrong(path, event.number, names.side, event.side_cell, names.sides)
    return RecordedLevel(event.time_ns, event.side, price, quantity)


def _number(path: Path, number: int, name: str, value: Any) -> Decimal:
    found = exact(value)
    if not is_usual(found) or found < 0:
        raise _wrong(path, number, name, value, "a number of zero or above")
    return found


def _wrong(path: Path, number: int, name: str, value: object, expected: str) -> ConfigError:
    return ConfigError(f"{path}: row {number}: {name} '{value}': expected {expected}")


@contextmanager
def _array(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as raw:
        start = raw.read(len(NPY))
    try:
        if not start.startswith(ZIP):
            with path.open("rb") as stream:
                yield stream
            return
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            name = "data.npy" if "data.npy" in names else names[0]
            if len(names) > 1 and name != "data.npy":
                raise ConfigError(f"{path}: expected one array, or one named data, found {', '.join(names)}")
            with archive.open(name) as stream:
                yield stream
    except UNPACKING as error:
        raise ConfigError(f"{path}: can't be read as arrays of numpy: {error}") from None


@dataclass(frozen=True, slots=True)
class _ArrayHeader:
    parts: tuple[tuple[str, str], ...]
    """Names and codes of a record's parts; empty where it is a table of floats."""
    count: int
    """Number of records."""
    start: int
    """Where the first one is in the array."""
    columns_first: bool
    """Whether a table has its columns one after the other (Fortran's order)."""


def _header(path: Path, stream: IO[bytes]) -> _ArrayHeader:
    try:
        if stream.read(6) != NPY:
            raise ValueError("no array of numpy")
        major, _minor = stream.read(2)
        length = 2 if major == 1 else 4
        size = int.from_bytes(stream.read(length), "little")
        described = ast.literal_eval(stream.read(size).decode("latin-1"))
        kinds, shape = described["descr"], described["shape"]
        start = len(NPY) + 2 + length + size
        if kinds == "<f8" and len(shape) == 2 and shape[1] == len(_COLUMNS):
            return _ArrayHeader((), int(shape[0]), start, bool(described["fortran_order"]))
        if not isinstance(kinds, list) or len(shape) != 1:
            raise ValueError(f"found {kinds} of shape {shape}")
        parts = tuple((name, _code(code)) for name, code, *_ in kinds)
    except (ValueError, KeyError, SyntaxError, TypeError) as error:
        raise ConfigError(f"{path}: expected {_EXPECTED}: {error}") from None
    if missing := [name for name in _FIELDS if name not in dict(parts)]:
        raise ConfigError(f"{path}: expected {_EXPECTED}; {', '.join(missing)} is missing")
    return _ArrayHeader(parts, int(shape[0]), start, columns_first=False)


def _code(kind: str) -> str:
    if kind.startswith("|V"):
        return f"{kind[2:]}x"  # padding between fields
    code = _CODES.get(kind[1:])
    if code is None or kind[0] not in "<=":
        raise ValueError(f"type {kind}")
    return code


def _records(path: Path, stream: IO[bytes], header: _ArrayHeader) -> Iterator[dict[str, Any]]:
    record = struct.Struct("<" + "".join(code for _, code in header.parts))
    names = [name for name, code in header.parts if not code.endswith("x")]
    for values in _tuples(path, stream, record, header.count):
        yield dict(zip(names, values, strict=True))


def _table(path: Path, header: _ArrayHeader) -> Iterator[tuple[float, ...]]:
    """Yield the rows of a table. One with its columns first is read at six places at once, not as a whole."""
    if not header.columns_first:
        with _array(path) as stream:
            stream.read(header.start)
            yield from _tuples(path, stream, struct.Struct(f"<{len(_COLUMNS)}d"), header.count)
        return
    with ExitStack() as stack:
        columns = []
        for index in range(len(_COLUMNS)):
            stream = stack.enter_context(_array(path))
            stream.seek(header.start + index * header.count * _FLOAT.size)
            columns.append(value for (value,) in _tuples(path, stream, _FLOAT, header.count))
        yield from zip(*columns, strict=True)


def _tuples(path: Path, stream: IO[bytes], record: struct.Struct, count: int) -> Iterator[tuple[Any, ...]]:
    left = count
    while left:
        wanted = min(_ROWS, left) * record.size
        data = stream.read(wanted)
        if len(data) < wanted:
            raise ConfigError(f"{path}: row {count - left + len(data) // record.size + 1}: the file ends in it")
        yield from record.iter_unpack(data)
        left -= wanted // record.size
