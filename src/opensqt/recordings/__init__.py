"""Recorded market data in the formats in which people have it, read as one sequence of rows."""

from opensqt.recordings.files import RecordedFile, open_file
from opensqt.recordings.layouts import Content, VolumeAsset, bar_length_ns
from opensqt.recordings.rows import Bar, BookReset, FundingRate, RecordedLevel, Row, Trade

__all__ = [
    "Bar",
    "BookReset",
    "Content",
    "FundingRate",
    "RecordedFile",
    "RecordedLevel",
    "Row",
    "Trade",
    "VolumeAsset",
    "bar_length_ns",
    "open_file",
]
