"""One class name, one thing: who looks for a class finds one, and may talk about it without naming its package."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

SRC = Path(__file__).parents[2] / "src" / "opensqt"
IN_EACH_DIALECT = "the same role in each venue's dialect of the simulator, never two of them in one place"
IN_EACH_VENUE = "the same row or frame as each venue writes it, in that venue's own parse, public or funding module"
SHARED = "a row that some venues write alike, in their common module, and others in their own way"
EXCEPTIONS = {
    "AccountData": IN_EACH_DIALECT,
    "AccountRow": IN_EACH_VENUE,
    "BalanceRow": IN_EACH_VENUE,
    "BookDifference": IN_EACH_DIALECT,
    "BookRow": SHARED,
    "CandleRow": SHARED,
    "ConditionalTrading": IN_EACH_DIALECT,
    "FrameTime": IN_EACH_VENUE,
    "FundingRateRow": IN_EACH_VENUE,
    "FundingRow": IN_EACH_VENUE,
    "MarketStreams": IN_EACH_DIALECT,
    "OrderBookRow": IN_EACH_VENUE,
    "OrderRow": IN_EACH_VENUE,
    "PositionRow": IN_EACH_VENUE,
    "PriceRow": IN_EACH_VENUE,
    "PrivateStreams": IN_EACH_DIALECT,
    "PublicData": IN_EACH_DIALECT,
    "PublicTradeRow": IN_EACH_VENUE,
    "QueriedBookRow": IN_EACH_VENUE,
    "Security": IN_EACH_DIALECT,
    "SocketTrading": IN_EACH_DIALECT,
    "StreamedBalanceRow": IN_EACH_VENUE,
    "StreamedCandleRow": IN_EACH_VENUE,
    "StreamedFillRow": IN_EACH_VENUE,
    "StreamedOrderRow": IN_EACH_VENUE,
    "Subscription": IN_EACH_DIALECT,
    "TickerRow": IN_EACH_VENUE,
    "TotalsRow": IN_EACH_VENUE,
    "TradeRow": IN_EACH_VENUE,
    "Trading": IN_EACH_DIALECT,
}
"""The names that stand for more than one class, each with its reason."""


@cache
def classes() -> dict[str, list[Path]]:
    """Return where each class is defined, by its name without the underscore of a private one."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(SRC.rglob("*.py")):
        if "proto" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name.lstrip("_")].append(path.relative_to(SRC))
    return found


def test_no_class_name_stands_for_two_things() -> None:
    twice = {name: paths for name, paths in classes().items() if len(paths) > 1}
    assert {name: paths for name, paths in twice.items() if name not in EXCEPTIONS} == {}
    assert EXCEPTIONS.keys() == twice.keys(), "an exception that is not needed any more"


def test_an_exception_is_one_class_in_each_venue() -> None:
    for name, reason in EXCEPTIONS.items():
        folder = Path("simulator", "dialects") if reason is IN_EACH_DIALECT else Path("venues")
        own = [path for path in classes()[name] if reason is not SHARED or path != Path("venues", "parsing.py")]
        venues = [path.relative_to(folder).parts[0] for path in own]
        assert len(set(venues)) == len(venues), name
        assert set(venues) <= {"binance", "bitget", "bybit", "gate", "okx"}, name
