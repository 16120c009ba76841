"""Error codes of Binance: https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code."""

from __future__ import annotations

from opensqt.model import errors
from opensqt.model.errors import ExchangeError
from opensqt.venues.parsing import Row
from opensqt.venues.transport.errors import translate_item

_CODES: dict[type[ExchangeError], tuple[int, ...]] = {
    # The engine may or may not have executed the request.
    errors.OutcomeUnknown: (-1000, -1001, -1006, -1007),
    errors.RateLimited: (-1003, -1015),
    errors.Maintenance: (-1008, -1016),
    errors.CredentialsRefused: (-1002, -1022, -2014, -2015),
    errors.ClockSkew: (-1021, -5028),
    errors.PermissionDenied: (-1010, -1011, -1109, -2017, -4087, -4088, -4402, -4403),
    errors.Unsupported: (-1020, -1116, -1117, -1126, -4086),
    errors.InvalidRequest: (
        *(-1013, -1014, -1023, -1100, -1101, -1102, -1103, -1104, -1105, -1106, -1108, -1112, -1113, -1114, -1115),
        *(-1118, -1119, -1120, -1127, -1128, -1130, -1136, -4000, -4015, -4028, -4060, -4117),
    ),
    errors.UnknownSymbol: (-1110, -1121, -4144),
    errors.OrderNotFound: (-2011, -2013),
    errors.DuplicateOrder: (-4116,),
    errors.InsufficientMargin: (-2018, -2019, -2027, -4050, -4051),
    errors.ReduceOnlyRefused: (-2022, -2024, -2026, -4062, -4118),
    errors.PostOnlyWouldCross: (-5022,),
    errors.PositionModeMismatch: (-4061, -4067, -4068),
    errors.OrderRejected: (
        *(-1111, -2010, -2020, -2021, -2023, -2025, -2028, -4001, -4002, -4003, -4004, -4005, -4006, -4007, -4008),
        *(-4009, -4013, -4014, -4016, -4023, -4024, -4029, -4030, -4108, -4131, -4140, -4141, -4164, -4400, -4401),
        # A cooling-off period, an agreement to be signed, a time in force without a position, no depth to price by.
        *(-4192, -4411, -4509, -5021, -5041),
        # An amendment: not now, not of this type, too many of this order, nothing changes.
        *(-5024, -5025, -5026, -5027),
        # A margin type or a position mode that is the same, or can't be changed while something is open.
        *(-4046, -4047, -4048, -4059, -4168),
    ),
}
CODES = {str(code): kind for kind, codes in _CODES.items() for code in codes}

UNCHANGED = frozenset({"-4046", "-4059"})
"""The margin type or the position mode is the requested one already."""

STALE_RULES = frozenset(
    {"-1111", "-1013", "-4003", "-4004", "-4005", "-4013", "-4014", "-4023", "-4108", "-4140", "-4164"}
)
"""Refusals by a filter, or by the symbol's state, that the loaded rules had let through."""


def refusal(row: Row, symbol: str) -> ExchangeError | None:
    """Return the error of one item of a batch; None where the row is an order."""
    return None if "orderId" in row else translate_item(str(row["code"]), str(row["msg"]), CODES, symbol=symbol)
