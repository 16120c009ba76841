"""Bitget's refusals, as its documents and its users show them, end in the error that says what to do."""

from __future__ import annotations

import ccxt
import ccxt.pro
import orjson
import pytest

from opensqt.model import errors
from opensqt.model.errors import ExchangeError
from opensqt.venues.bitget import errors as bitget_codes
from opensqt.venues.bitget.client import Client
from opensqt.venues.transport.ccxt_client import reply_of
from opensqt.venues.transport.errors import translate

RECORDED = [
    ("40109", "The data of the order cannot be found, please confirm the order number", errors.OrderNotFound),
    ("40768", "Order does not exist", errors.OrderNotFound),
    ("22001", "No order to cancel", errors.OrderNotFound),
    ("40786", "Duplicate clientOid", errors.DuplicateOrder),
    ("40762", "The order amount exceeds the balance", errors.InsufficientMargin),
    ("43012", "Insufficient balance", errors.InsufficientMargin),
    ("22002", "No position to close", errors.ReduceOnlyRefused),
    ("40009", "sign signature error", errors.CredentialsRefused),
    ("40006", "Invalid ACCESS_KEY", errors.CredentialsRefused),
    ("40012", "apikey/password is incorrect", errors.CredentialsRefused),
    ("40008", "Request timestamp expired", errors.ClockSkew),
    ("40014", "Incorrect permissions", errors.PermissionDenied),
    ("40010", "Request timed out", errors.OutcomeUnknown),
    ("40725", "service return an error", errors.OutcomeUnknown),
    ("45001", "Unknown error", errors.OutcomeUnknown),
    ("40200", "Server upgrade, please try again later", errors.Maintenance),
    (
        "40774",
        "The order type for unilateral position must also be the unilateral position type.",
        errors.PositionModeMismatch,
    ),
    ("40920", "Position or order exists, the position mode cannot be switched", errors.PositionModeMismatch),
    ("40034", "Parameter NOPEUSDT does not exist", errors.UnknownSymbol),
    ("45110", "less than the minimum amount 5 USDT", errors.OrderRejected),
    ("45115", "The price you enter should be a multiple of 0.1", errors.OrderRejected),
    (
        "40808",
        "Parameter verification exception size checkBDScale error value=2293.577 checkScale=2",
        errors.OrderRejected,
    ),
    ("40019", "Parameter marginCoin cannot be empty", errors.InvalidRequest),
]


def refusal(code: str, message: str, status: int = 400, headers: dict[str, str] | None = None) -> ExchangeError:
    """Let ccxt meet an answer, and answer what becomes of it."""
    answer = {"code": code, "msg": message, "requestTime": 1627293504612, "data": None}
    body = orjson.dumps(answer).decode()
    client = Client({})
    with pytest.raises(ccxt.BaseError) as raised:
        client.handle_errors(status, "", "https://api.bitget.com/x", "POST", headers or {}, body, answer, {}, "")
    return translate(reply_of(raised.value), bitget_codes.CODES, changes=True, symbol="BTCUSDT")


@pytest.mark.parametrize(("code", "message", "kind"), RECORDED)
def test_a_recorded_refusal_says_what_to_do(code: str, message: str, kind: type[ExchangeError]) -> None:
    error = refusal(code, message)
    assert (type(error), error.venue_code) == (kind, code)
    assert message in str(error)


def test_too_many_requests_and_the_five_minutes_after_shut_the_gate() -> None:
    """F16: the venue has one answer for both, and no other for a ban."""
    once = refusal("429", "Too Many Requests", 429)
    assert isinstance(once, errors.RateLimited)
    assert once.retry_after_s
    shut_out = refusal("429", "Too Many Requests", 429, {"Retry-After": "300"})
    assert (type(shut_out), shut_out.retry_after_s) == (errors.RateLimited, 300)


def test_a_gateways_error_leaves_the_outcome_open_whatever_code_it_carries() -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    assert isinstance(refusal("40762", "The order amount exceeds the balance", 502), errors.OutcomeUnknown)


def test_a_batchs_failures_are_told_by_the_id_that_names_them() -> None:
    """F2: a batch is answered item by item, and a failed one is never sent again item by item."""
    rows = [
        {"orderId": "", "clientOid": "mine1", "errorMsg": "less than the minimum amount 5 USDT", "errorCode": "45110"}
    ]
    told = bitget_codes.refusals(rows, "clientOid", "BTCUSDT")
    assert {name: type(error) for name, error in told.items()} == {"mine1": errors.OrderRejected}
    assert bitget_codes.refusals(rows, "orderId", "BTCUSDT") == {}


def test_no_code_stands_in_two_places() -> None:
    listed = [code for codes in bitget_codes._CODES.values() for code in codes]
    assert len(listed) == len(set(listed))
