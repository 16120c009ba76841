"""Rate limits of Bybit, of an endpoint by the second, of an address in five seconds.

https://bybit-exchange.github.io/docs/v5/rate-limit
"""

from __future__ import annotations

from collections.abc import Mapping

from opensqt.venues.ratelimit.policy import EndpointPolicy, Request, int_header
from opensqt.venues.ratelimit.window import Limit

_ADDRESS = "address"
_ORDERS = Limit(10, 1.0, shared=False)
_QUERIES = Limit(50, 1.0)
_MARKET = Limit(100, 1.0, shared=False)
"""Market data only has the limit of the address; this lower one leaves a part of that to other requests."""


def _count(request: Request) -> int:
    orders = request.params.get("request") if isinstance(request.params, dict) else None
    return len(orders) if isinstance(orders, list) else 1


def _read_usage(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    return int_header(headers, "x-bapi-limit"), int_header(headers, "x-bapi-limit-status")


RATE_LIMITS = EndpointPolicy(
    limits={
        _ADDRESS: Limit(600, 5.0),
        **dict.fromkeys(("POST v5/order/create", "POST v5/order/create-batch", "POST v5/order/amend"), _ORDERS),
        **dict.fromkeys(("GET v5/order/realtime", "GET v5/order/history", "GET v5/position/list"), _QUERIES),
        **dict.fromkeys(("GET v5/execution/list", "GET v5/account/wallet-balance"), _QUERIES),
        "GET v5/account/transaction-log": Limit(30, 1.0),
        **dict.fromkeys(("GET v5/market/orderbook", "GET v5/market/kline", "GET v5/market/instruments-info"), _MARKET),
    },
    default=Limit(10, 1.0),
    per_address=_ADDRESS,
    count=_count,
    read=_read_usage,
)
"""They hold until headers have the account's own limits."""
