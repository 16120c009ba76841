"""Binance's order endpoints: place, cancel, query, singly and in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from opensqt.model.account import PositionMode
from opensqt.model.order import OrderStatus, OrderType, PositionSide, Side
from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply, Params, Route
from opensqt.simulator.dialects.binance import errors, formats, order_fields, parameters
from opensqt.simulator.dialects.binance.conditional import ALGO_TYPES
from opensqt.simulator.dialects.binance.order_fields import too_fine
from opensqt.simulator.dialects.binance.security import Security
from opensqt.simulator.engine.countdowns import CountdownScope
from opensqt.simulator.engine.order import NewOrder, RefusalReason, Refused, SimOrder, is_liquidation, unplaced
from opensqt.simulator.settings import SymbolSettings

_WEEK_MS = 7 * 86_400_000
_MOST_PLACED = 5
_MOST_CANCELED = 10
_OF_CONDITIONAL = ("stopPrice", "activationPrice", "callbackRate")
"""What only orders take that the algo service places."""


class Trading:
    """Orders of the account that signed the call."""

    def __init__(self, dialect: Dialect, security: Security) -> None:
        self._dialect = dialect
        self._engine = dialect.engine
        self._security = security

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        v1 = "/fapi/v1"
        return [
            Route("POST", f"{v1}/order", "place_order", self._place, 0),
            Route("POST", f"{v1}/order/test", "place_order", self._test, 0),
            Route("POST", f"{v1}/batchOrders", "batch_place", self._place_batch, 5),
            Route("PUT", f"{v1}/order", "amend_order", self._amend, 0),
            Route("PUT", f"{v1}/batchOrders", "amend_order", self._amend_batch, 5),
            Route("DELETE", f"{v1}/order", "cancel_order", self._cancel),
            Route("DELETE", f"{v1}/batchOrders", "batch_cancel", self._cancel_batch),
            Route("DELETE", f"{v1}/allOpenOrders", "cancel_all", self._cancel_all),
            Route("POST", f"{v1}/countdownCancelAll", "countdown", self._count_down, 10),
            Route("GET", f"{v1}/order", "get_order", self._query),
            Route("GET", f"{v1}/openOrder", "get_order", self._query_open),
            Route("GET", f"{v1}/openOrders", "open_orders", self._open_orders, cost=_open_orders_weight),
            Route("GET", f"{v1}/allOrders", "open_orders", self._all_orders, 5),
            Route("GET", f"{v1}/userTrades", "fills", self._fills, 5),
            Route("GET", f"{v1}/forceOrders", "open_orders", self._forced, cost=_forced_weight),
            Route("GET", f"{v1}/rateLimit/order", "settings", self._order_limits),
        ]

    def _place(self, call: Call) -> Any:
        self._security.count_orders(call, 1)
        return self._place_one(call, call.params)

    def _test(self, call: Call) -> Any:
        self._security.count_orders(call, 1)
        wanted, rules = self._read(call, call.params)
        _response_type(call.params)
        with self._with_limits(wanted, rules):
            self._engine.check(call.account, wanted)
        return formats.order(unplaced(call.account, wanted, self._engine.now_ms()), rules)

    def _place_batch(self, call: Call) -> Any:
        return self._each(call, self._place_one)

    def _place_one(self, call: Call, params: Params) -> dict[str, Any]:
        wanted, rules = self._read(call, params)
        as_accepted = _response_type(params) == "ACK"
        if call.ignored:
            return formats.order(unplaced(call.account, wanted, self._engine.now_ms()), rules)
        with self._with_limits(wanted, rules):
            placed = self._engine.place(call.account, wanted)
        return formats.order(placed, rules, as_accepted=as_accepted)

    def _amend(self, call: Call) -> Any:
        """Amend an order: both price and quantity must be sent, and the side must be the order's own.

        https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/Modify-Order
        """
        self._security.count_orders(call, 1)
        return self._amend_one(call, call.params)

    def _amend_batch(self, call: Call) -> Any:
        return self._each(call, self._amend_one)

    def _amend_one(self, call: Call, params: Params) -> dict[str, Any]:
        rules = self._rules(params)
        order_id, client_order_id = _ids(params)
        side = parameters.choice(params, "side", Side, ErrorReply(400, "-1117", "Invalid side."))
        quantity = parameters.decimal(params, "quantity")
        price = order_fields.limit_price(params, side, rules, self._engine)
        if quantity <= 0:
            raise ErrorReply(400, "-4003", "Quantity less than or equal to zero.")
        if too_fine(quantity, rules.quantity_step) or too_fine(price, rules.price_step):
            raise errors.of_reason(RefusalReason.QUANTITY_STEP)
        found = self._engine.find(call.account, rules.symbol, order_id=order_id, client_order_id=client_order_id)
        if found.side is not side:
            raise ErrorReply(400, "-1117", "Invalid side.")
        if not found.status.is_open:
            # The venue says the same of one that never was: it knows open orders here only.
            raise errors.of_reason(RefusalReason.UNKNOWN_ORDER)
        if (found.price, found.quantity) == (price, quantity):
            raise errors.of_reason(RefusalReason.UNCHANGED)
        if call.ignored:
            return formats.amended(replace(found, price=price, quantity=quantity), rules)
        amended = self._engine.amend(
            call.account, rules.symbol, order_id=found.order_id, price=price, quantity=quantity
        )
        return formats.amended(amended, rules)

    def _cancel(self, call: Call) -> Any:
        rules = self._rules(call.params)
        order_id, client_order_id = _ids(call.params)
        return self._cancel_one(call, rules, order_id, client_order_id)

    def _cancel_batch(self, call: Call) -> Any:
        rules = self._rules(call.params)
        name = "orderIdList" if _either(call.params, "orderIdList") else "origClientOrderIdList"
        listed = {name: _either(call.params, name)}
        items = [str(item) for item in parameters.json_list(listed, name, _MOST_CANCELED)]
        pairs = [(item, "") if name == "orderIdList" else ("", item) for item in items]
        return [self._or_error(lambda pair=pair: self._cancel_one(call, rules, *pair)) for pair in pairs]

    def _cancel_one(self, call: Call, rules: SymbolSettings, order_id: str, client_order_id: str) -> dict[str, Any]:
        try:
            if call.ignored:
                found = self._engine.find(
                    call.account, rules.symbol, order_id=order_id, client_order_id=client_order_id
                )
                return formats.order(replace(found, status=OrderStatus.CANCELED), rules)
            canceled = self._engine.cancel(
                call.account, rules.symbol, order_id=order_id, client_order_id=client_order_id
            )
        except Refused as refused:
            raise errors.unknown_order_sent() from refused
        return formats.order(canceled, rules)

    def _cancel_all(self, call: Call) -> Any:
        rules = self._rules(call.params)
        if not call.ignored:
            self._engine.cancel_all(call.account, rules.symbol)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _count_down(self, call: Call) -> Any:
        rules = self._rules(call.params)
        countdown_ms = parameters.integer(call.params, "countdownTime")
        if countdown_ms is None:
            raise errors.missing("countdownTime")
        if countdown_ms < 0:
            raise errors.bad_value("countdownTime")
        scope = CountdownScope(account=call.account, symbol=rules.symbol)
        if not call.ignored and countdown_ms:
            self._engine.start_countdown(scope, countdown_ms)
        elif not call.ignored:
            self._engine.stop_countdown(scope)
        return {"symbol": rules.symbol, "countdownTime": str(countdown_ms)}

    def _query(self, call: Call) -> Any:
        rules = self._rules(call.params)
        return formats.order(self._find(call, rules), rules)

    def _query_open(self, call: Call) -> Any:
        rules = self._rules(call.params)
        found = self._find(call, rules)
        if not found.status.is_open:
            raise errors.of_reason(RefusalReason.UNKNOWN_ORDER)
        return formats.order(found, rules)

    def _find(self, call: Call, rules: SymbolSettings) -> SimOrder:
        order_id, client_order_id = _ids(call.params)
        found = self._engine.find(call.account, rules.symbol, order_id=order_id, client_order_id=client_order_id)
        if self._dialect.is_hidden(found.order_id):
            raise errors.of_reason(RefusalReason.UNKNOWN_ORDER)
        return found

    def _open_orders(self, call: Call) -> Any:
        symbol = self._rules(call.params).symbol if call.params.get("symbol") else None
        return self._write(self._engine.open_orders(call.account, symbol))

    def _all_orders(self, call: Call) -> Any:
        rules = self._rules(call.params)
        from_id = parameters.integer(call.params, "orderId")
        limit = parameters.limit(call.params, default=500, most=1000)
        if from_id is not None:
            return self._write(self._engine.orders(call.account, rules.symbol, from_id=from_id, limit=limit))
        start, end = parameters.window(call.params, longest_ms=_WEEK_MS, now_ms=self._engine.now_ms())
        since = start if call.params.get("startTime") else None
        found = self._engine.orders(call.account, rules.symbol, since_ms=since, until_ms=end)
        found = [order for order in found if order.created_ms >= start]
        return self._write(found[:limit] if since is not None else found[-limit:])

    def _forced(self, call: Call) -> Any:
        """Return the orders by which the venue liquidated, oldest first; positions are never deleveraged."""
        params = call.params
        symbol = self._rules(params).symbol if params.get("symbol") else None
        kind = params.get("autoCloseType", "") or "LIQUIDATION"
        if kind not in ("LIQUIDATION", "ADL"):
            raise errors.bad_value("autoCloseType")
        start, end = parameters.window(params, longest_ms=_WEEK_MS, now_ms=self._engine.now_ms())
        found = self._engine.orders(call.account, symbol, since_ms=start, until_ms=end) if kind != "ADL" else []
        forced = [order for order in found if is_liquidation(order)]
        return self._write(forced[-parameters.limit(params, default=50, most=100) :])

    def _order_limits(self, _call: Call) -> Any:
        server = self._dialect.settings.server
        limits = (("SECOND", 10, server.orders_per_10s), ("MINUTE", 1, server.orders_per_minute))
        return [
            {"rateLimitType": "ORDERS", "interval": interval, "intervalNum": number, "limit": limit}
            for interval, number, limit in limits
        ]

    def _fills(self, call: Call) -> Any:
        rules = self._rules(call.params)
        limit = parameters.limit(call.params, default=500, most=1000)
        order_id = parameters.integer(call.params, "orderId")
        from_id = parameters.integer(call.params, "fromId")
        of_order = None if order_id is None else str(order_id)
        if from_id is not None:
            if call.params.get("startTime") or call.params.get("endTime"):
                raise errors.not_required("fromId")
            found = self._engine.fills(call.account, rules.symbol, from_id=from_id, order_id=of_order, limit=limit)
        else:
            start, end = parameters.window(call.params, longest_ms=_WEEK_MS, now_ms=self._engine.now_ms())
            found = self._engine.fills(call.account, rules.symbol, since_ms=start, until_ms=end, order_id=of_order)
            found = found[:limit] if call.params.get("startTime") else found[-limit:]
        return [formats.fill(each, rules) for each in found]

    def _read(self, call: Call, params: Params) -> tuple[NewOrder, SymbolSettings]:
        """Read an order from its parameters, with the checks that Binance makes before its engine."""
        rules = self._rules(params)
        side = parameters.choice(params, "side", Side, ErrorReply(400, "-1117", "Invalid side."))
        kind = _order_type(params)
        quantity = parameters.decimal(params, "quantity")
        if quantity <= 0:
            raise ErrorReply(400, "-4003", "Quantity less than or equal to zero.")
        limited = kind is OrderType.LIMIT
        for name in _OF_CONDITIONAL if limited else (*_OF_CONDITIONAL, "price", "timeInForce"):
            if params.get(name):
                raise errors.not_required(name)
        if parameters.boolean(params, "closePosition"):
            raise errors.not_required("closePosition")
        if not limited and params.get("priceMatch", "NONE").upper() not in ("", "NONE"):
            raise order_fields.price_match_needs_limit()
        price = order_fields.limit_price(params, side, rules, self._engine) if limited else None
        force = parameters.text(params, "timeInForce").upper() if limited else "GTC"
        if too_fine(quantity, rules.quantity_step) or (price is not None and too_fine(price, rules.price_step)):
            raise errors.of_reason(RefusalReason.QUANTITY_STEP)
        position_side = parameters.choice(
            params, "positionSide", PositionSide, ErrorReply(400, "-1118", "Invalid positionSide."), PositionSide.BOTH
        )
        hedge = self._engine.position_mode(call.account) is PositionMode.HEDGE
        if hedge and params.get("reduceOnly"):
            raise errors.not_required("reduceonly")
        return NewOrder(
            symbol=rules.symbol,
            side=side,
            quantity=quantity,
            order_type=kind,
            price=price,
            time_in_force=order_fields.time_in_force(force),
            reduce_only=parameters.boolean(params, "reduceOnly"),
            position_side=position_side,
            client_order_id=order_fields.client_id(params, "newClientOrderId"),
            expires_ms=order_fields.expiry(params, force, self._engine),
            details=_details(params, force),
        ), rules

    @contextmanager
    def _with_limits(self, wanted: NewOrder, rules: SymbolSettings) -> Iterator[None]:
        """Add to a refusal the limit that the order exceeded."""
        try:
            yield
        except Refused as refused:
            if refused.reason is RefusalReason.MIN_NOTIONAL:
                raise errors.of_reason(refused.reason, decimals.exact(rules.min_notional)) from refused
            if refused.reason is RefusalReason.PRICE_BAND and wanted.order_type is OrderType.LIMIT:
                edge = self._engine.mark(rules.symbol).mark_price * (1 + wanted.side.sign * rules.price_band)
                raise errors.outside_price_band(wanted.side, decimals.price(edge, rules)) from refused
            raise

    def _write(self, orders: list[SimOrder]) -> list[dict[str, Any]]:
        return [
            formats.order(order, self._engine.symbol(order.symbol))
            for order in orders
            if not self._dialect.is_hidden(order.order_id)
        ]

    def _each(self, call: Call, one: Callable[[Call, Params], dict[str, Any]]) -> list[dict[str, Any]]:
        """Do the same with each item of a batch; one that is refused has its error as its result."""
        items = parameters.json_list(call.params, "batchOrders", _MOST_PLACED)
        self._security.count_orders(call, len(items))

        def do(item: object) -> dict[str, Any]:
            params = _flat(item)
            self._dialect.check_item(call, params)
            return one(call, params)

        return [self._or_error(lambda item=item: do(item)) for item in items]

    def _or_error(self, act: Any) -> dict[str, Any]:
        """Return the result of one item of a batch, or its error."""
        try:
            answer: dict[str, Any] = act()
        except Refused as refused:
            return _as_item(self._dialect.translate(refused))
        except ErrorReply as error:
            return _as_item(error)
        return answer

    def _rules(self, params: Params) -> SymbolSettings:
        return self._engine.symbol(parameters.text(params, "symbol").upper())


def _as_item(error: ErrorReply) -> dict[str, Any]:
    return {"code": int(error.code), "msg": error.message}


def _flat(item: object) -> Params:
    """Read one item of a batch, whose values may be any JSON, like a request of its own."""
    if not isinstance(item, dict):
        raise errors.missing("batchOrders")
    return {
        str(key): str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in item.items()
        if value is not None
    }


def _order_type(params: Params) -> OrderType:
    kind = parameters.text(params, "type").upper()
    if kind in ALGO_TYPES:
        message = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
        raise ErrorReply(400, "-4120", message)
    return parameters.choice(params, "type", OrderType, ErrorReply(400, "-1116", "Invalid orderType."))


def _response_type(params: Params) -> str:
    kind = params.get("newOrderRespType", "").upper() or "ACK"
    if kind not in ("ACK", "RESULT"):
        raise errors.bad_value("newOrderRespType")
    return kind


def _details(params: Params, force: str) -> dict[str, str]:
    """Return what the venue writes of an order besides what the engine keeps."""
    details = {"priceMatch": params["priceMatch"].upper()} if params.get("priceMatch") else {}
    return details | ({"timeInForce": force, "goodTillDate": params["goodTillDate"]} if force == "GTD" else {})


def _ids(params: Params) -> tuple[str, str]:
    order_id, client_order_id = parameters.integer(params, "orderId"), params.get("origClientOrderId", "")
    if order_id is None and not client_order_id:
        message = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        raise ErrorReply(400, "-1102", message)
    return "" if order_id is None else str(order_id), client_order_id


def _either(params: Params, name: str) -> str:
    """Read a parameter in the spelling of the documentation or in lower case, as clients send both."""
    return params.get(name) or params.get(name.lower(), "")


def _forced_weight(params: Params) -> int:
    return 20 if params.get("symbol") else 50


def _open_orders_weight(params: Params) -> int:
    return 1 if params.get("symbol") else 40
