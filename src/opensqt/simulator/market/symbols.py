"""Rules of any symbol: those that are known, from a price, or from what a recording contains."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Context, Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from typing import Any

from opensqt.model.errors import ConfigError
from opensqt.recordings import Bar, RecordedFile, RecordedLevel, Trade
from opensqt.simulator.market.replay import rows_in_order
from opensqt.simulator.settings import SymbolSettings

_QUOTE = "USDT"
"""The accounts' margin asset."""
_NAMED = re.compile(r"([A-Z0-9]+)=(.+)")
_SCANNED = 200_000
"""Rows of a recording from which its steps are taken."""
_COMPARED = 5_000
"""Prices of a recording that are compared with given rules."""
PRICE_DIGITS = 5
"""Digits of a price down to its step, where nothing says the step: one part in 10,000 to 100,000."""
_FEWEST_DIGITS = 3
"""A price is at least 1,000 steps, also where a recording has round prices alone."""
_DIGITS = 10
"""Digits of a recorded number that count; what is behind them is noise of floats."""
_SHORT = Context(prec=_DIGITS)
_LARGEST_ORDER = Decimal(10_000_000)
"""Quote: largest order of a symbol whose maximum nothing says, approximately."""
_MAX_LEVERAGE = 50
_MAINTENANCE_RATE = Decimal("0.01")


def chosen_symbols(
    wanted: Sequence[str], rules: Mapping[str, SymbolSettings], recorded: Collection[str]
) -> tuple[SymbolSettings, ...]:
    """Return the settings of the symbols that are asked for; a recorded one gets its rules when its file is read.

    Args:
        wanted: SYMBOL, or SYMBOL@PRICE with the price at which a generated one starts.
        rules: What is known of symbols.
        recorded: The symbols that have a recording.

    Raises:
        ConfigError: Nothing is known of a symbol, or its price is not a number above zero.
    """
    chosen = {}
    for each in wanted:
        symbol, at, price = each.upper().partition("@")
        if symbol in chosen:
            raise ConfigError(f"--symbol {each}: expected each symbol once")
        if at:
            start = _price(each, price)
            known = rules.get(symbol)
            chosen[symbol] = known.model_copy(update={"start_price": start}) if known else symbol_at(symbol, start)
        elif symbol in rules:
            chosen[symbol] = rules[symbol]
        elif symbol not in recorded:
            raise ConfigError(
                f"--symbol {each}: expected a symbol with rules (--rules FILE), with a recording"
                f" (--replay {symbol}=FILE) or with a price ({symbol}@0.62); known are {', '.join(rules)}"
            )
    return tuple(chosen.values())


def recorded_files(given: Sequence[str], usual: str) -> dict[str, tuple[Path, ...]]:
    """Return the files of each symbol, from SYMBOL=FILE, or FILE for the usual symbol."""
    files: dict[str, tuple[Path, ...]] = {}
    for each in given:
        match = _NAMED.fullmatch(each)
        symbol, name = (match[1], match[2]) if match else (usual, each)
        files[symbol] = (*files.get(symbol, ()), Path(name))
    return files


def _price(each: str, text: str) -> Decimal:
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal(0)
    if not (price.is_finite() and price > 0):
        raise ConfigError(f"--symbol {each}: expected a price above zero after @")
    return price


def symbol_at(symbol: str, price: Decimal) -> SymbolSettings:
    """Return rules for a symbol of which only a price is known: steps as venues choose them for such a price."""
    return symbol_settings(
        symbol=symbol, price=price, price_step=_power(price, 1 - PRICE_DIGITS), quantity_step=_step_worth_cents(price)
    )


def recorded_symbol(symbol: str, files: Sequence[RecordedFile]) -> SymbolSettings:
    """Return the rules of a recorded symbol: the steps are the decimal places of its prices and quantities.

    Raises:
        ConfigError: The symbol does not end in USDT, a row is malformed, or there is no price.
    """
    prices, quantities, last = 0, 0, Decimal(0)
    for price, quantity in _numbers(files):
        prices = max(prices, _places(price))
        quantities = max(quantities, _places(quantity))
        last = price
    if not last:
        raise ConfigError(f"{files[0].path}: expected at least one price")
    exact = all(file.volume_exact for file in files)
    quantity_step = Decimal(1).scaleb(-quantities) if exact else _step_worth_cents(last)
    price_step = min(Decimal(1).scaleb(-prices), _power(last, -_FEWEST_DIGITS))
    return symbol_settings(symbol=symbol, price=last, price_step=price_step, quantity_step=quantity_step)


def coarse_step(rules: SymbolSettings, files: Sequence[RecordedFile]) -> str:
    """Return a sentence if the price step is coarser than the recording's prices, which are then rounded."""
    for price, _ in islice(_numbers(files), _COMPARED):
        if _SHORT.plus(price) % rules.price_step:
            return (
                f"{files[0].path}: price {price} is not a multiple of {rules.symbol}'s price step {rules.price_step}:"
                " prices are rounded to it"
            )
    return ""


def symbol_settings(*, symbol: str, price: Decimal, quantity_step: Decimal, **more: Any) -> SymbolSettings:
    """Return the settings of a symbol, with limits that suit its price where none are given.

    Raises:
        ConfigError: The symbol does not end in USDT.
    """
    base = symbol.removesuffix(_QUOTE)
    if base in ("", symbol) or not symbol.isalnum():
        raise ConfigError(f"symbol {symbol}: expected letters and digits that end in {_QUOTE}, such as XRPUSDT")
    largest = max(quantity_step, _power(_LARGEST_ORDER / price, 0))
    given = {
        "base_asset": base,
        "quote_asset": _QUOTE,
        "min_quantity": quantity_step,
        "max_quantity": largest,
        "max_leverage": _MAX_LEVERAGE,
        "maintenance_rate": _MAINTENANCE_RATE,
        "start_price": price,
    }
    return SymbolSettings.model_validate({**given, "symbol": symbol, "quantity_step": quantity_step, **more})


def _numbers(files: Sequence[RecordedFile]) -> Iterator[tuple[Decimal, Decimal]]:
    for row in islice(rows_in_order(files), _SCANNED):
        match row:
            case Bar():
                for price in (row.high, row.low, row.close, row.open):
                    yield price, row.volume
            case Trade() | RecordedLevel():
                yield row.price, row.quantity


def _places(number: Decimal) -> int:
    exponent = _SHORT.plus(number).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _power(number: Decimal, digits: int) -> Decimal:
    """Return a power of ten: that of the first digit of a number, moved by *digits*."""
    return Decimal(1).scaleb(number.adjusted() + digits)


def _step_worth_cents(price: Decimal) -> Decimal:
    """Return the quantity step that is worth between one and ten cents."""
    return Decimal(1).scaleb(-price.adjusted() - 2)
