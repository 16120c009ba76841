"""What Bitget's error codes mean to us: https://www.bitget.com/api-doc/contract/error-code/restapi."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import ccxt

from opensqt.model import errors
from opensqt.model.errors import ExchangeError
from opensqt.venues.transport.errors import VenueReply, translate

_CODES: dict[type[ExchangeError], tuple[str, ...]] = {
    # The engine may or may not have done it; during its releases the venue answers the last three of these.
    errors.OutcomeUnknown: ("40010", "40910", "40908", "45001", "40725", "40015"),
    errors.RateLimited: ("429", "30006", "30007", "1001", "45129"),
    errors.Maintenance: ("40200", "40308", "40604", "40844", "41114", "43115", "45043"),
    errors.CredentialsRefused: (
        *("40001", "40002", "40003", "40006", "40009", "40011", "40012", "40037"),
        *("30002", "30004", "30005", "30011", "30012", "30015"),
    ),
    errors.ClockSkew: ("40004", "40005", "40008", "40911", "30013", "30014"),
    errors.PermissionDenied: (
        *("40000", "40013", "40014", "40016", "40018", "40022", "40023", "40025", "40026", "40031", "40035", "40042"),
        *("40099", "40128", "40301", "40710", "22010", "40916", "45107", "45108"),
    ),
    errors.Unsupported: ("40805", "40919", "22004", "22005", "40085"),
    errors.InvalidRequest: (
        *("40007", "40017", "400172", "40019", "40020", "40102", "40303", "40304", "40305", "40306", "40402", "40403"),
        *("40700", "40705", "40707", "40708", "40811", "40812", "40813", "41101", "42072", "43011", "43050", "48001"),
        *("48002", "00001", "30001", "30003", "30016"),
    ),
    errors.UnknownSymbol: ("40034", "40309", "40845", "41113"),
    errors.OrderNotFound: ("40109", "40768", "22001", "43001", "43004", "45057", "25204", "40769", "45031", "45055"),
    errors.DuplicateOrder: ("40786", "45034", "43118", "25212"),
    errors.InsufficientMargin: (
        *("40754", "40762", "40711", "40712", "40798", "40800", "40893", "43012", "45002", "45008", "45120"),
    ),
    errors.ReduceOnlyRefused: (
        "22002",
        "25227",
        "40804",
        "40928",
        "40939",
        "43023",
        "43029",
        "43043",
        "45003",
        "45005",
        "45006",
    ),
    errors.PositionModeMismatch: ("40774", "40920", "43075", "45018", "45020", "45021", "45109"),
    errors.OrderRejected: (
        *("22006", "22007", "22008", "22009", "40108", "40500", "40706", "40715", "40760", "40761", "40763", "40808"),
        *("40815", "40816", "40820", "40821", "40824", "40825", "40826", "40847", "40930", "40931", "41103", "41117"),
        *("41118", "43002", "43003", "43005", "43006", "43007", "43008", "43009", "43010", "43027", "43028", "43037"),
        *("43038", "43039", "43040", "43041", "43042", "45009", "45035", "45110", "45111", "45112", "45113", "45114"),
        *("45115", "45116", "45118", "45119", "45123"),
    ),
}
CODES = {code: kind for kind, codes in _CODES.items() for code in codes}

STALE_RULES = frozenset(
    {"40808", "41103", "43006", "43007", "43028", "45035", "45110", "45111", "45112", "45114", "45115"}
)
"""Refusals by a filter that our rules had let through."""


def refusals(rows: Iterable[dict[str, Any]] | None, field: str, symbol: str) -> dict[str, ExchangeError]:
    """Answer the errors of a batch's failures by the id that names each."""
    return {
        row[field]: translate(
            VenueReply(
                error=ccxt.ExchangeError,
                http_status=400,
                code=str(row.get("errorCode") or ""),
                message=str(row.get("errorMsg") or ""),
            ),
            CODES,
            changes=True,
            symbol=symbol,
        )
        for row in rows or ()
        if row.get(field)
    }
