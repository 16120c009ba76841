"""Files of the market maker's history: CSV with plain text, Parquet with exact decimals."""

from __future__ import annotations

import csv
import importlib
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from opensqt.market_maker.store.history import HistoryColumn
from opensqt.model.errors import ConfigError

Batches = Callable[[], AsyncIterator[Sequence[Mapping[str, Any]]]]
"""Reads the rows from the start; Parquet reads them twice."""

DIGITS = 38
"""Digits of a decimal128."""
SCALE = 18
"""Digits after the point of every decimal column that needs no more."""


async def write_csv(path: Path, columns: Sequence[HistoryColumn], batches: Batches) -> int:
    """Write the rows with a heading, and return how many there are.

    Decimals are plain digits, an empty field is unknown, each time has its UTC date beside it.
    """
    names = [column.name for column in columns]
    count = 0
    with _Replacing(path) as part, open(part, "w", newline="", encoding="utf-8") as file:  # noqa: ASYNC230 - nothing else runs in this command
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([heading for name in names for heading in _headings(name)])
        async for batch in batches():
            for row in batch:
                writer.writerow([field for name in names for field in _fields(name, row[name])])
            count += len(batch)
    return count


async def write_parquet(path: Path, columns: Sequence[HistoryColumn], batches: Batches) -> int:
    """Write the rows, and return how many there are.

    Raises:
        ConfigError: pyarrow is not installed, or a number has too many digits for a decimal128.
    """
    arrow, parquet = _pyarrow()
    scales = await _scales(columns, batches)
    kinds = {int: arrow.int64(), bool: arrow.bool_(), str: arrow.string()}
    schema = arrow.schema(
        [
            (column.name, arrow.timestamp("ms", tz="UTC"))
            if _is_time(column.name)
            else (column.name, arrow.decimal128(DIGITS, scales[column.name]))
            if column.kind is Decimal
            else (column.name, kinds[column.kind])
            for column in columns
        ]
    )
    count = 0
    with _Replacing(path) as part, parquet.ParquetWriter(part, schema) as writer:
        async for batch in batches():
            writer.write_table(arrow.Table.from_pylist(list(batch), schema=schema))
            count += len(batch)
    return count


async def _scales(columns: Sequence[HistoryColumn], batches: Batches) -> dict[str, int]:
    """Return the digits after the point of each decimal column, so that no number is rounded."""
    names = [column.name for column in columns if column.kind is Decimal]
    scales, whole = dict.fromkeys(names, SCALE), dict.fromkeys(names, 1)
    async for batch in batches():
        for row in batch:
            for name in names:
                if (value := row[name]) is not None:
                    exponent = value.as_tuple().exponent
                    scales[name] = max(scales[name], -exponent)
                    whole[name] = max(whole[name], value.adjusted() + 1)
    for name in names:
        if scales[name] + whole[name] > DIGITS:
            raise ConfigError(f"--format parquet: {name} has numbers of more than {DIGITS} digits; use --format csv")
    return scales


def _pyarrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigError(
            "--format parquet: pyarrow is not installed; pip install 'opensqt[export]', or use --format csv"
        ) from None


def _fields(name: str, value: Any) -> list[str]:
    if _is_time(name):
        return [str(value), datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="milliseconds")]
    if value is None:
        return [""]
    if isinstance(value, Decimal):
        return [format(value, "f")]
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _is_time(name: str) -> bool:
    return name.endswith("_ms")


def _headings(name: str) -> list[str]:
    return [name, name.removesuffix("_ms") + "_utc"] if _is_time(name) else [name]


class _Replacing:
    """A file that takes its place when the block ends well, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")

    def __enter__(self) -> Path:
        try:
            os.close(os.open(self._part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise ConfigError(f"--out: {self._path} can't be written: {error.strerror}") from None
        return self._part

    def __exit__(self, kind: object, _error: object, _traceback: object) -> None:
        if kind is None:
            self._part.replace(self._path)
        else:
            with suppress(FileNotFoundError):
                self._part.unlink()
