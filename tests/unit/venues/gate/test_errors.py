"""Gate's error labels, as its documents show them, become the errors that say what to do."""

from __future__ import annotations

import ccxt
import pytest

from opensqt.model import errors
from opensqt.model.errors import ExchangeError, OrderRejected
from opensqt.venues.gate.errors import CODES, order_error, refusal
from opensqt.venues.transport.errors import VenueReply, translate


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("ORDER_NOT_FOUND", errors.OrderNotFound),
        ("ORDER_FINISHED", errors.OrderNotFound),
        ("REPEATED_CREATION", errors.DuplicateOrder),
        ("INSUFFICIENT_AVAILABLE", errors.InsufficientMargin),
        ("ORDER_POC_IMMEDIATE", errors.PostOnlyWouldCross),
        ("REDUCE_EXCEEDED", errors.ReduceOnlyRefused),
        ("POSITION_EMPTY", errors.ReduceOnlyRefused),
        ("INVALID_SIGNATURE", errors.CredentialsRefused),
        ("INVALID_KEY", errors.CredentialsRefused),
        ("REQUEST_EXPIRED", errors.ClockSkew),
        ("TOO_MANY_REQUESTS", errors.RateLimited),
        ("TOO_BUSY", errors.Maintenance),
        ("SERVER_ERROR", errors.OutcomeUnknown),
        ("POSITION_DUAL_MODE", errors.PositionModeMismatch),
        ("FORBIDDEN", errors.PermissionDenied),
        ("CONTRACT_NOT_FOUND", errors.UnknownSymbol),
    ],
)
def test_a_label_says_what_to_do(label: str, expected: type[ExchangeError]) -> None:
    reply = VenueReply(error=ccxt.ExchangeError, http_status=400, code=label, message="words")
    assert type(translate(reply, CODES, changes=True)) is expected


def test_an_order_that_misses_a_rule_is_rejected_rather_than_malformed() -> None:
    """F23: price and quantity keep to the venue's steps and limits."""
    malformed = errors.InvalidRequest("words", venue_code="INVALID_PARAM_VALUE", symbol="BTCUSDT")
    rejected = order_error(malformed)
    assert (type(rejected), rejected.venue_code) == (OrderRejected, "INVALID_PARAM_VALUE")
    other = errors.InvalidRequest("words", venue_code="INVALID_PROTOCOL")
    assert order_error(other) is other


def test_a_batch_has_a_label_for_each_order_that_it_refuses() -> None:
    """F2: an accepted order has no error, and a refused one has its own."""
    assert refusal({"succeeded": True, "id": 1}, "BTCUSDT") is None
    refused = refusal({"succeeded": False, "label": "INSUFFICIENT_AVAILABLE", "detail": "words"}, "BTCUSDT")
    assert (type(refused), refused and refused.symbol) == (errors.InsufficientMargin, "BTCUSDT")
    missed = refusal({"succeeded": False, "label": "INVALID_PARAM_VALUE", "message": "words"}, "BTCUSDT")
    assert isinstance(missed, OrderRejected)
