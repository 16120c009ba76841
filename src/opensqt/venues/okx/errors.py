"""Error codes of OKX: https://www.okx.com/docs-v5/en/#error-code."""

from __future__ import annotations

from opensqt.model import errors
from opensqt.model.errors import ExchangeError
from opensqt.venues.parsing import Row
from opensqt.venues.transport.errors import translate_item

_CODES: dict[type[ExchangeError], tuple[int, ...]] = {
    # The engine may or may not have executed the request; a cancel in progress can end either way.
    errors.OutcomeUnknown: (50004, 50026, 51054, 51149, 51410),
    errors.RateLimited: (50011, 50013, 50040, 50061, 51113),
    # The edge in front of the venue returns these to an address that it has banned.
    errors.Banned: (1006, 1007, 1008),
    errors.Maintenance: (50001, 50005, 51030),
    errors.CredentialsRefused: (*(50008, 50101, 50103, 50104, 50105, 50106, 50107, 50110, 50111, 50113, 50114, 50119),),
    errors.ClockSkew: (50102, 50112),
    errors.PermissionDenied: (
        *(50007, 50009, 50012, 50027, 50028, 50030, 50038, 50100, 50120, 51009, 51010, 51024, 51155, 51198, 51732),
        *(51733, 51734, 51735),
    ),
    errors.Unsupported: (50062, 50115),
    errors.InvalidRequest: (
        *(50000, 50002, 50006, 50014, 50015, 50016, 50024, 50025, 50044, 51000, 51003, 51111, 51407, 51408, 59102),
        *(59105, 59107),
    ),
    errors.UnknownSymbol: (51001, 51002, 51012, 51014, 51015, 51026),
    errors.OrderNotFound: (51400, 51401, 51402, 51405, 51503, 51509, 51510, 51603),
    errors.DuplicateOrder: (51011, 51016),
    errors.InsufficientMargin: (51008, 51119, 51127, 51131, 51502, 59103, 59108, 59200, 59201),
    errors.ReduceOnlyRefused: (51023, 51112, 51134, 51169, 51170, 51205, 51206),
    errors.PositionModeMismatch: (59000,),
    errors.PostOnlyWouldCross: (51511,),
    errors.OrderRejected: (
        *(51004, 51005, 51006, 51007, 51020, 51021, 51022, 51025, 51027, 51028, 51029, 51031, 51101, 51102, 51103),
        *(51104, 51105, 51106, 51107, 51108, 51109, 51110, 51115, 51116, 51117, 51120, 51121, 51122, 51124, 51129),
        *(51132, 51135, 51136, 51137, 51138, 51201, 51202, 51203, 51500, 51505, 51506, 51508, 54009, 54011),
    ),
}
_BAD_POSITION_SIDE = "51000 posSide"
"""Not a code of the venue: it returns 51000 for every bad parameter, and only the text shows another account mode."""
CODES = {str(code): kind for kind, codes in _CODES.items() for code in codes} | {
    _BAD_POSITION_SIDE: errors.PositionModeMismatch
}

STALE_RULES = frozenset(
    {
        "51021",
        "51022",
        "51027",
        "51028",
        "51029",
        "51006",
        "51007",
        "51020",
        "51101",
        "51105",
        "51120",
        "51121",
        "51122",
        "51202",
    }
)
"""Refusals by a filter, or by the symbol's state, that the loaded rules had let through."""


def error_code(code: str, message: str) -> str:
    """Return the code by which CODES lists a refusal."""
    return _BAD_POSITION_SIDE if code == "51000" and "posSide" in message else code


def refusal(row: Row, symbol: str) -> ExchangeError | None:
    """Return the error of one item of a batch; None where the item was accepted."""
    if row["sCode"] == "0":
        return None
    message = str(row["sMsg"])
    return translate_item(error_code(row["sCode"], message), message, CODES, symbol=symbol)


def amend_refusal(row: Row, symbol: str) -> ExchangeError | None:
    """Return the error of an amendment that failed after it was acknowledged; None for a row of one that succeeded."""
    if row.get("amendResult") != "-1":
        return None
    message = str(row.get("msg") or "the amendment failed")
    return translate_item(error_code(str(row.get("code") or ""), message), message, CODES, symbol=symbol)
