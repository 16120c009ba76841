"""Rate limits of Gate, of orders, amendments and cancels by the second, of every other endpoint in ten seconds.

https://www.gate.com/docs/developers/apiv4/en/#frequency-limit-rule
"""

from __future__ import annotations

from collections.abc import Mapping

from opensqt.venues.ratelimit.policy import EndpointPolicy, int_header
from opensqt.venues.ratelimit.window import Limit

_ORDERS, _CANCELS = "orders", "cancels"
_REMAIN = "x-gate-ratelimit-requests-remain"


def _read_usage(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    return int_header(headers, "x-gate-ratelimit-limit"), int_header(headers, _REMAIN)


RATE_LIMITS = EndpointPolicy(
    limits={_ORDERS: Limit(100, 1.0, shared=False), _CANCELS: Limit(200, 1.0)},
    default=Limit(200, 10.0),
    groups={
        "POST {settle}/orders": _ORDERS,
        "POST {settle}/batch_orders": _ORDERS,
        "PUT {settle}/orders/{order_id}": _ORDERS,
        "DELETE {settle}/orders": _CANCELS,
        "DELETE {settle}/orders/{order_id}": _CANCELS,
    },
    read=_read_usage,
)
