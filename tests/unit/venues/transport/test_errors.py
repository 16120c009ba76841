"""The translation of ccxt's errors and the venues' codes into OpenSQT errors."""

from __future__ import annotations

import inspect

import ccxt
import pytest

from opensqt.model import errors
from opensqt.model.errors import ExchangeError
from opensqt.venues.factory import VENUES, venue_type
from opensqt.venues.transport.errors import CCXT_ERRORS, VenueReply, translate

NO_RESPONSE = [
    ccxt.NetworkError,
    ccxt.RequestTimeout,
    ccxt.ExchangeNotAvailable,
    ccxt.OperationFailed,
    ccxt.BadResponse,
]
CODES = {"1": errors.InsufficientMargin, "2": errors.OutcomeUnknown, "3": errors.Maintenance}


def kind(*, changes: bool = True, **reply: object) -> type[ExchangeError]:
    fields = {"error": ccxt.ExchangeError, "http_status": 400} | reply
    return type(translate(VenueReply(**fields), CODES, changes=changes))  # type: ignore[arg-type]


def test_the_table_names_every_error_class_of_ccxt() -> None:
    classes = {one for _, one in inspect.getmembers(ccxt, inspect.isclass) if issubclass(one, ccxt.BaseError)}
    assert set(CCXT_ERRORS) == classes


@pytest.mark.parametrize("error", NO_RESPONSE)
@pytest.mark.parametrize("changes", [True, False])
def test_no_response_leaves_a_change_unknown_and_a_query_unreachable(
    error: type[ccxt.BaseError], changes: bool
) -> None:
    """F1, F3: a network error never counts as a refusal."""
    expected = errors.OutcomeUnknown if changes else errors.Unreachable
    assert kind(error=error, http_status=None, changes=changes) is expected


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("code", ["", "1", "3", "999"])
def test_a_5xx_leaves_a_change_unknown_whatever_its_code(status: int, code: str) -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    assert kind(http_status=status, code=code) is errors.OutcomeUnknown


def test_without_a_connection_nothing_was_sent() -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    assert kind(error=ccxt.ExchangeNotAvailable, http_status=None, sent=False) is errors.Unreachable


def test_a_code_of_the_venue_overrides_the_class_of_ccxt() -> None:
    assert kind(error=ccxt.InvalidOrder, code="1") is errors.InsufficientMargin


def test_a_code_that_leaves_the_outcome_open_matters_only_to_changes() -> None:
    assert kind(code="2") is errors.OutcomeUnknown
    assert kind(code="2", changes=False) is errors.Unreachable


@pytest.mark.parametrize(("status", "expected"), [(418, errors.Banned), (429, errors.RateLimited)])
def test_a_rate_limit_carries_the_delay_to_wait(status: int, expected: type[ExchangeError]) -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    reply = VenueReply(error=ccxt.DDoSProtection, http_status=status, retry_after_s=7)
    error = translate(reply, CODES, changes=True)
    assert (type(error), error.retry_after_s) == (expected, 7)


def test_an_unknown_code_is_a_venue_error() -> None:
    assert kind(code="999") is errors.VenueError


def test_an_error_keeps_the_code_and_hides_the_signature() -> None:
    """F33: no secret shows in a log, an error or a page."""
    reply = VenueReply(error=ccxt.BadRequest, http_status=400, code="1", message="bad signature=abcdef012345")
    error = translate(reply, CODES, changes=True, symbol="BTCUSDT")
    assert "abcdef012345" not in str(error)
    assert (error.venue_code, error.symbol) == ("1", "BTCUSDT")


@pytest.mark.parametrize("name", VENUES)
def test_each_venue_has_codes_for_what_callers_act_on(name: str) -> None:
    """Post-only is missing: some venues accept such an order and cancel it, so the contract suite tests that case."""
    needed = {
        errors.OutcomeUnknown,
        errors.RateLimited,
        errors.CredentialsRefused,
        errors.ClockSkew,
        errors.OrderNotFound,
        errors.DuplicateOrder,
        errors.InsufficientMargin,
        errors.ReduceOnlyRefused,
        errors.PositionModeMismatch,
        errors.Maintenance,
    }
    assert needed <= set(venue_type(name).codes.values())
