"""OKX's reply format: `{"code": "0", "msg": "", "data": [...]}`, with code 1 or 2 where rows failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from opensqt.simulator.dialects.base import ErrorReply
from opensqt.simulator.dialects.okx.errors import RowRefused

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OkxReply:
    """A reply whose code is not simply 0."""

    rows: Sequence[Row]
    code: str
    message: str


def of_batch(rows: Sequence[Row]) -> OkxReply:
    """Return the reply with rows that each have their own sCode."""
    failed = sum(row["sCode"] != "0" for row in rows)
    if not failed:
        return OkxReply(rows, "0", "")
    if failed == len(rows):
        return OkxReply(rows, "1", "All operations failed")
    return OkxReply(rows, "2", "Bulk operation partially ended.")


def acknowledged(order_id: str, client_order_id: str, now_ms: int, **more: str) -> Row:
    """Return the row that acknowledges an order request."""
    return {"ordId": order_id, "clOrdId": client_order_id, **more, "ts": str(now_ms), "sCode": "0", "sMsg": ""}


def refused(error: RowRefused) -> Row:
    """Return the row of a refused order request."""
    return {**error.row, "sCode": error.code, "sMsg": error.message}


def write(content: Any) -> bytes:
    """Encode the result of a handler: rows, or an OkxReply."""
    if isinstance(content, OkxReply):
        return orjson.dumps({"code": content.code, "msg": content.message, "data": list(content.rows)})
    return orjson.dumps({"code": "0", "msg": "", "data": content})


def write_error(error: ErrorReply) -> bytes:
    """Encode an error."""
    if isinstance(error, RowRefused):
        return write(OkxReply([refused(error)], "1", "All operations failed"))
    return orjson.dumps({"code": error.code, "msg": error.message, "data": []})
