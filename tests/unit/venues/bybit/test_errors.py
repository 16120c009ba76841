"""Bybit's error responses, as its documents show them, become the errors that say what to do."""

from __future__ import annotations

from typing import Any

import ccxt
import orjson
import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model import errors
from opensqt.model.errors import ExchangeError
from opensqt.venues.bybit.adapter import BybitAdapter
from opensqt.venues.bybit.errors import CODES, refusal
from opensqt.venues.transport.ccxt_client import reply_of
from opensqt.venues.transport.errors import translate

ORDER = "https://api.bybit.com/v5/order/create"
NOW_MS = 1_672_738_134_000


def response(code: int, message: str) -> dict[str, Any]:
    return {"retCode": code, "retMsg": message, "result": {}, "retExtInfo": {}, "time": NOW_MS}


def raised(
    body: dict[str, Any] | None, *, status: int = 200, headers: dict[str, str] | None = None, changes: bool = True
) -> ExchangeError:
    client = BybitAdapter.make_client(VenueSettings(name="bybit"))
    client.nonce = lambda: NOW_MS
    text = "<html>Forbidden</html>" if body is None else orjson.dumps(body).decode()
    with pytest.raises(ccxt.BaseError) as caught:
        client.handle_errors(status, "", ORDER, "POST", headers or {}, text, body, {}, "")
    return translate(reply_of(caught.value), CODES, changes=changes)


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (110001, "order not exists or too late to cancel", errors.OrderNotFound),
        (110072, "OrderLinkedID is duplicate", errors.DuplicateOrder),
        (110007, "ab not enough for new order", errors.InsufficientMargin),
        (110017, "current position is zero, cannot fix reduce-only order qty", errors.ReduceOnlyRefused),
        (110003, "Order price exceeds the allowable range.", errors.OrderRejected),
        (110094, "Order does not meet minimum order value 5USDT", errors.OrderRejected),
        (10001, "Qty invalid", errors.OrderRejected),
        (10001, "position idx not match position mode", errors.PositionModeMismatch),
        (110024, "You have an existing position", errors.PositionModeMismatch),
        (10003, "API key is invalid.", errors.CredentialsRefused),
        (10004, "error sign! origin_string[...]", errors.CredentialsRefused),
        (33004, "Your api key has expired.", errors.CredentialsRefused),
        (10005, "Permission denied, please check your API key permissions.", errors.PermissionDenied),
        (10010, "Unmatched IP, please check your API key's bound IP addresses.", errors.PermissionDenied),
        (10002, "invalid request, please check your server timestamp or recv_window param.", errors.ClockSkew),
        (10006, "Too many visits. Exceeded the API Rate Limit.", errors.RateLimited),
        (10018, "Exceeded the IP Rate Limit.", errors.RateLimited),
        (429, "The trading service is experiencing a high server load.", errors.Maintenance),
        (10000, "Server Timeout", errors.OutcomeUnknown),
        (10016, "Server error.", errors.OutcomeUnknown),
    ],
)
def test_a_code_says_what_to_do(code: int, message: str, expected: type[ExchangeError]) -> None:
    error = raised(response(code, message))
    assert type(error) is expected
    assert error.venue_code.split()[0] == str(code)


def test_a_query_that_the_venue_could_not_serve_may_be_repeated() -> None:
    """F3: a query that fails, or could not be made, is no proof of absence."""
    assert type(raised(response(10000, "Server Timeout"), changes=False)) is errors.Unreachable


def test_a_gateways_503_leaves_the_outcome_open() -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    assert type(raised(None, status=503)) is errors.OutcomeUnknown


def test_the_ban_of_an_address_lasts_ten_minutes_unless_the_header_has_another_time() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    error = raised(None, status=403)
    assert isinstance(error, errors.Banned)
    assert error.retry_after_s == 600
    assert raised(None, status=403, headers={"Retry-After": "7"}).retry_after_s == 7


def test_a_rate_limit_lasts_until_the_window_that_the_venue_names_ends() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    reset = {"X-Bapi-Limit": "10", "X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": str(NOW_MS + 400)}
    error = raised(response(10006, "Too many visits!"), headers=reset)
    assert error.retry_after_s == pytest.approx(0.4)


def test_a_batch_has_a_code_for_each_of_its_orders() -> None:
    """F2: a batch is answered item by item, and a failed one is never sent again item by item."""
    rows = [
        {"code": 0, "msg": "OK"},
        {"code": 110007, "msg": "ab not enough for new order"},
        {"code": 10001, "msg": "position idx not match position mode"},
    ]
    first, second, third = (refusal(row, "BTCUSDT") for row in rows)
    assert first is None
    assert isinstance(second, errors.InsufficientMargin)
    assert isinstance(third, errors.PositionModeMismatch)
