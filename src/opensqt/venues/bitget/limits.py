"""Rate limits of Bitget, of an endpoint by the second, of an address by the minute: https://www.bitget.com/api-doc/common/intro."""

from __future__ import annotations

from collections.abc import Mapping

from opensqt.venues.ratelimit.policy import EndpointPolicy, int_header
from opensqt.venues.ratelimit.window import Limit

_ADDRESS = "address"
_MARKET = ("candles", "history-candles", "contracts", "ticker")


def _read_usage(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    return None, int_header(headers, "x-mbx-used-remain-limit")


RATE_LIMITS = EndpointPolicy(
    limits={
        _ADDRESS: Limit(6_000, 60.0),
        "POST v2/mix/order/place-order": Limit(10, 1.0, shared=False),
        "POST v3/trade/place-order": Limit(10, 1.0, shared=False),
        "POST v3/trade/place-batch": Limit(5, 1.0, shared=False),
        "POST v3/trade/cancel-batch": Limit(5, 1.0, shared=False),
        "POST v3/trade/cancel-symbol-order": Limit(5, 1.0),
        "POST v3/trade/countdown-cancel-all": Limit(1, 1.0, shared=False),
        "GET v3/account/info": Limit(5, 1.0),
        "GET v3/account/financial-records": Limit(20, 1.0, shared=False),
        "POST v2/mix/order/batch-place-order": Limit(5, 1.0, shared=False),
        "GET v2/mix/position/all-position": Limit(5, 1.0),
        "POST v2/mix/account/set-leverage": Limit(5, 1.0),
        "POST v2/mix/account/set-position-mode": Limit(5, 1.0),
        "GET v2/spot/account/info": Limit(1, 1.0, shared=False),
        **{f"GET v2/mix/market/{name}": Limit(20, 1.0, shared=False) for name in _MARKET},
    },
    default=Limit(10, 1.0),
    per_address=_ADDRESS,
    read=_read_usage,
)
"""The documents have the limit of each endpoint on its own page."""
