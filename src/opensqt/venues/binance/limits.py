"""Rate limits of Binance: the weight of an address and the orders of an account.

https://developers.binance.com/docs/derivatives/usds-margined-futures/general-info
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from opensqt.venues.ratelimit.policy import ReportedUsage, Request, int_header
from opensqt.venues.ratelimit.window import Limit

_WEIGHT = "weight"
_WEIGHT_HEADER, _ORDERS_HEADER = "x-mbx-used-weight-", "x-mbx-order-count-"
_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3_600, "DAY": 86_400}
_LIMITS = {_WEIGHT: Limit(2_400, 60.0), "10s": Limit(300, 10.0, shared=False), "1m": Limit(1_200, 60.0, shared=False)}
"""The order limits by the interval that their headers end with."""


class WeightPolicy:
    """The weights are those of ccxt; `exchangeInfo` has the limits, and headers have the usage."""

    def limit(self, name: str) -> Limit:
        """Return a declared limit, which holds until the venue reports another."""
        return _LIMITS[name]

    def cost(self, request: Request) -> Mapping[str, int]:
        """Return the cost of a request by limit; a new order has no weight, a batch of new orders has one.

        An amendment counts as a new order does.
        """
        if request.method == "PUT" and request.path == "order":
            return {_WEIGHT: max(1, request.weight), "10s": 1, "1m": 1}
        if request.method != "POST" or request.path not in ("order", "batchOrders"):
            return {_WEIGHT: max(1, request.weight)}
        batch = request.params.get("batchOrders") if isinstance(request.params, dict) else None
        orders = len(batch) if isinstance(batch, list) else 1
        return {_WEIGHT: request.weight if batch else 0, "10s": orders, "1m": orders}

    def read_usage(self, request: Request, headers: Mapping[str, str], response: Any) -> Iterable[ReportedUsage]:
        """Return the limits and the usage that a response contains."""
        if request.path == "exchangeInfo" and isinstance(response, dict):
            yield from (usage for row in response.get("rateLimits", ()) if (usage := _limit(row)) is not None)
        for header in headers:
            if header.startswith(_WEIGHT_HEADER):
                yield ReportedUsage(_WEIGHT, used=int_header(headers, header))
            elif header.startswith(_ORDERS_HEADER) and (name := header.removeprefix(_ORDERS_HEADER)) in _LIMITS:
                yield ReportedUsage(name, used=int_header(headers, header))


def _limit(row: Mapping[str, Any]) -> ReportedUsage | None:
    count = int(row["intervalNum"])
    name = _WEIGHT if row["rateLimitType"] == "REQUEST_WEIGHT" else f"{count}{row['interval'][:1].lower()}"
    if name not in _LIMITS:
        return None
    window_s = float(count * _SECONDS[row["interval"]])
    return ReportedUsage(name, Limit(int(row["limit"]), window_s, _LIMITS[name].shared))


RATE_LIMITS = WeightPolicy()
