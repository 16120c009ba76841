"""Options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from opensqt.model.errors import ConfigError


def add_config(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add `--config`, the market maker's settings file."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        required=required,
        help="the market maker's settings file; the environment wins over it, as for market-maker",
    )


def add_recording(parser: argparse.ArgumentParser) -> None:
    """Add what is said about recorded data: `--volume` and `--rules`."""
    parser.add_argument(
        "--volume", choices=("base", "quote"), help="what the column volume of bars counts (default: by the format)"
    )
    parser.add_argument(
        "--rules", type=Path, metavar="FILE", help="rules of symbols, YAML or JSON (default: from the recording)"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print the same facts as JSON, on stdout")


def add_symbol(parser: argparse.ArgumentParser) -> None:
    """Add `--symbol`, one of the market maker's."""
    parser.add_argument(
        "--symbol", type=str.upper, default="", help="one of trading.symbols (default: all, where that is possible)"
    )


def chosen_symbols(symbols: Sequence[str], chosen: str) -> tuple[str, ...]:
    """Return the symbols that a command is for: the chosen one, or all.

    Raises:
        ConfigError: The chosen one is none of them.
    """
    if chosen and chosen not in symbols:
        raise ConfigError(f"--symbol {chosen}: expected one of {', '.join(symbols)}")
    return (chosen,) if chosen else tuple(symbols)


def one_symbol(symbols: Sequence[str], chosen: str) -> str:
    """Return the one symbol that a command is for.

    Raises:
        ConfigError: There are several and none is chosen, or the chosen one is none of them.
    """
    found = chosen_symbols(symbols, chosen)
    if len(found) > 1:
        raise ConfigError(f"--symbol: the settings have several; expected one of {', '.join(symbols)}")
    return found[0]
