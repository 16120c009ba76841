"""Rate limits of OKX, of each endpoint in two seconds: https://www.okx.com/docs-v5/en/#overview-rate-limits."""

from __future__ import annotations

from opensqt.venues.ratelimit.policy import EndpointPolicy, Request
from opensqt.venues.ratelimit.window import Limit

_WINDOW_S = 2.0
_SHARED = {
    "GET trade/order": 60,
    "GET trade/orders-pending": 60,
    "GET trade/fills": 60,
    "GET trade/fills-history": 10,
    "GET account/config": 5,
    "GET account/leverage-info": 20,
    "POST account/set-leverage": 20,
    "POST account/set-position-mode": 5,
    "GET public/instruments": 20,
}
_UNSHARED = {
    "POST trade/order": 60,
    "POST trade/amend-order": 60,
    "POST trade/cancel-order": 60,
    # Counted in orders.
    "POST trade/batch-orders": 300,
    "POST trade/cancel-batch-orders": 300,
    "GET market/books": 40,
    "GET market/candles": 40,
    "GET market/history-candles": 20,
}


def _count(request: Request) -> int:
    return len(request.params) if isinstance(request.params, list) else 1


RATE_LIMITS = EndpointPolicy(
    limits={name: Limit(amount, _WINDOW_S) for name, amount in _SHARED.items()}
    | {name: Limit(amount, _WINDOW_S, shared=False) for name, amount in _UNSHARED.items()}
    | {"POST trade/cancel-all-after": Limit(1, 1.0, shared=False)},
    default=Limit(10, _WINDOW_S),
    count=_count,
)
"""Responses of the venue contain no usage."""
