"""The five venue packages have one shape: a reader who knows one knows five."""

from __future__ import annotations

import ast
from collections import Counter
from importlib import import_module
from inspect import isclass, isfunction
from pathlib import Path
from typing import Any

import pytest

from opensqt import venues
from opensqt.venues.factory import KNOWN
from opensqt.venues.transport.ccxt_client import CcxtMixin
from opensqt.venues.venue import Venue

ROOT = Path(venues.__path__[0])
FILES = {
    "__init__.py",
    "adapter.py",
    "causes.py",
    "errors.py",
    "funding.py",
    "limits.py",
    "parse.py",
    "public.py",
    "requests.py",
}
ROLES = {
    "adapter": {"{Name}Adapter", "Ccxt{Name}"},
    "causes": {"fill_kind", "close_reason"},
    "errors": {"CODES", "STALE_RULES", "refusal"},
    "funding": {"FUNDING", "FundingRow", "funding_pages", "parse_funding_payment"},
    "limits": {"RATE_LIMITS"},
    "parse": {
        *("ASSET", "INTERVALS", "TIME_IN_FORCE", "{Name}Parser"),
        *("parse_account", "parse_candle", "parse_fill", "parse_order", "parse_position", "parse_price"),
        *("OrderRow", "TradeRow", "PositionRow"),
    },
    "public": {"{Name}Public", "parse_trade"},
    "requests": {"{Name}Requests", "order_ref", "order_request"},
}
"""The names that each of the five has, by module."""
SOME = {
    "causes": {"close_text"},
    "errors": {"error_code"},
    "parse": {
        "lacks_fee",
        *("parse_balance_change", "parse_streamed_candle", "parse_streamed_fill", "parse_streamed_order"),
        *("parse_streamed_price", "CandleRow", "PriceRow", "QueriedBookRow", "StreamedCandleRow"),
        *("AccountRow", "BalanceRow", "FrameTime", "StreamedBalanceRow", "StreamedFillRow", "StreamedOrderRow"),
        *("TotalsRow", "account_mode"),
    },
    "public": {"OrderBookRow", "FundingRateRow", "PublicTradeRow", "TickerRow"},
    "requests": {"amend_request"},
}
"""Names of roles that two or more venues have, and not all."""


def module(venue: str, name: str) -> Any:
    return import_module(f"opensqt.venues.{venue}.{name}")


def defined(found: Any) -> set[str]:
    """The names of the classes and functions that a module defines for others."""
    return {
        name
        for name, value in vars(found).items()
        if (isclass(value) or isfunction(value)) and value.__module__ == found.__name__ and not name.startswith("_")
    }


def roles(venue: str, name: str) -> set[str]:
    return {role.format(Name=venue.capitalize()) for role in ROLES[name]}


@pytest.mark.parametrize("venue", KNOWN)
def test_every_venue_has_the_same_files(venue: str) -> None:
    assert {path.name for path in (ROOT / venue).iterdir() if path.suffix == ".py"} == FILES


@pytest.mark.parametrize("name", ROLES)
@pytest.mark.parametrize("venue", KNOWN)
def test_one_role_has_one_name_at_every_venue(venue: str, name: str) -> None:
    assert roles(venue, name) - vars(module(venue, name)).keys() == set()


@pytest.mark.parametrize("venue", KNOWN)
def test_the_adapter_and_its_client_are_of_the_shared_bases(venue: str) -> None:
    found = module(venue, "adapter")
    assert issubclass(getattr(found, f"{venue.capitalize()}Adapter"), Venue)
    assert issubclass(getattr(found, f"Ccxt{venue.capitalize()}"), CcxtMixin)


def test_requests_send_changes_and_queries_by_the_same_two_methods() -> None:
    for venue in KNOWN:
        sender = getattr(module(venue, "requests"), f"{venue.capitalize()}Requests")
        assert isfunction(sender.change), venue
        assert isfunction(sender.query), venue


def test_a_function_that_several_venues_define_has_a_known_role() -> None:
    """A second name for a role, or a second copy of a function, would show up here."""
    for name in ROLES:
        shared = Counter(part for venue in KNOWN for part in defined(module(venue, name)) - roles(venue, name))
        assert {part for part, venues_ in shared.items() if venues_ > 1} <= SOME.get(name, set()), name


@pytest.mark.parametrize("venue", KNOWN)
def test_no_error_code_is_listed_twice(venue: str) -> None:
    """A second entry would replace the first one without an error: the table becomes a dict by code."""
    tree = ast.parse((ROOT / venue / "errors.py").read_text())
    (table,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "_CODES"
    )
    assert isinstance(table, ast.Dict)
    listed = Counter(ast.unparse(code) for codes in table.values for code in _codes(codes))
    assert listed
    assert [code for code, times in listed.items() if times > 1] == []


def _codes(node: ast.AST) -> list[ast.AST]:
    """The leaves of a tuple whose parts may be starred tuples."""
    if isinstance(node, ast.Starred):
        return _codes(node.value)
    if isinstance(node, ast.Tuple):
        return [leaf for part in node.elts for leaf in _codes(part)]
    return [node]
