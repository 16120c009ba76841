"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_config(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add `--config`, the market maker's settings file."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        required=required,
        help="the market maker's settings file; the environment wins over it, as for market-maker",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print the same facts as JSON, on stdout")
