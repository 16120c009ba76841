"""Bybit's order endpoints: place, cancel, query, singly and in batches. A reply only acknowledges the request."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from opensqt.model.account import PositionMode
from opensqt.model.order import OrderType, PositionSide, Side, TimeInForce
from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply, Params, Route
from opensqt.simulator.dialects.bybit import errors, formats, parameters
from opensqt.simulator.dialects.bybit.account import page
from opensqt.simulator.dialects.bybit.conditional import ConditionalTrading
from opensqt.simulator.dialects.bybit.fill_details import FillDetails
from opensqt.simulator.engine.account import closes
from opensqt.simulator.engine.closed_positions import closing_orders
from opensqt.simulator.engine.conditional import ConditionalStatus, SimConditional
from opensqt.simulator.engine.order import NewOrder, RefusalReason, Refused, SimFill, SimOrder
from opensqt.simulator.settings import SymbolSettings

_WEEK_MS = 7 * 86_400_000
_LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_CLOSED_KEPT = 500
_FILTERS = {"Order": "Order", "StopOrder": "StopOrder"}
MOST_IN_BATCH = 20


@dataclass(frozen=True, slots=True)
class BatchReply:
    """The reply to a batch: its rows, and a code for each row."""

    result: dict[str, Any]
    codes: dict[str, Any]


class Trading:
    """Orders of the account that signed the call."""

    def __init__(self, dialect: Dialect, fill_details: FillDetails, conditional: ConditionalTrading) -> None:
        self._dialect = dialect
        self._engine = dialect.engine
        self._fill_details = fill_details
        self._conditional = conditional

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        return [
            Route("POST", "/v5/order/create", "place_order", self._place),
            Route("POST", "/v5/order/create-batch", "batch_place", self._place_batch),
            Route("POST", "/v5/order/amend", "amend_order", self._amend),
            Route("POST", "/v5/order/amend-batch", "amend_order", self._amend_batch),
            Route("POST", "/v5/order/cancel", "cancel_order", self._cancel),
            Route("POST", "/v5/order/cancel-batch", "batch_cancel", self._cancel_batch),
            Route("POST", "/v5/order/cancel-all", "cancel_all", self._cancel_all),
            Route("GET", "/v5/order/realtime", "open_orders", self._realtime),
            Route("GET", "/v5/order/history", "open_orders", self._history),
            Route("GET", "/v5/execution/list", "fills", self._executions),
            Route("GET", "/v5/position/closed-pnl", "positions", self._closed_profit),
        ]

    def _place(self, call: Call) -> Any:
        return self._place_one(call, call.params)

    def _place_one(self, call: Call, params: Params) -> dict[str, Any]:
        wanted, close_position = self._read(call, params)
        waiting = self._conditional.read(params, wanted, close_position=close_position)
        if call.ignored:
            return {"orderId": "0", "orderLinkId": wanted.client_order_id}
        if waiting is not None:
            placed = self._engine.conditional.place(call.account, waiting)
            return {"orderId": placed.conditional_id, "orderLinkId": placed.client_id}
        return _ids(self._engine.place(call.account, wanted))

    def _place_batch(self, call: Call) -> Any:
        def act(item: Params) -> dict[str, Any]:
            placed = self._place_one(call, item | {"category": formats.CATEGORY})
            return {**placed, "createAt": str(self._engine.now_ms())}

        return self._each(call, act)

    def _amend(self, call: Call) -> Any:
        return self._amend_one(call, call.params)

    def _amend_batch(self, call: Call) -> Any:
        return self._each(call, lambda item: self._amend_one(call, item | {"category": formats.CATEGORY}))

    def _amend_one(self, call: Call, params: Params) -> dict[str, Any]:
        """Amend an order; what is not sent stays: https://bybit-exchange.github.io/docs/v5/order/amend-order."""
        parameters.need_linear(params)
        rules, named = self._rules(params), _named(params)
        price, quantity = (parameters.decimal(params, name) if params.get(name) else None for name in ("price", "qty"))
        waiting = self._waiting(call, named)
        if waiting is not None:
            wanted = self._conditional.amended(params, waiting, rules)
            if not call.ignored:
                self._engine.conditional.amend(call.account, waiting.conditional_id, wanted)
            return {"orderId": waiting.conditional_id, "orderLinkId": waiting.client_id}
        if params.get("triggerPrice") or params.get("triggerBy"):
            raise errors.not_simulated("triggerPrice in an amendment of an order that rests")
        found = self._engine.find(call.account, rules.symbol, **named)
        if found.status.is_open and price in (None, found.price) and quantity in (None, found.quantity):
            raise errors.of_reason(RefusalReason.UNCHANGED)
        if call.ignored:
            return _ids(found)
        return _ids(
            self._engine.amend(call.account, rules.symbol, order_id=found.order_id, price=price, quantity=quantity)
        )

    def _cancel(self, call: Call) -> Any:
        return self._cancel_one(call, call.params)

    def _cancel_one(self, call: Call, params: Params) -> dict[str, Any]:
        parameters.need_linear(params)
        rules, named = self._rules(params), _named(params)
        waiting = self._waiting(call, named)
        if waiting is not None:
            if not call.ignored:
                self._engine.conditional.cancel(call.account, conditional_id=waiting.conditional_id)
            return {"orderId": waiting.conditional_id, "orderLinkId": waiting.client_id}
        if call.ignored:
            return _ids(self._engine.find(call.account, rules.symbol, **named))
        return _ids(self._engine.cancel(call.account, rules.symbol, **named))

    def _cancel_batch(self, call: Call) -> Any:
        return self._each(call, lambda item: self._cancel_one(call, item | {"category": formats.CATEGORY}))

    def _each(self, call: Call, act: Callable[[Params], dict[str, Any]]) -> BatchReply:
        """Execute one item after the other; a refused item does not affect the others."""
        parameters.need_linear(call.params)
        items = parameters.of_body(call).get("request")
        if not isinstance(items, list) or not 1 <= len(items) <= MOST_IN_BATCH:
            raise errors.parameter(f"params error: request must hold 1 to {MOST_IN_BATCH} orders")
        rows, codes = [], []
        for item in items:
            params = parameters.flat(item) if isinstance(item, dict) else {}
            asked = {"orderId": "", "orderLinkId": params.get("orderLinkId", "")}
            code, message = 0, "OK"
            try:
                self._dialect.check_item(call, params)
                asked = act(params)
            except Refused as refused:
                code, message = _coded(self._dialect.translate(refused))
            except ErrorReply as error:
                code, message = _coded(error)
            rows.append({"category": formats.CATEGORY, "symbol": params.get("symbol", ""), **asked})
            codes.append({"code": code, "msg": message})
        return BatchReply({"list": rows}, {"list": codes})

    def _cancel_all(self, call: Call) -> Any:
        params = call.params
        parameters.need_linear(params)
        if params.get("symbol"):
            symbols = [self._rules(params).symbol]
        elif params.get("settleCoin") or params.get("baseCoin"):
            symbols = [each.symbol for each in self._engine.symbols() if self._of_coin(params, each.symbol)]
        else:
            raise errors.parameter("Missing some parameters that must be filled in, symbol or baseCoin or settleCoin")
        kind = parameters.choice(params, "orderFilter", _FILTERS, "")
        if call.ignored:
            return {"list": [], "success": "1"}
        canceled: list[dict[str, Any]] = []
        for symbol in symbols:
            if kind in ("", "Order"):
                canceled += [_ids(order) for order in self._engine.cancel_all(call.account, symbol)]
            for found in self._engine.conditional.waiting(call.account, symbol) if kind in ("", "StopOrder") else ():
                only = params.get("stopOrderType", "")
                if only in ("", found.wanted.details["stopOrderType"]):
                    self._engine.conditional.cancel(call.account, conditional_id=found.conditional_id)
                    canceled.append({"orderId": found.conditional_id, "orderLinkId": found.client_id})
        return {"list": canceled, "success": "1"}

    def _waiting(self, call: Call, named: dict[str, str]) -> SimConditional | None:
        found = self._conditional.find(call.account, named)
        return found if found is not None and found.status.is_open else None

    def _realtime(self, call: Call) -> Any:
        params = call.params
        kind = parameters.choice(params, "orderFilter", _FILTERS, "")
        if not parameters.is_linear(params):
            return {"category": params["category"], "list": [], "nextPageCursor": ""}
        if params.get("orderId") or params.get("orderLinkId"):
            return page(self._one(call), params, default=20, most=50)
        symbol = self._rules(params).symbol if params.get("symbol") else None
        if symbol is None and not (params.get("settleCoin") or params.get("baseCoin")):
            raise errors.parameter("Missing some parameters that must be filled in, symbol or baseCoin or settleCoin")
        if params.get("openOnly") == "1":
            found = [one for one in self._engine.orders(call.account, symbol) if not one.status.is_open]
            found = found[-_CLOSED_KEPT:]
            waiting = [one for one in self._engine.conditional.listed(call.account, symbol) if _is_over(one)]
        else:
            found = self._engine.open_orders(call.account, symbol)
            waiting = self._engine.conditional.waiting(call.account, symbol)
        found = [one for one in found if self._of_coin(params, one.symbol)]
        waiting = [one for one in waiting if self._of_coin(params, one.symbol)]
        return page(self._rows(found, waiting, kind), params, default=20, most=50)

    def _rows(self, orders: list[SimOrder], conditional: list[SimConditional], kind: str) -> list[dict[str, Any]]:
        """Write orders and conditional ones together, oldest first, as far as the filter lets them."""
        rows = [] if kind == "StopOrder" else self._write(orders)
        rows += [] if kind == "Order" else [self._conditional.write(one) for one in conditional]
        return sorted(rows, key=lambda row: (int(row["createdTime"]), int(row["orderId"])))

    def _one(self, call: Call) -> list[dict[str, Any]]:
        """Write the order that is asked for: the conditional one until it has placed its order."""
        found = self._conditional.find(call.account, _named(call.params))
        if found is not None and found.status is not ConditionalStatus.TRIGGERED:
            return [self._conditional.write(found)]
        return self._write(self._found(call))

    def _found(self, call: Call) -> list[SimOrder]:
        """Query one order, open or closed; the venue returns an empty list for an unknown one."""
        wanted = call.params.get("symbol")
        for rules in self._engine.symbols():
            if wanted not in (None, "", rules.symbol):
                continue
            try:
                return [self._engine.find(call.account, rules.symbol, **_named(call.params))]
            except Refused as refused:
                if refused.reason is not RefusalReason.UNKNOWN_ORDER:
                    raise
        return []

    def _history(self, call: Call) -> Any:
        params = call.params
        kind = parameters.choice(params, "orderFilter", _FILTERS, "")
        if not parameters.is_linear(params):
            return {"category": params["category"], "list": [], "nextPageCursor": ""}
        if params.get("orderId") or params.get("orderLinkId"):
            return page(self._one(call), params, default=20, most=50)
        symbol = self._rules(params).symbol if params.get("symbol") else None
        start, end = parameters.window(params, longest_ms=_WEEK_MS, now_ms=self._engine.now_ms())
        found = self._engine.orders(call.account, symbol, since_ms=start, until_ms=end)
        closed = [one for one in found if not one.status.is_open and self._of_coin(params, one.symbol)]
        over = [
            one
            for one in self._engine.conditional.listed(call.account, symbol)
            if _is_over(one) and start <= one.created_ms <= end and self._of_coin(params, one.symbol)
        ]
        rows = [
            row for row in self._rows(closed, over, kind) if params.get("orderStatus", "") in ("", row["orderStatus"])
        ]
        return page(rows, params, default=20, most=50)

    def _executions(self, call: Call) -> Any:
        params = call.params
        if not parameters.is_linear(params):
            return {"category": params["category"], "list": [], "nextPageCursor": ""}
        symbol = self._rules(params).symbol if params.get("symbol") else None
        order_id = params.get("orderId", "")
        if params.get("orderLinkId") and not order_id:
            found = self._found(call)
            if not found:
                return {"category": formats.CATEGORY, "list": [], "nextPageCursor": ""}
            order_id = found[0].order_id
        # The executions of one order are returned whatever their age.
        start, end = (0, self._engine.now_ms())
        if not order_id:
            start, end = parameters.window(params, longest_ms=_WEEK_MS, now_ms=self._engine.now_ms())
        rows = self._execution_rows(call.account, symbol, start, end, order_id)
        kind = params.get("execType", "")
        rows = [row for row in rows if kind in ("", row["execType"]) and self._of_coin(params, row["symbol"])]
        return page(rows, params, default=50, most=100)

    def _closed_profit(self, call: Call) -> Any:
        """Return what orders closed, with their profit after the fees of opening and closing.

        https://bybit-exchange.github.io/docs/v5/position/close-pnl
        """
        params = call.params
        if not parameters.is_linear(params):
            return {"category": params["category"], "list": [], "nextPageCursor": ""}
        symbol = self._rules(params).symbol if params.get("symbol") else None
        start, end = parameters.window(params, longest_ms=_WEEK_MS, now_ms=self._engine.now_ms())
        rows = []
        for closing in closing_orders(self._engine.fills(call.account, symbol)):
            if start <= closing.last_ms <= end:
                placed = self._engine.find(call.account, closing.symbol, order_id=closing.order_id)
                leverage = self._engine.leverage(call.account, closing.symbol)
                rows.append(formats.closed_profit(closing, placed, leverage))
        return page(rows, params, default=50, most=100)

    def _execution_rows(
        self, account: str, symbol: str | None, start: int, end: int, order_id: str
    ) -> list[dict[str, Any]]:
        fills = self._engine.fills(account, symbol, since_ms=start, until_ms=end, order_id=order_id or None)
        rows = []
        for fill in fills:
            placed = self._engine.find(account, fill.symbol, order_id=fill.order_id)
            note = self._fill_details.of(account, fill.symbol, fill.order_id, fill.trade_id)
            rows.append(formats.execution(fill, placed, note, self._engine.symbol(fill.symbol)))
        if not order_id:
            rows += [
                formats.funding(paid, self._engine.symbol(paid.symbol))
                for paid in self._engine.funding_payments(account, symbol)
                if start <= paid.time_ms <= end
            ]
        return sorted(rows, key=lambda row: int(row["execTime"]))

    def _read(self, call: Call, params: Params) -> tuple[NewOrder, bool]:
        """Read an order, and whether it is for the whole position, as Bybit checks it."""
        parameters.need_linear(params)
        rules = self._rules(params)
        side: Side = parameters.choice(params, "side", formats.SIDES)
        kind: OrderType = parameters.choice(params, "orderType", formats.TYPES)
        position_side: PositionSide = parameters.choice(
            params, "positionIdx", formats.POSITION_SIDES, PositionSide.BOTH
        )
        on_trigger = parameters.boolean(params, "closeOnTrigger")
        reduce_only = parameters.boolean(params, "reduceOnly") or on_trigger
        hedge = self._engine.position_mode(call.account) is PositionMode.HEDGE
        if reduce_only and hedge and position_side is not PositionSide.BOTH and not closes(side, position_side, False):
            raise errors.of_reason(RefusalReason.REDUCE_ONLY)
        link_id = params.get("orderLinkId", "")
        if link_id and not _LINK_ID.fullmatch(link_id):
            raise errors.parameter("params error: orderLinkId invalid")
        limit = kind is OrderType.LIMIT
        quantity = parameters.decimal(params, "qty")
        close_position = not quantity and reduce_only
        if close_position and not params.get("triggerPrice"):
            # A quantity of zero is the whole position.
            position = next(
                each
                for each in self._engine.positions(call.account, rules.symbol)
                if each.position_side is position_side
            )
            quantity = abs(position.quantity)
            if not quantity:
                raise errors.of_reason(RefusalReason.REDUCE_ONLY)
        names = ("takeProfit", "stopLoss", "tpTriggerBy", "slTriggerBy", "tpslMode", "triggerPrice", "triggerBy")
        details = {name: params[name] for name in (*names, "triggerDirection") if params.get(name)}
        wanted = NewOrder(
            symbol=rules.symbol,
            side=side,
            quantity=quantity,
            order_type=kind,
            price=self._price(params, side, rules) if limit else None,
            time_in_force=parameters.choice(params, "timeInForce", formats.TIMES_IN_FORCE, TimeInForce.GTC)
            if limit
            else TimeInForce.GTC,
            reduce_only=reduce_only,
            position_side=position_side,
            client_order_id=link_id,
            details=details | ({"closeOnTrigger": "true"} if on_trigger else {}),
        )
        attached = () if params.get("triggerPrice") else self._conditional.children(params, wanted)
        return replace(wanted, attached=attached), close_position

    def _price(self, params: Params, side: Side, rules: SymbolSettings) -> Decimal:
        """Read the price of a limit order, or find the level of the book that it names."""
        if not params.get("bboSideType"):
            return parameters.decimal(params, "price")
        own = parameters.choice(params, "bboSideType", {"Queue": True, "Counterparty": False})
        level = parameters.choice(params, "bboLevel", {str(each): each for each in range(1, 6)})
        book = self._engine.book(rules.symbol, level)
        levels = book.bids if (side is Side.BUY) is own else book.asks
        if len(levels) < level:
            raise errors.parameter("params error: bboLevel invalid")
        return levels[level - 1][0]

    def _of_coin(self, params: Params, symbol: str) -> bool:
        """Return whether a symbol is of the coins that a query names."""
        rules = self._engine.symbol(symbol)
        base, settle = params.get("baseCoin", ""), params.get("settleCoin", "")
        return base in ("", rules.base_asset) and settle in ("", rules.quote_asset)

    def _write(self, orders: list[SimOrder]) -> list[dict[str, Any]]:
        return [
            formats.order(order, self._engine.symbol(order.symbol), self._fills_of(order))
            for order in orders
            if not self._dialect.is_hidden(order.order_id)
        ]

    def _fills_of(self, order: SimOrder) -> list[SimFill]:
        if not order.filled_quantity:
            return []
        return self._engine.fills(order.account, order.symbol, order_id=order.order_id)

    def _rules(self, params: Params) -> SymbolSettings:
        return self._engine.symbol(parameters.text(params, "symbol"))


def _ids(order: SimOrder) -> dict[str, Any]:
    return {"orderId": order.order_id, "orderLinkId": formats.link_id(order)}


def _named(params: Params) -> dict[str, str]:
    order_id, link_id = params.get("orderId", ""), params.get("orderLinkId", "")
    if not order_id and not link_id:
        raise errors.parameter("params error: orderId or orderLinkId is required")
    return {"order_id": order_id, "client_order_id": link_id}


def _is_over(found: SimConditional) -> bool:
    """Return whether a conditional order ended without an order, which is a row of its own then."""
    return found.status not in (ConditionalStatus.WAITING, ConditionalStatus.TRIGGERED)


def _coded(error: ErrorReply) -> tuple[int, str]:
    return int(error.code), error.message
