"""Fields that OKX's orders and algo orders share."""

from __future__ import annotations

import re

from opensqt.model.order import PositionSide, Side
from opensqt.simulator.dialects.okx import errors, formats, parameters
from opensqt.simulator.dialects.okx.parameters import Row
from opensqt.simulator.engine.order import RefusalReason

SIDES = {side.value.lower(): side for side in Side}
OLD_ATTACHED = ("tpTriggerPx", "tpOrdPx", "tpTriggerPxType", "slTriggerPx", "slOrdPx", "slTriggerPxType", "algoClOrdId")
"""Fields of an order that attach a stop-loss or a take-profit without a list of them."""
ATTACHED = frozenset({*OLD_ATTACHED, "attachAlgoClOrdId", "tpOrdKind", "sz"})
_POSITION_SIDES = {text: side for side, text in formats.SIDES.items()}
_CLIENT_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_TAG = re.compile(r"[A-Za-z0-9]{1,16}")


def check_mode(row: Row) -> None:
    """Check the trade mode: the account is under cross margin."""
    mode = parameters.required(row, "tdMode")
    if mode == "isolated":
        raise errors.of_reason(RefusalReason.UNSUPPORTED)
    if mode != "cross":
        raise errors.bad("tdMode")


def check_client_id(name: str, given: str) -> None:
    """Check the client's id of an order, if there is one."""
    if given and not _CLIENT_ID.fullmatch(given):
        raise errors.bad(name)


def tag(row: Row) -> str:
    """Read the client's tag."""
    given = parameters.text(row, "tag")
    if given and not _TAG.fullmatch(given):
        raise errors.bad("tag")
    return given


def position_side(row: Row) -> PositionSide:
    """Read the position side; without one it is that of net mode."""
    given = parameters.text(row, "posSide")
    return parameters.choice(row, "posSide", _POSITION_SIDES) if given else PositionSide.BOTH
