"""The demo's market: which symbol it trades, and whether its recording can be played, before anything is started."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from opensqt.cli.demo_processes import DemoSettings
from opensqt.recordings import VolumeAsset
from opensqt.simulator.market.market import open_market
from opensqt.simulator.market.rules_file import read_rules
from opensqt.simulator.market.symbols import chosen_symbols
from opensqt.simulator.settings import SimulatorSettings

_UNKNOWN_PRICE = Decimal(1)
"""Where a generated symbol starts of which nothing is known."""


def start_of(symbol: str, *, recorded: bool, rules: Path | None) -> tuple[str, Decimal | None]:
    """Return the symbol of SYMBOL or SYMBOL@PRICE, and the price at which it starts where nothing else says it.

    Raises:
        ConfigError: The rules can't be read, or the price is not a number above zero.
    """
    name, at, _ = symbol.partition("@")
    if at:
        return name, chosen_symbols([symbol], {}, ())[0].start_price
    known = {each.symbol for each in SimulatorSettings().symbols} | (read_rules(rules).keys() if rules else set())
    return name, None if recorded or name in known else _UNKNOWN_PRICE


def check_market(settings: DemoSettings) -> tuple[str, ...]:
    """Open the market once, so that what is wrong with a recording is said at once.

    Returns:
        What was assumed about the recording, a sentence each.

    Raises:
        ConfigError: The recording can't be read or a row is malformed, or nothing is known of the symbol.
    """
    known = {each.symbol: each for each in SimulatorSettings().symbols}
    known |= read_rules(settings.rules) if settings.rules is not None else {}
    price = f"@{settings.start_price}" if settings.start_price is not None else ""
    replays = {settings.symbol: settings.replay} if settings.replay else {}
    market = SimulatorSettings(
        exchange=settings.exchange,
        replays=replays,
        replay_volume=VolumeAsset(settings.volume) if settings.volume else None,
        past_minutes=1,
        clock="manual",
        symbols=chosen_symbols([f"{settings.symbol}{price}"], known, replays),
    )
    return open_market(market).notes
