"""Gate's order endpoints: place, cancel, query, singly and in batches, and the account's trades."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from opensqt.model.account import PositionMode
from opensqt.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply, Route
from opensqt.simulator.dialects.gate import errors, formats, parameters
from opensqt.simulator.dialects.gate.contracts import Contracts
from opensqt.simulator.dialects.gate.parameters import Fields
from opensqt.simulator.dialects.gate.security import Security
from opensqt.simulator.engine.countdowns import CountdownScope
from opensqt.simulator.engine.order import NewOrder, RefusalReason, Refused, SimFill, SimOrder, unplaced
from opensqt.simulator.settings import SymbolSettings

ROOT = "/api/v4/futures/usdt"
_TEXT = re.compile(r"t-[0-9A-Za-z_.-]{1,28}")
_TIF = {
    "gtc": TimeInForce.GTC,
    "ioc": TimeInForce.IOC,
    "fok": TimeInForce.FOK,
    "poc": TimeInForce.POST_ONLY,
}
_CLOSING = {"close_long": PositionSide.LONG, "close_short": PositionSide.SHORT}
_SIDES = {"": None, "bid": Side.BUY, "ask": Side.SELL}
_MOST_PLACED = 10
_MOST_CANCELED = 20
_BY_TEXT_MS = 60_000
"""How long an order that ended without a fill is found by the user's own id."""
_BY_ID_MS = 600_000
_SHORTEST_COUNTDOWN_S = 5
"""How long it is found at all."""


class Trading:
    """Orders of the account that signed the call."""

    def __init__(self, dialect: Dialect, contracts: Contracts, security: Security) -> None:
        self._dialect = dialect
        self._engine = dialect.engine
        self._contracts = contracts
        self._security = security

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        return [
            Route("POST", f"{ROOT}/orders", "place_order", self._place),
            Route("POST", f"{ROOT}/batch_orders", "batch_place", self._place_batch),
            Route("GET", f"{ROOT}/orders", "open_orders", self._orders),
            Route("GET", f"{ROOT}/orders_timerange", "open_orders", self._orders_in_time),
            Route("DELETE", f"{ROOT}/orders", "cancel_all", self._cancel_all),
            Route("POST", f"{ROOT}/countdown_cancel_all", "countdown", self._count_down),
            Route("GET", f"{ROOT}/orders/{{order_id}}", "get_order", self._query),
            Route("PUT", f"{ROOT}/orders/{{order_id}}", "amend_order", self._amend),
            Route("DELETE", f"{ROOT}/orders/{{order_id}}", "cancel_order", self._cancel),
            Route("POST", f"{ROOT}/batch_amend_orders", "amend_order", self._amend_batch),
            Route("POST", f"{ROOT}/batch_cancel_orders", "batch_cancel", self._cancel_batch),
            Route("GET", f"{ROOT}/my_trades", "fills", self._trades),
            Route("GET", f"{ROOT}/my_trades_timerange", "fills", self._trades_in_time),
        ]

    def _place(self, call: Call) -> Any:
        return self._place_one(call, parameters.json_object(call.body))

    def _place_batch(self, call: Call) -> Any:
        items = parameters.json_list(call.body, _MOST_PLACED)
        return [self._or_error(call, item, lambda fields: self._place_one(call, fields)) for item in items]

    def _place_one(self, call: Call, fields: Fields) -> dict[str, Any]:
        wanted = self._read(call, fields)
        if call.ignored:
            return self._write(call, unplaced(call.account, wanted, self._engine.now_ms()))
        placed = self._engine.place(call.account, wanted)
        if placed.time_in_force is TimeInForce.FOK and placed.status is OrderStatus.EXPIRED:
            raise errors.killed()
        return self._write(call, placed)

    def _amend(self, call: Call) -> Any:
        """Amend an order: its size in all, with the sign of its side, its price, or both.

        https://www.gate.com/docs/developers/apiv4/en/#amend-an-order-2
        """
        return self._amend_one(call, parameters.json_object(call.body), parameters.text(call.params, "order_id"))

    def _amend_batch(self, call: Call) -> Any:
        """Amend up to ten orders, each on its own: https://www.gate.com/docs/developers/apiv4/en/#batch-modify-orders."""

        def amend(fields: Fields) -> dict[str, Any]:
            name = str(fields.get("order_id") or "") or parameters.text(fields, "text")
            return self._amend_one(call, fields, name)

        return [self._or_error(call, item, amend) for item in parameters.json_list(call.body, _MOST_PLACED)]

    def _amend_one(self, call: Call, fields: Fields, order: str) -> dict[str, Any]:
        size, price = (
            parameters.decimal(fields, name) if fields.get(name) not in (None, "") else None
            for name in ("size", "price")
        )
        found = self._find(call, order)
        if not found.status.is_open:
            raise errors.of_reason(RefusalReason.ORDER_CLOSED)
        if (size is None and price is None) or (size is not None and size * found.side.sign <= 0):
            raise errors.bad_value("size")
        quantity = None if size is None else abs(size) * formats.multiplier(self._engine.symbol(found.symbol))
        if call.ignored:
            changed = replace(found, price=price or found.price, quantity=quantity or found.quantity)
            return self._write(call, changed)
        amended = self._engine.amend(
            call.account,
            found.symbol,
            order_id=found.order_id,
            price=price,
            quantity=quantity,
            text=str(fields.get("amend_text") or ""),
        )
        return self._write(call, amended)

    def _cancel(self, call: Call) -> Any:
        return self._cancel_one(call, parameters.text(call.params, "order_id"))

    def _cancel_one(self, call: Call, name: str) -> dict[str, Any]:
        found = self._find(call, name)
        if not found.status.is_open:
            raise errors.of_reason(RefusalReason.ORDER_CLOSED)
        if call.ignored:
            return self._write(call, replace(found, status=OrderStatus.CANCELED))
        return self._write(call, self._engine.cancel(call.account, found.symbol, order_id=found.order_id))

    def _cancel_batch(self, call: Call) -> Any:
        answers = []
        for name in parameters.json_list(call.body, _MOST_CANCELED):
            answer: dict[str, Any] = {"user_id": self._security.user(call.account), "id": str(name)}
            try:
                self._cancel_one(call, str(name))
            except ErrorReply as error:
                answers.append({**answer, "succeeded": False, "message": error.code})
            else:
                answers.append({**answer, "succeeded": True, "message": ""})
        return answers

    def _cancel_all(self, call: Call) -> Any:
        rules = self._contracts.requested(call.params)
        named = call.params.get("side", "")
        if named not in _SIDES:
            raise errors.bad_value("side")
        side, kept = _SIDES[named], parameters.boolean(call.params, "exclude_reduce_only")
        chosen = [
            order
            for order in self._engine.open_orders(call.account, rules.symbol)
            if side in (None, order.side) and not (kept and order.reduce_only)
        ]
        if call.ignored:
            return [self._write(call, replace(order, status=OrderStatus.CANCELED)) for order in chosen]
        return [
            self._write(call, self._engine.cancel(call.account, rules.symbol, order_id=order.order_id))
            for order in chosen
        ]

    def _count_down(self, call: Call) -> Any:
        fields = parameters.json_object(call.body)
        parameters.text(fields, "timeout")
        timeout_s = parameters.integer(fields, "timeout", 0)
        if timeout_s != 0 and timeout_s < _SHORTEST_COUNTDOWN_S:
            raise errors.bad_value("timeout")
        symbol = self._contracts.requested(fields).symbol if fields.get("contract") else ""
        scope, due_ms = CountdownScope(account=call.account, symbol=symbol), 0
        if not call.ignored and timeout_s:
            due_ms = self._engine.start_countdown(scope, timeout_s * 1000)
        elif not call.ignored:
            self._engine.stop_countdown(scope)
        return {"triggerTime": str(due_ms)}

    def _query(self, call: Call) -> Any:
        found = self._find(call, parameters.text(call.params, "order_id"))
        if self._dialect.is_hidden(found.order_id):
            raise errors.of_reason(RefusalReason.UNKNOWN_ORDER)
        return self._write(call, found)

    def _find(self, call: Call, name: str) -> SimOrder:
        """Find an order by the venue's id or the user's own, as long as Gate keeps it by that id."""
        by_text = name.startswith(formats.PREFIX)
        client_order_id = name.removeprefix(formats.PREFIX) if by_text else ""
        for rules in self._engine.symbols():
            try:
                found = self._engine.find(
                    call.account,
                    rules.symbol,
                    order_id="" if by_text else name,
                    client_order_id=client_order_id,
                )
            except Refused:
                continue
            if self._is_remembered(found, _BY_TEXT_MS if by_text else _BY_ID_MS):
                return found
        raise errors.of_reason(RefusalReason.UNKNOWN_ORDER)

    def _is_remembered(self, order: SimOrder, for_ms: int) -> bool:
        if order.status.is_open or order.filled_quantity:
            return True
        return self._engine.now_ms() - order.updated_ms < for_ms

    def _orders(self, call: Call) -> Any:
        status = parameters.text(call.params, "status")
        if status not in ("open", "finished"):
            raise errors.bad_value("status")
        symbol = self._contracts.requested_or_all(call.params)
        if status == "open":
            found = self._engine.open_orders(call.account, symbol)
        else:
            found = [order for order in self._engine.orders(call.account, symbol) if not order.status.is_open]
        last_id = parameters.integer(call.params, "last_id", 0)
        return self._list(call, [order for order in found if not last_id or int(order.order_id) < last_id])

    def _orders_in_time(self, call: Call) -> Any:
        symbol = self._contracts.requested_or_all(call.params)
        start, end = parameters.seconds(call.params, "from"), parameters.seconds(call.params, "to")
        until = None if end is None else end + 999
        return self._list(call, self._engine.orders(call.account, symbol, since_ms=start, until_ms=until))

    def _list(self, call: Call, found: list[SimOrder]) -> list[dict[str, Any]]:
        seen = [
            order
            for order in reversed(found)
            if not self._dialect.is_hidden(order.order_id) and self._is_remembered(order, _BY_ID_MS)
        ]
        return [self._write(call, order) for order in parameters.page(seen, call.params)]

    def _trades(self, call: Call) -> Any:
        order_id = str(parameters.integer(call.params, "order", 0))
        last_id = parameters.integer(call.params, "last_id", 0)
        found = [
            fill
            for fill in self._engine.fills(
                call.account,
                self._contracts.requested_or_all(call.params),
                order_id=None if order_id == "0" else order_id,
            )
            if not last_id or int(fill.trade_id) < last_id
        ]
        return [row | {"id": int(trade_id)} for trade_id, row in self._page(call, found)]

    def _trades_in_time(self, call: Call) -> Any:
        start, end = parameters.seconds(call.params, "from"), parameters.seconds(call.params, "to")
        until = None if end is None else end + 999
        role = call.params.get("role", "")
        found = [
            fill
            for fill in self._engine.fills(
                call.account, self._contracts.requested_or_all(call.params), since_ms=start, until_ms=until
            )
            if role in ("", "maker" if fill.is_maker else "taker")
        ]
        return [row | {"trade_id": trade_id} for trade_id, row in self._page(call, found)]

    def _page(self, call: Call, fills: list[SimFill]) -> list[tuple[str, dict[str, Any]]]:
        sizes = self._contracts.sizes(call.headers)
        return [
            (fill.trade_id, formats.trade(fill, self._engine.symbol(fill.symbol), sizes))
            for fill in parameters.page(fills[::-1], call.params)
        ]

    def _read(self, call: Call, fields: Fields) -> NewOrder:
        """Read an order, with the checks that Gate makes before its engine."""
        rules = self._contracts.requested(fields)
        hedge = self._engine.position_mode(call.account) is PositionMode.HEDGE
        contracts = parameters.decimal(fields, "size")
        reduce_only = parameters.boolean(fields, "reduce_only")
        if contracts:
            side = Side.BUY if contracts > 0 else Side.SELL
            position_side = side_of_position(side, reduce_only=reduce_only) if hedge else PositionSide.BOTH
            quantity = abs(contracts) * formats.multiplier(rules)
        else:
            position_side = self._closed_side(fields, hedge=hedge)
            held = self._held(call.account, rules, position_side)
            side, quantity, reduce_only = Side.SELL if held > 0 else Side.BUY, abs(held), True
        price = parameters.decimal(fields, "price")
        force = _TIF.get(str(fields.get("tif") or "gtc"))
        if force is None or price < 0 or (not price and force not in (TimeInForce.IOC, TimeInForce.FOK)):
            raise errors.bad_value("tif" if force is None or not price else "price")
        return NewOrder(
            symbol=rules.symbol,
            side=side,
            quantity=quantity,
            order_type=OrderType.LIMIT if price else OrderType.MARKET,
            price=price or None,
            time_in_force=force,
            reduce_only=reduce_only,
            position_side=position_side,
            client_order_id=client_order_id(fields),
        )

    def _closed_side(self, fields: Fields, *, hedge: bool) -> PositionSide:
        """Read the position that an order of size zero closes."""
        if hedge:
            side = _CLOSING.get(str(fields.get("auto_size", "")))
            if side is not None and parameters.boolean(fields, "reduce_only"):
                return side
        elif parameters.boolean(fields, "close"):
            return PositionSide.BOTH
        raise errors.bad_value("size")

    def _held(self, account: str, rules: SymbolSettings, side: PositionSide) -> Decimal:
        found = [view for view in self._engine.positions(account, rules.symbol) if view.position_side is side]
        if not found[0].quantity:
            raise ErrorReply(400, "POSITION_EMPTY", "empty position")
        return found[0].quantity

    def _or_error(self, call: Call, item: Any, act: Callable[[Fields], dict[str, Any]]) -> dict[str, Any]:
        """Return the result of one item of a batch, or its error."""
        try:
            self._dialect.check_item(call, _object(item))
            return {"succeeded": True, **act(_object(item))}
        except Refused as refused:
            error = self._dialect.translate(refused)
        except ErrorReply as refusal:
            error = refusal
        named = {"text": str(item["text"])} if isinstance(item, dict) and "text" in item else {}
        return {**named, "succeeded": False, "label": error.code, "detail": error.message}

    def _write(self, call: Call, order: SimOrder) -> dict[str, Any]:
        user, sizes = self._security.user(call.account), self._contracts.sizes(call.headers)
        return formats.order(order, self._engine.symbol(order.symbol), user, self._dialect.settings, sizes)


def _object(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise errors.bad_value("body")
    return item


def side_of_position(side: Side, *, reduce_only: bool) -> PositionSide:
    """Return the position: in dual mode the sign and reduce_only together determine it."""
    opens_long = side is Side.BUY
    return PositionSide.LONG if opens_long is not reduce_only else PositionSide.SHORT


def client_order_id(fields: Fields) -> str:
    """Read the user's own id."""
    given = str(fields.get("text") or "")
    if given and not _TEXT.fullmatch(given):
        raise errors.bad_value("text: expected t- and 1 to 28 of 0-9 A-Z a-z _ - .")
    return given.removeprefix(formats.PREFIX)
