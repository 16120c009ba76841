"""The responses that list open orders, on every venue: all orders are read, and few are held as JSON meanwhile."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model.errors import CredentialsRefused, Unreachable
from opensqt.venues.factory import venue_type
from opensqt.venues.health import Health
from opensqt.venues.metrics import VenueMetrics
from opensqt.venues.ratelimit.limiter import RateLimiter
from opensqt.venues.transport.rest import Rest
from opensqt.venues.venue import Venue
from tests.unit.venues.account.test_comparison import ORDER as BINANCE_ORDER
from tests.unit.venues.bitget.test_parse import ORDER as BITGET_ORDER
from tests.unit.venues.bybit.test_parse import ORDER as BYBIT_ORDER
from tests.unit.venues.gate.test_parse import ORDER as GATE_ORDER
from tests.unit.venues.okx.test_parse import ORDER as OKX_ORDER
from tests.unit.venues.okx.test_parse import rules

COUNT = 2_000
_MOST_BYTES = 1_000
"""Of one order, beside its text in the response and the order that is returned; some pages wait to be collected."""


@dataclass(frozen=True)
class Listing:
    """How a venue lists its open orders."""

    venue: str
    row: dict[str, Any]
    id_field: str
    page: int
    """Number of rows in one response."""
    body: Callable[[list[Any], bool], Any]
    """Returns a response of these rows; the flag says whether others follow."""
    newest_first: bool = False

    def __str__(self) -> str:
        return self.venue

    def responses(self, count: int) -> list[tuple[int, str]]:
        """All pages of so many orders."""
        rows = [self.row | {self.id_field: str(number)} for number in range(count)]
        # A full page is followed by another one, though it be empty.
        pages = [rows[first : first + self.page] for first in range(0, count + 1, self.page)]
        return [(200, json.dumps(self.body(page, page is not pages[-1]))) for page in pages]


BITGET_QUERIED = BITGET_ORDER | {"symbol": "BTCUSDT"}
LISTINGS = [
    Listing("binance", BINANCE_ORDER, "orderId", 10_000, lambda rows, _: rows),
    Listing(
        "bitget", BITGET_QUERIED, "orderId", 100, lambda rows, _: {"code": "00000", "data": {"entrustedList": rows}},
        newest_first=True,
    ),
    Listing(
        "bybit", BYBIT_ORDER, "orderId", 50,
        lambda rows, more: {"retCode": 0, "result": {"list": rows, "nextPageCursor": "more" if more else ""}},
    ),
    Listing("gate", GATE_ORDER, "id", 100, lambda rows, _: rows),
    Listing("okx", OKX_ORDER, "ordId", 100, lambda rows, _: {"code": "0", "data": rows}),
]  # fmt: skip


def connected(name: str, responses: list[tuple[int, str]]) -> Venue:
    """A venue whose client gets these responses in order, each a status and a body."""
    kind = venue_type(name)
    settings = VenueSettings(name=name, api_key="k", secret="s", passphrase="p")  # type: ignore[arg-type]
    client = kind.make_client(settings)
    limiter = client.rate_limiter = RateLimiter(kind.rate_limits, queue_timeout_s=60)
    client.venue_metrics = VenueMetrics()

    async def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        status, text = responses.pop(0)
        response = client.parse_json(text)
        client.handle_errors(status, "", url, method, {}, text, response, headers, body)
        return response

    client.fetch = fetch
    rest = Rest(client, kind.codes, Health(name), limiter, recv_window_ms=5_000, clock_interval_s=60)
    venue = kind(settings, client, rest)
    names = {"okx": "BTC-USDT-SWAP", "gate": "BTC_USDT"}
    venue.rules_by_id = {names.get(name, "BTCUSDT"): rules()}
    venue.rules = {"BTCUSDT": rules()}
    if name == "bitget":
        venue.symbols = {"BTCUSDT": "BTCUSDT"}  # type: ignore[attr-defined]
    return venue


@pytest.mark.parametrize("listing", LISTINGS, ids=str)
@pytest.mark.parametrize("count", [0, 1, 2, 100, 101, 250])
async def test_every_open_order_of_every_page_is_read(listing: Listing, count: int) -> None:
    """F6: a comparison with the venue misses no open order."""
    orders = await connected(listing.venue, listing.responses(count)).open_orders()
    expected = [str(number) for number in range(count)]
    assert [order.order_id for order in orders] == (expected[::-1] if listing.newest_first else expected)


@pytest.mark.parametrize("listing", LISTINGS, ids=str)
async def test_the_rows_of_thousands_of_orders_are_never_held_at_once(listing: Listing) -> None:
    """F27: a comparison with the venue takes little memory beside the orders that it returns."""
    venue = connected(listing.venue, listing.responses(COUNT))
    tracemalloc.start()
    try:
        orders = await venue.open_orders()
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(orders) == COUNT
    assert most - kept < COUNT * _MOST_BYTES


async def test_a_refused_list_of_open_orders_raises_the_venues_error() -> None:
    """An error is an object where orders are a list."""
    refused = 401, '{"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}'
    with pytest.raises(CredentialsRefused, match="Invalid API-key"):
        await connected("binance", [refused]).open_orders()


@pytest.mark.parametrize("body", ["[{", "[1, 2", '[{"orderId": 1}, x]', "<html>"])
async def test_a_list_of_open_orders_that_is_no_json_is_a_failed_query(body: str) -> None:
    """F25: half of a response is no account without orders."""
    with pytest.raises(Unreachable):
        await connected("binance", [(200, body)]).open_orders()


async def test_a_row_of_a_long_list_that_can_not_be_read_hides_no_other() -> None:
    """F25: it is set aside, and the orders beside it are returned."""
    rows = [BINANCE_ORDER | {"orderId": 1}, BINANCE_ORDER | {"orderId": 2, "status": "NEW_ADL"}, None, 7, "text"]
    venue = connected("binance", [(200, json.dumps([*rows, BINANCE_ORDER | {"orderId": 3}]))])
    assert [order.order_id for order in await venue.open_orders()] == ["1", "3"]
    assert [row.row_id for row in venue.set_aside.rows("order")] == ["2", ""]
