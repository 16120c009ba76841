"""Files of `--rules`: symbols with their steps, in a form of our own or as Binance's `exchangeInfo` has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from opensqt.config.load import Section, load
from opensqt.model.errors import ConfigError
from opensqt.simulator.market.symbols import PRICE_DIGITS, symbol_settings
from opensqt.simulator.settings import Positive, SymbolSettings

_MANY = 20
"""Symbols of a file that all trade unless some are chosen."""


class SymbolRulesRow(Section):
    """One symbol of a rules file: only symbol and steps are needed."""

    symbol: str
    price_step: Positive
    quantity_step: Positive
    min_quantity: Positive | None = None
    max_quantity: Positive | None = None
    max_market_quantity: Positive | None = None
    min_notional: Decimal | None = None
    contract_size: Positive | None = None
    max_leverage: int | None = None
    maintenance_rate: Decimal | None = None
    start_price: Positive | None = None
    volatility_bps: Positive | None = None
    touch_notional: Positive | None = None


class RulesFile(Section):
    """A file of `--rules`: `symbols`, a list."""

    symbols: tuple[SymbolRulesRow, ...]


def read_rules(path: Path) -> dict[str, SymbolSettings]:
    """Return the rules of a file, by symbol.

    Args:
        path: YAML or JSON, or Binance's answer to `GET /fapi/v1/exchangeInfo`, whose perpetuals in USDT are read.

    Raises:
        ConfigError: It can't be read, or a value is not as expected.
    """
    made = {}
    for row in _rows(path):
        given = {name: value for name, value in row.model_dump().items() if value is not None}
        price = row.start_price or row.price_step * 10**PRICE_DIGITS
        made[row.symbol] = symbol_settings(price=price, **given)
    return made


def recorded_rules(symbol: str, paths: Sequence[Path]) -> SymbolSettings | None:
    """Return the rules that `opensqt record` wrote beside its files, if there are some.

    Raises:
        ConfigError: They can't be read.
    """
    for path in paths:
        beside = path / f"{symbol}-rules.json"
        if path.is_dir() and beside.is_file():
            return read_rules(beside).get(symbol)
    return None


def trading_of(path: Path, rules: Mapping[str, SymbolSettings], recorded: Mapping[str, Any]) -> list[SymbolSettings]:
    """Return which symbols of a rules file trade where none are chosen: all, or of many the recorded ones.

    Raises:
        ConfigError: There are many, and none of them is recorded.
    """
    if len(rules) <= _MANY:
        return list(rules.values())
    chosen = [each for symbol, each in rules.items() if symbol in recorded]
    if not chosen:
        raise ConfigError(f"--rules {path}: it has {len(rules)} symbols; choose with --symbol")
    return chosen


def _rows(path: Path) -> Sequence[SymbolRulesRow]:
    rows = _exchange_info(path)
    if rows is None:
        return load(RulesFile, path, environ={}).symbols
    try:
        return [SymbolRulesRow.model_validate(row) for row in rows]
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise ConfigError(f"{path}: symbols: {problem['loc'][0]}: {problem['msg']}") from None


def _exchange_info(path: Path) -> list[dict[str, str]] | None:
    """Return the perpetuals of an `exchangeInfo`; None if the file is not one."""
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text).get("symbols") if text.lstrip().startswith("{") else None
    except (OSError, ValueError):
        return None  # `load` says what is wrong with it
    if not isinstance(found, list) or not found or not isinstance(found[0], dict) or "filters" not in found[0]:
        return None
    return [
        _filters(path, row)
        for row in found
        if row.get("quoteAsset") == "USDT" and row.get("contractType", "PERPETUAL") == "PERPETUAL"
    ]


def _filters(path: Path, row: Mapping[str, Any]) -> dict[str, str]:
    filters = {each.get("filterType"): each for each in row["filters"]}
    try:
        lot = filters["LOT_SIZE"]
        rules = {
            "symbol": row["symbol"],
            "price_step": filters["PRICE_FILTER"]["tickSize"],
            "quantity_step": lot["stepSize"],
            "min_quantity": lot["minQty"],
            "max_quantity": lot["maxQty"],
        }
    except KeyError as error:
        raise ConfigError(f"{path}: symbols: {row.get('symbol')}: expected its filters to have {error}") from None
    if "MARKET_LOT_SIZE" in filters:
        rules["max_market_quantity"] = filters["MARKET_LOT_SIZE"]["maxQty"]
    if "MIN_NOTIONAL" in filters:
        rules["min_notional"] = filters["MIN_NOTIONAL"].get("notional", "0")
    return rules
