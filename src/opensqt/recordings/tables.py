"""Tables of rows: CSV text (plain, gzip, zip), JSON lists, Parquet and Feather, read as a stream of bounded memory."""

from __future__ import annotations

import csv
import gzip
import importlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, BinaryIO

from opensqt.model.errors import ConfigError
from opensqt.recordings.cells import Cells, column_name, shortest_single, unit_ns

GZIP, ZIP, PARQUET, FEATHER, FEATHER_1, NPY = b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"ARROW1", b"FEA1", b"\x93NUMPY"
_CHUNK = 1 << 16
_BATCH = 8_192
UNPACKING = (OSError, EOFError, UnicodeError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
"""What an archive raises that is damaged or encrypted."""
_DAMAGED = (OSError, ValueError, MemoryError, SystemError)
"""What pyarrow raises, beside its own errors, for a file whose lengths or texts are damaged."""
_LONGEST = 1 << 20
"""Characters of one JSON row, at most."""
Table = tuple[tuple[str, ...], Iterator[Cells]]
"""The names of the columns, and the rows."""


def magic(path: Path) -> bytes:
    """Return the first bytes of a file.

    Raises:
        ConfigError: It can't be read.
    """
    try:
        with path.open("rb") as raw:
            return raw.read(8)
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None


@contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacked if it is gzip or a zip archive of one file.

    Raises:
        ConfigError: The archive has several files.
    """
    start = magic(path)
    if start.startswith(GZIP):
        with gzip.open(path, "rb") as stream:
            yield stream  # type: ignore[misc]  # gzip's file is a binary one
    elif start.startswith(ZIP):
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if len(names) != 1:
                raise ConfigError(f"{path}: expected an archive of one file, found {len(names)}")
            with archive.open(names[0]) as stream:
                yield stream  # type: ignore[misc]
    else:
        with path.open("rb") as stream:
            yield stream


def text_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line of CSV text.

    Raises:
        ConfigError: It is no text, or no archive of it.
    """
    try:
        with unpacked(path) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text)
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
    except (*UNPACKING, csv.Error) as error:
        raise ConfigError(f"{path}: can't be read as CSV text, plain, gzip or zip: {error}") from None


def json_rows(path: Path) -> Iterator[list[Any]]:
    """Yield the rows of a JSON list of lists, numbers as they are written, one after the other.

    Raises:
        ConfigError: It is no such list; the row is named.
    """
    decoder = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal)
    count = 0
    try:
        with unpacked(path) as stream, io.TextIOWrapper(stream, encoding="utf-8") as text:
            rest = text.read(_CHUNK).lstrip()[1:]
            while True:
                rest = rest.lstrip(" \t\r\n,")
                if rest.startswith("]"):
                    return
                end = rest.find("]")
                if end < 0:
                    more = text.read(_CHUNK)
                    if not more or len(rest) > _LONGEST:
                        raise ValueError("the list does not end")
                    rest += more
                    continue
                row, end = decoder.raw_decode(rest)
                if not isinstance(row, list):
                    raise ValueError("expected a list of time, open, high, low, close and volume")
                count += 1
                yield row
                rest = rest[end:]
    except (*UNPACKING, ValueError, InvalidOperation) as error:
        raise ConfigError(f"{path}: row {count + 1}: can't be read as a JSON list of lists: {error}") from None


def arrow_table(path: Path, start: bytes) -> Table:
    """Read Parquet or Feather.

    Raises:
        ConfigError: pyarrow is not installed, or the file is damaged.
    """
    try:
        arrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigError(
            f"{path}: pyarrow, which reads Parquet and Feather, is not installed; pip install 'opensqt[recordings]'"
        ) from None
    if start.startswith(FEATHER_1):
        raise ConfigError(f"{path}: expected Feather of version 2; version 1 is not read")
    try:
        names = parquet.read_schema(path).names if start.startswith(PARQUET) else arrow.ipc.open_file(path).schema.names
    except (arrow.ArrowException, *_DAMAGED) as error:
        raise ConfigError(f"{path}: can't be read: {_first_line(error)}") from None
    columns = tuple(column_name(str(name)) for name in names)
    return columns, _arrow_rows(arrow, parquet, path, start, columns)


def _arrow_rows(arrow: Any, parquet: Any, path: Path, start: bytes, columns: tuple[str, ...]) -> Iterator[Cells]:
    names = {name: index for index, name in enumerate(columns)}
    number = 0
    try:
        for batch in _batches(arrow, parquet, path, start):
            batch.validate(full=True)  # so that a damaged file is an error here
            for values in zip(*(_values(arrow, column) for column in batch.columns), strict=True):
                number += 1
                yield Cells(path, f"row {number}", names, values)
    except (arrow.ArrowException, *_DAMAGED) as error:
        raise ConfigError(f"{path}: row {number + 1}: can't be read: {_first_line(error)}") from None


def _batches(arrow: Any, parquet: Any, path: Path, start: bytes) -> Iterator[Any]:
    if start.startswith(PARQUET):
        yield from parquet.ParquetFile(path).iter_batches(batch_size=_BATCH)
        return
    with arrow.memory_map(str(path)) as source:
        reader = arrow.ipc.open_file(source)
        for index in range(reader.num_record_batches):
            batch = reader.get_batch(index)
            for offset in range(0, batch.num_rows, _BATCH):
                yield batch.slice(offset, _BATCH)


def _values(arrow: Any, column: Any) -> list[Any]:
    kind = column.type
    if arrow.types.is_timestamp(kind):
        # As nanoseconds: Python's own type has microseconds only. The unit is the file's and is not guessed.
        factor = unit_ns(kind.unit)
        return [None if value is None else value * factor for value in column.cast(arrow.int64()).to_pylist()]
    values: list[Any] = column.to_pylist()
    if arrow.types.is_float32(kind):
        return [None if value is None else shortest_single(value) for value in values]
    return values


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
