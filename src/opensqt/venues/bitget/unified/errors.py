"""Error codes that only a unified account sees: https://www.bitget.com/api-doc/uta/error-code/restapi."""

from __future__ import annotations

from opensqt.model import errors
from opensqt.model.errors import ExchangeError

_CODES: dict[type[ExchangeError], tuple[str, ...]] = {
    # System error and time-out: the engine may or may not have executed the request.
    errors.OutcomeUnknown: ("25000", "25001"),
    errors.RateLimited: ("25004",),
    # The first five: no such user, and an account in an abnormal or irregular state, in liquidation, or at risk.
    errors.PermissionDenied: ("25005", "25006", "25007", "25008", "25012", "25013", "25620"),
    errors.Unsupported: ("25002", "25009", "25240", "25245"),
    errors.InvalidRequest: ("25200",),
    errors.UnknownSymbol: ("25100",),
    # The second: an item of a batch of cancels, https://www.bitget.com/api-doc/uta/trade/Cancel-All-Order.
    errors.OrderNotFound: ("25204", "24056"),
    errors.DuplicateOrder: ("25212",),
    errors.InsufficientMargin: ("25202", "25203", "25219", "25220", "25230"),
    errors.ReduceOnlyRefused: ("25225", "25226", "25227", "25231", "25232", "25574"),
    # The mode can't be changed while something is held or open, and an order for the other mode.
    errors.PositionModeMismatch: ("25010", "25107", "25236", "25237"),
    errors.OrderRejected: (
        *("25113", "25114", "25570"),  # orders that are open, or being canceled or modified, are in the way of a change
        *("25101", "25102", "25103", "25104", "25105", "25106", "25108"),  # the symbol's state
        *("25205", "25206", "25207", "25208", "25209", "25210", "25211", "25223", "25228", "25229", "25233", "25234"),
        *("25235", "25241", "25242", "25244", "25567", "25610", "25611", "25654", "25655"),
    ),
}
CODES = {code: kind for kind, codes in _CODES.items() for code in codes}

STALE_RULES = frozenset(
    {"25100", "25101", "25102", "25103", "25104", "25106", "25108", "25207", "25208", "25244", "25610", "25611"}
)
"""Refusals by a filter, or by the symbol's state, that the loaded rules had let through."""
