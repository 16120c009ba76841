"""OKX's error responses, as its documents show them, become the errors that say what to do."""

from __future__ import annotations

from typing import Any

import ccxt
import orjson
import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model import errors
from opensqt.model.errors import ExchangeError
from opensqt.venues.okx.adapter import OkxAdapter
from opensqt.venues.okx.errors import CODES, refusal
from opensqt.venues.transport.ccxt_client import reply_of
from opensqt.venues.transport.errors import translate

ORDER = "https://www.okx.com/api/v5/trade/order"
BATCH = "https://www.okx.com/api/v5/trade/batch-orders"


def row(code: str, message: str = "words") -> dict[str, Any]:
    """The refusal of an order request: a row has its code, and the response has the code 1."""
    data = [{"clOrdId": "a1", "ordId": "", "sCode": code, "sMsg": message, "tag": "", "ts": "1695190491421"}]
    return {"code": "1", "data": data, "inTime": "1", "msg": "All operations failed", "outTime": "2"}


def top(code: str, message: str = "words") -> dict[str, Any]:
    return {"code": code, "data": [], "msg": message}


def raised(status: int, response: dict[str, Any], *, url: str = ORDER, changes: bool = True) -> ExchangeError:
    client = OkxAdapter.make_client(VenueSettings(name="okx"))
    with pytest.raises(ccxt.BaseError) as caught:
        client.handle_errors(status, "", url, "POST", {}, orjson.dumps(response).decode(), response, {}, "")
    return translate(reply_of(caught.value), CODES, changes=changes)


@pytest.mark.parametrize(
    ("status", "response", "expected"),
    [
        (200, top("51603", "Order does not exist"), errors.OrderNotFound),
        (200, row("51400", "Cancellation failed as the order does not exist."), errors.OrderNotFound),
        (200, row("51016", "Client order ID already exists."), errors.DuplicateOrder),
        (200, row("51008", "Order failed. Insufficient USDT margin in account"), errors.InsufficientMargin),
        (200, row("51511", "Post only"), errors.PostOnlyWouldCross),
        (200, row("51169", "you don't have any positions in this direction"), errors.ReduceOnlyRefused),
        (401, top("50113", "Invalid Sign"), errors.CredentialsRefused),
        (401, top("50105", 'Request header "OK-ACCESS-PASSPHRASE" incorrect.'), errors.CredentialsRefused),
        (401, top("50111", "Invalid OK-ACCESS-KEY"), errors.CredentialsRefused),
        (401, top("50102", "Timestamp request expired"), errors.ClockSkew),
        (429, top("50011", "Too Many Requests"), errors.RateLimited),
        (200, row("50061", "Order rate limit of the account"), errors.RateLimited),
        (403, top("1006", "banned"), errors.Banned),
        (200, top("50001", "Service temporarily unavailable"), errors.Maintenance),
        (503, top("50001", "Service temporarily unavailable"), errors.OutcomeUnknown),
        (400, top("50004", "API endpoint request timeout"), errors.OutcomeUnknown),
        (200, row("51149", "Order timed out. Please try again."), errors.OutcomeUnknown),
        (200, row("51000", "Parameter posSide  error"), errors.PositionModeMismatch),
        (200, row("51000", "Parameter px  error"), errors.InvalidRequest),
        (200, top("51001", "Instrument ID does not exist"), errors.UnknownSymbol),
        (200, row("51121", "Order quantity must be a multiple of the lot size."), errors.OrderRejected),
        (200, row("51010", "not under your account mode"), errors.PermissionDenied),
        (200, row("59999", "what no table knows"), errors.VenueError),
    ],
)
def test_a_response_becomes_the_error_that_says_what_to_do(
    status: int, response: dict[str, Any], expected: type[ExchangeError]
) -> None:
    assert type(raised(status, response)) is expected


def test_the_error_carries_the_rows_own_code_and_text() -> None:
    error = raised(200, row("51008", "Insufficient USDT margin"))
    assert error.venue_code == "51008"
    assert "Insufficient USDT margin" in str(error)


def test_a_rate_limit_lasts_as_long_as_the_venues_window() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    assert raised(429, top("50011")).retry_after_s == 2


def test_a_timeout_of_a_query_is_no_unknown_outcome() -> None:
    assert type(raised(400, top("50004"), changes=False)) is errors.Unreachable


def test_a_batchs_rows_are_left_to_be_read_one_by_one() -> None:
    """F2: a batch is answered item by item, and a failed one is never sent again item by item."""
    response = row("51008")
    OkxAdapter.make_client(VenueSettings(name="okx")).handle_errors(200, "", BATCH, "POST", {}, "", response, {}, "")
    assert isinstance(refusal(response["data"][0], "BTCUSDT"), errors.InsufficientMargin)
    assert refusal({"sCode": "0", "sMsg": "Order placed"}, "BTCUSDT") is None


def test_a_batch_that_was_refused_whole_raises() -> None:
    assert isinstance(raised(429, top("50011"), url=BATCH), errors.RateLimited)
