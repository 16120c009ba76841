"""Open one file of recorded market data: its format by its first bytes, its layout by its header."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from opensqt.model.errors import ConfigError
from opensqt.recordings import npz
from opensqt.recordings.cells import Cells, column_name
from opensqt.recordings.layouts import (
    FREQTRADE_TRADES,
    Content,
    Layout,
    VolumeAsset,
    expected_columns,
    layout,
    without_header,
)
from opensqt.recordings.rows import Row
from opensqt.recordings.tables import (
    FEATHER,
    FEATHER_1,
    NPY,
    PARQUET,
    UNPACKING,
    ZIP,
    arrow_table,
    json_rows,
    magic,
    text_rows,
    unpacked,
)

_FREQTRADE_BARS = ("date", "open", "high", "low", "close", "volume")
_SYMBOL = "symbol"
_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFile:
    """A recording that was recognised; its rows have not been read yet."""

    path: Path
    layout: str
    """Its name, for a person."""
    content: Content
    volume_assumed: bool
    """Whether nothing says what the column `volume` counts, so that it is taken as quote."""
    volume_exact: bool = True
    """Whether quantities are the file's own, and not quote divided by a price."""
    read: Callable[[], Iterator[Row]]
    """Yields the rows from the start, oldest first; raises `ConfigError` at a malformed one."""

    def rows(self) -> Iterator[Row]:
        """Return the rows from the start.

        Raises:
            ConfigError: There is none, or, while they are read, one is malformed.
        """
        rows = self.read()
        first = next(rows, None)
        if first is None:
            raise ConfigError(f"{self.path}: expected at least one row")
        return chain((first,), rows)


def open_file(path: Path, *, volume: VolumeAsset | None = None) -> RecordedFile:
    """Recognise a file: CSV, JSON, Parquet, Feather or npz; text and JSON plain, in gzip or in zip.

    Args:
        path: The file.
        volume: What the column `volume` of bars counts, where neither format nor header says it.

    Raises:
        ConfigError: It can't be read, or its layout is not known.
    """
    start = magic(path)
    if start.startswith(NPY) or (start.startswith(ZIP) and npz.is_archive(path)):
        return RecordedFile(
            path=path,
            layout="hftbacktest",
            content=Content.DEPTH,
            volume_assumed=False,
            read=lambda: npz.rows(path),
        )
    if start.startswith((PARQUET, FEATHER, FEATHER_1)):
        columns, _ = arrow_table(path, start)
        # A column `date` with these five is how Freqtrade writes candles, whose volume is in base coins.
        default = VolumeAsset.BASE if set(columns) == set(_FREQTRADE_BARS) else None
        found = _known(path, columns, volume, default, "row 1")
        return _file(path, found, columns, lambda: arrow_table(path, start)[1])
    if _first_character(path) == "[":
        return _open_json(path, volume)
    return _open_text(path, volume)


def _open_text(path: Path, volume: VolumeAsset | None) -> RecordedFile:
    line, cells = next(text_rows(path), (0, []))
    if not line:
        raise ConfigError(f"{path}: expected at least one row")
    names = tuple(map(column_name, cells))
    headless = without_header(cells)
    columns = headless or names
    found = layout(columns, volume=volume)
    if found is None:
        raise ConfigError(f"{path}: line {line}: {','.join(cells)[:_SHOWN]!r}: expected {expected_columns()}")
    return _file(path, found, columns, lambda: _text_cells(path, columns, header=headless is None))


def _text_cells(path: Path, columns: tuple[str, ...], *, header: bool) -> Iterator[Cells]:
    names = {name: index for index, name in enumerate(columns)}
    for line, cells in text_rows(path):
        if header:
            header = False
            continue
        if len(cells) < len(columns):
            wanted = f"{len(columns)} columns ({', '.join(columns)})"
            raise ConfigError(f"{path}: line {line}: expected {wanted}, found {len(cells)}")
        yield Cells(path, f"line {line}", names, cells)


def _open_json(path: Path, volume: VolumeAsset | None) -> RecordedFile:
    first = next(json_rows(path), None)
    if first is None:
        raise ConfigError(f"{path}: expected at least one row")
    columns = FREQTRADE_TRADES if len(first) == len(FREQTRADE_TRADES) else _FREQTRADE_BARS
    found = _known(path, columns, volume, VolumeAsset.BASE, "row 1")
    return _file(path, found, columns, lambda: _json_cells(path, columns))


def _json_cells(path: Path, columns: tuple[str, ...]) -> Iterator[Cells]:
    names = {name: index for index, name in enumerate(columns)}
    for number, values in enumerate(json_rows(path), start=1):
        if len(values) != len(columns):
            raise ConfigError(f"{path}: row {number}: expected {', '.join(columns)}, found {len(values)} values")
        yield Cells(path, f"row {number}", names, values)


def _known(
    path: Path, columns: tuple[str, ...], volume: VolumeAsset | None, default: VolumeAsset | None, place: str
) -> Layout:
    found = layout(columns, volume=volume, default=default)
    if found is None:
        raise ConfigError(f"{path}: {place}: {','.join(columns)[:_SHOWN]!r}: expected {expected_columns()}")
    return found


def _file(path: Path, found: Layout, columns: tuple[str, ...], cells: Callable[[], Iterator[Cells]]) -> RecordedFile:
    return RecordedFile(
        path=path,
        layout=found.name,
        content=found.content,
        volume_assumed=found.volume_assumed,
        volume_exact=found.volume_exact,
        read=lambda: found.read(_of_one_symbol(cells()) if _SYMBOL in columns else cells()),
    )


def _of_one_symbol(rows: Iterator[Cells]) -> Iterator[Cells]:
    """Yield the rows as long as they are of the same symbol."""
    symbol = ""
    for row in rows:
        found = row.text(_SYMBOL)
        symbol = symbol or found
        if found != symbol:
            raise row.wrong(_SYMBOL, f"{symbol}, as in the rows before: a file of one symbol")
        yield row


def _first_character(path: Path) -> str:
    try:
        with unpacked(path) as stream:
            return stream.read(64).decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")[:1]
    except UNPACKING as error:
        raise ConfigError(f"{path}: can't be read as CSV text, plain, gzip or zip: {error}") from None
