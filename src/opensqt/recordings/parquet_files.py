"""Parquet files of one table, one after the other: each takes its name when it is complete."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opensqt.model.errors import ConfigError

_DIGITS, _SCALE = 38, 18
_GROUP = 20_000
"""Rows that are kept before they are written without a `flush`."""


class ParquetFiles:
    """Writes rows to files that are named by the UTC time of their first row.

    A file is called `.part` until it is complete; one that a killed program left can't be read.

    Args:
        folder: Where the files are written; it is made if it is not there.
        name: What the files' names begin with.
        columns: Name and kind (time_ms, time_us, text, decimal, flag) of each column.
        file_s: Seconds after which the next file begins.

    Raises:
        ConfigError: pyarrow is not installed, or the folder can't be made.
    """

    def __init__(self, folder: Path, name: str, columns: Sequence[tuple[str, str]], file_s: float) -> None:
        try:
            self._arrow = importlib.import_module("pyarrow")
            self._parquet = importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise ConfigError(
                "Parquet is written with pyarrow, which is not installed; pip install 'opensqt[recordings]'"
            ) from None
        kinds = {
            "time_ms": self._arrow.timestamp("ms", tz="UTC"),
            "time_us": self._arrow.timestamp("us", tz="UTC"),
            "text": self._arrow.string(),
            "decimal": self._arrow.decimal128(_DIGITS, _SCALE),
            "flag": self._arrow.bool_(),
        }
        self._schema = self._arrow.schema([(column, kinds[kind]) for column, kind in columns])
        self._folder = folder
        self._name = name
        self._file_s = file_s
        self._rows: list[Mapping[str, Any]] = []
        self._writer: Any = None
        self._path = Path()
        self._ends_s = 0.0
        self.count = 0
        """Rows so far."""
        self.written: list[Path] = []
        """The files that are complete."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--out: {folder}: {error.strerror}") from None

    def add(self, rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
        """Add rows; *now* decides when the next file begins.

        Raises:
            ConfigError: The file can't be written.
        """
        if not rows:
            return
        if self._writer is not None and now.timestamp() >= self._ends_s:
            self.close()
        if self._writer is None:
            self._open(now)
        self._rows += rows
        self.count += len(rows)
        if len(self._rows) >= _GROUP:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait.

        Raises:
            ConfigError: The file can't be written.
        """
        if not self._rows:
            return
        rows, self._rows = self._rows, []
        try:
            self._writer.write_table(self._arrow.Table.from_pylist(rows, schema=self._schema))
        except OSError as error:
            raise ConfigError(f"{self._part}: can't be written: {error}") from None

    def close(self) -> None:
        """Complete the file, if one is open. Idempotent.

        Raises:
            ConfigError: The file can't be written.
        """
        if self._writer is None:
            return
        self.flush()
        try:
            self._writer.close()
            self._part.replace(self._path)
        except OSError as error:
            raise ConfigError(f"{self._path}: can't be written: {error}") from None
        self._writer = None
        self.written.append(self._path)

    @property
    def _part(self) -> Path:
        return self._path.with_name(f"{self._path.name}.part")

    def _open(self, now: datetime) -> None:
        stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"
        self._path = self._folder / f"{self._name}-{stamp}.parquet"
        self._ends_s = now.timestamp() + self._file_s
        try:
            self._writer = self._parquet.ParquetWriter(self._part, self._schema, compression="zstd")
        except OSError as error:
            raise ConfigError(f"--out: {self._path} can't be written: {error}") from None
