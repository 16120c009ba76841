"""The audit: one line for each trading call, whatever its outcome, and for each refused client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from opensqt.connector.auth.audit_file import AuditFile
from opensqt.model.errors import ExchangeError
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.proto import types_pb2
from opensqt.service.token_bucket import TokenBucket
from opensqt.telemetry import logging
from opensqt.wire.errors import INTERNAL_REASON

log = logging.get_logger("audit")
_SIDES: Mapping[int, str] = {number: name for name, number in types_pb2.Side.items()}
_ORDER_TYPES: Mapping[int, str] = {number: name for name, number in types_pb2.OrderType.items()}
_STATUSES: Mapping[int, str] = {number: name for name, number in types_pb2.OrderStatus.items()}
_MARGIN_MODES: Mapping[int, str] = {number: name for name, number in types_pb2.MarginMode.items()}
_POSITION_MODES: Mapping[int, str] = {number: name for name, number in types_pb2.PositionMode.items()}
_TEXT_LIMIT = 64
_ITEMS_LIMIT = 100
_REFUSALS_AT_ONCE = 20.0
_REFUSALS_A_SECOND = 1.0


def describe(request: Any, response: Any = None) -> dict[str, Any]:
    """Return what a trading call requested, and the outcome of each item of a batch.

    Args:
        request: The message, or what came in its place.
        response: The response, if there was one.
    """
    match request:
        case pb.PlaceOrderRequest():
            return _order(request.order)
        case gateway_pb.AmendOrderRequest():
            return _ref(request.order) | _given(request, "amend_id", "price", "quantity")
        case pb.CancelOrderRequest():
            return _ref(request.order)
        case pb.CancelAllOrdersRequest():
            canceled = (
                {} if response is None else {"canceled": [_plain(one.client_order_id) for one in response.orders]}
            )
            return {"symbol": _plain(request.symbol), **canceled}
        case gateway_pb.HaltTradingRequest():
            return _given(request, "halt_id", "symbol") | {"why": _plain(request.reason), "ttl_ms": request.ttl_ms}
        case gateway_pb.ResumeTradingRequest():
            lifted = [] if response is None else [_plain(one.halt_id) for one in response.lifted]
            return _given(request, "halt_id", "symbol") | {"lifted": lifted}
        case gateway_pb.SetLeverageRequest():
            set_to = {} if response is None else {"set_to": _plain(response.leverage)}
            return _given(request, "symbol") | {"leverage": request.leverage} | set_to
        case gateway_pb.SetMarginModeRequest():
            set_to = {} if response is None else {"set_to": _margin_mode(response.margin_mode)}
            return _given(request, "symbol") | {"margin_mode": _margin_mode(request.margin_mode)} | set_to
        case gateway_pb.SetPositionModeRequest():
            set_to = {} if response is None else {"set_to": _position_mode(response.position_mode)}
            return {"position_mode": _position_mode(request.position_mode)} | set_to
        case pb.BatchPlaceOrdersRequest():
            return {"orders": _items(map(_order, request.orders[:_ITEMS_LIMIT]), response)}
        case pb.BatchCancelOrdersRequest():
            return {"orders": _items(map(_ref, request.orders[:_ITEMS_LIMIT]), response)}
        case _:
            return {}


def reason_of(error: BaseException | None) -> str:
    """Return the stable reason of a failed call; empty for one that did not fail."""
    if error is None:
        return ""
    return error.reason if isinstance(error, ExchangeError) else INTERNAL_REASON


@dataclass(slots=True)
class _Refusals:
    """The refusals of one client: which may be logged, and how many were not."""

    bucket: TokenBucket
    unlogged: int = 0


class Audit:
    """Write each trading call to the log, and to a file of its own where there is one.

    Refusals are written, too, but never more than the disk can take: a flood of them is counted instead.

    Args:
        file: Receives each line as well.
        now: Seconds of any clock that only goes forward.
    """

    def __init__(self, file: AuditFile | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._now = now
        self._refusals: dict[str, _Refusals] = {}

    def call(self, facts: Mapping[str, Any]) -> None:
        """Record one trading call of an accepted client, whatever its outcome."""
        log.info("call", **facts, **self._append("call", {**structlog.contextvars.get_contextvars(), **facts}))

    def refused(self, method: str, peer: str, error: ExchangeError, *, client: str = "") -> None:
        """Record that a call was refused, or count it."""
        # Each client by itself: a flood of unknown clients must not hide what a known one tries.
        now = self._now()
        refusals = self._refusals.setdefault(client, _Refusals(TokenBucket(_REFUSALS_A_SECOND, _REFUSALS_AT_ONCE, now)))
        if not refusals.bucket.take(now):
            refusals.unlogged += 1
            return
        facts: dict[str, Any] = {"method": method, "peer": peer, "reason": error.reason, "error": str(error)}
        if client:
            facts["client"] = client
        if refusals.unlogged:
            facts["unlogged_before"], refusals.unlogged = refusals.unlogged, 0
        log.warning("refused", **facts, **self._append("refused", facts))

    def _append(self, event: str, facts: Mapping[str, Any]) -> dict[str, str]:
        """Append a line to the file, and return its hash for the log, which may stand where nobody changes it."""
        if self._file is None:
            return {}
        plain = {name: logging.redact_value(value) for name, value in facts.items()}
        chain = self._file.write({"time": datetime.now(UTC).isoformat(), "event": event, **plain})
        return {"chain": chain} if chain else {}


def _items(items: Iterable[dict[str, str]], response: Any) -> list[dict[str, str]]:
    rows = list(items)
    for item, result in zip(rows, response.results if response is not None else (), strict=False):
        item["outcome"] = result.error.reason if result.HasField("error") else _status(result.order.status)
    return rows


def _order(order: types_pb2.OrderRequest) -> dict[str, str]:
    return {
        "symbol": _plain(order.symbol),
        "client_order_id": _plain(order.client_order_id),
        "side": _SIDES.get(order.side) or str(order.side),
        "order_type": _ORDER_TYPES.get(order.order_type) or str(order.order_type),
        "quantity": _plain(order.quantity),
        "price": _plain(order.price),
    }


def _ref(ref: types_pb2.OrderRef) -> dict[str, str]:
    return _given(ref, "symbol", "client_order_id", "order_id")


def _given(message: Any, *fields: str) -> dict[str, Any]:
    """Return the fields of a message that are not empty."""
    return {name: _plain(text) for name in fields if (text := getattr(message, name))}


def _status(number: int) -> str:
    return (_STATUSES.get(number) or str(number)).removeprefix("ORDER_STATUS_")


def _margin_mode(number: int) -> str:
    return (_MARGIN_MODES.get(number) or str(number)).removeprefix("MARGIN_MODE_")


def _position_mode(number: int) -> str:
    return (_POSITION_MODES.get(number) or str(number)).removeprefix("POSITION_MODE_")


def _plain(text: str) -> str:
    """Return a client's text so that it breaks no line and fills no disk. Log and file remove secrets from it."""
    text = text[:_TEXT_LIMIT]
    return text if text.isprintable() else "".join(one if one.isprintable() else "?" for one in text)
