"""Bitget's order endpoints: place, cancel, query, singly and in batches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.order import OrderType, PositionSide, Side, TimeInForce
from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply, Params, Route
from opensqt.simulator.dialects.bitget import errors, formats, parameters
from opensqt.simulator.engine.conditional import NewConditional
from opensqt.simulator.engine.order import NewOrder, RefusalReason, Refused, SimFill, SimOrder
from opensqt.simulator.settings import SymbolSettings

CLIENT_ID = re.compile(r"[0-9A-Za-z\-+_#]{1,49}")
SIDES = {"buy": Side.BUY, "sell": Side.SELL}
TYPES = {"limit": OrderType.LIMIT, "market": OrderType.MARKET}
FORCES = {
    "gtc": TimeInForce.GTC,
    "ioc": TimeInForce.IOC,
    "fok": TimeInForce.FOK,
    "post_only": TimeInForce.POST_ONLY,
}
_MARGIN_MODES = {"crossed": MarginMode.CROSS, "isolated": MarginMode.ISOLATED}
_MOST = 50
"""Maximum number of orders in one batch."""
_QUARTER_MS = 90 * 86_400_000
CANCEL_BATCH = "/api/v2/mix/order/batch-cancel-orders"


Attached = Callable[[Params, NewOrder], tuple[NewConditional, ...]]
"""Reads the take-profit and the stop-loss that an order carries."""


class Trading:
    """Orders of the account that signed the call."""

    def __init__(self, dialect: Dialect, attached: Attached) -> None:
        self._dialect = dialect
        self.attached = attached
        self._engine = dialect.engine

    def routes(self) -> list[Route]:
        """Return the endpoints; the weight is the number of calls that one account may make in a second."""
        order = "/api/v2/mix/order"
        return [
            Route("POST", f"{order}/place-order", "place_order", self._place, 10),
            Route("POST", f"{order}/batch-place-order", "batch_place", self._place_batch, 5),
            Route("POST", f"{order}/cancel-order", "cancel_order", self._cancel, 10),
            Route("POST", CANCEL_BATCH, "batch_cancel", self._cancel_batch, 10),
            Route("POST", f"{order}/cancel-all-orders", "cancel_all", self._cancel_all, 10),
            Route("GET", f"{order}/detail", "get_order", self._detail, 10),
            Route("GET", f"{order}/orders-pending", "open_orders", self._pending, 10),
            Route("GET", f"{order}/orders-history", "open_orders", self._history, 10),
            Route("GET", f"{order}/fills", "fills", self._fills, 10),
            Route("GET", f"{order}/fill-history", "fills", self._fills, 10),
        ]

    # Placing

    def _place(self, call: Call) -> Any:
        return self._place_one(call, call.params)

    def _place_batch(self, call: Call) -> Any:
        shared = {name: call.params[name] for name in call.params if name != "orderList"}
        orders = parameters.listed(parameters.body(call), "orderList", _MOST)

        def place(params: Params) -> dict[str, str]:
            self._dialect.check_item(call, params)
            return self._place_one(call, {**shared, **params})

        return _sorted_out(orders, place, self._dialect)

    def _place_one(self, call: Call, params: Params) -> dict[str, str]:
        wanted, rules = self._read(call, params)
        if call.ignored:
            return {"orderId": "0", "clientOid": wanted.client_order_id}
        with with_limits(wanted, rules):
            placed = self._engine.place(call.account, wanted)
        return names(placed)

    def _read(self, call: Call, params: Params) -> tuple[NewOrder, SymbolSettings]:
        """Read an order from its parameters, with the checks that Bitget makes before its engine."""
        rules = self.rules(params)
        parameters.text(params, "marginCoin")
        self.check_margin_mode(call, params, rules)
        kind = parameters.choice(params, "orderType", TYPES)
        quantity = parameters.decimal(params, "size")
        if quantity % rules.quantity_step:
            scale = decimals.decimals(rules.quantity_step)
            message = f"Parameter verification exception size checkBDScale error value={quantity} checkScale={scale}"
            raise ErrorReply(400, "40808", message)
        side, position_side = self.sides(call, params)
        given = params.get("clientOid", "")
        if given and not CLIENT_ID.fullmatch(given):
            raise errors.bad_client_order_id()
        limit = kind is OrderType.LIMIT
        wanted = NewOrder(
            symbol=rules.symbol,
            side=side,
            quantity=quantity,
            order_type=kind,
            price=parameters.decimal(params, "price") if limit else None,
            time_in_force=parameters.choice(params, "force", FORCES, TimeInForce.GTC) if limit else TimeInForce.GTC,
            # In hedge mode the trade side decides, and the flag is ignored.
            reduce_only=position_side is PositionSide.BOTH and params.get("reduceOnly", "").lower() in ("yes", "true"),
            position_side=position_side,
            client_order_id=given,
            details={name: params[name] for name in formats.PRESETS if params.get(name)},
        )
        return replace(wanted, attached=self.attached(params, wanted)), rules

    def check_margin_mode(self, call: Call, params: Params, rules: SymbolSettings) -> None:
        """Check that the margin mode of an order is the symbol's."""
        wanted = parameters.choice(params, "marginMode", _MARGIN_MODES)
        if wanted is not self._engine.margin_mode(call.account, rules.symbol):
            raise errors.margin_mode_kept()

    def sides(self, call: Call, params: Params) -> tuple[Side, PositionSide]:
        """Read the direction of the order: in hedge mode `side` is the position's and `tradeSide` opens or closes it.

        An order with hedge mode's trade side is refused in one-way mode, and one without it in hedge mode.
        """
        side = parameters.choice(params, "side", SIDES)
        trade_side = params.get("tradeSide", "").lower()
        hedged = trade_side in ("open", "close")
        if hedged is (self._engine.position_mode(call.account) is PositionMode.ONE_WAY):
            raise errors.of_reason(RefusalReason.POSITION_SIDE_MISMATCH)
        if not hedged:
            return side, PositionSide.BOTH
        position_side = PositionSide.LONG if side is Side.BUY else PositionSide.SHORT
        return side if trade_side == "open" else side.opposite, position_side

    # Canceling

    def _cancel(self, call: Call) -> Any:
        return self._cancel_one(call, self.rules(call.params), call.params)

    def _cancel_batch(self, call: Call) -> Any:
        """Cancel the listed orders; without a list, all of the symbol or of the product type."""
        fields = parameters.body(call)
        if not fields.get("orderIdList"):
            return self._cancel_all(call)
        rules = self.rules(call.params)
        orders = parameters.listed(fields, "orderIdList", _MOST)
        return _sorted_out(orders, lambda params: self._cancel_one(call, rules, params), self._dialect)

    def _cancel_one(self, call: Call, rules: SymbolSettings, params: Params) -> dict[str, str]:
        order_id, client_order_id = ids(params)
        try:
            if call.ignored:
                return names(
                    self._engine.find(call.account, rules.symbol, order_id=order_id, client_order_id=client_order_id)
                )
            return names(
                self._engine.cancel(call.account, rules.symbol, order_id=order_id, client_order_id=client_order_id)
            )
        except Refused as refused:
            if refused.reason is RefusalReason.UNKNOWN_ORDER:
                raise errors.unknown_order_to_cancel() from refused
            raise

    def _cancel_all(self, call: Call) -> Any:
        parameters.futures(call.params)
        sent_ms, for_ms = (parameters.integer(call.params, name) for name in ("requestTime", "receiveWindow"))
        if sent_ms is not None and for_ms is not None and sent_ms + for_ms < self._engine.clock.server_ms():
            raise ErrorReply(400, "40008", "Request timestamp expired")
        named = call.params.get("symbol")
        symbols = [self.rules(call.params)] if named else list(self._engine.symbols())
        canceled = [
            order
            for rules in symbols
            for order in ([] if call.ignored else self._engine.cancel_all(call.account, rules.symbol))
        ]
        if not canceled and not call.ignored:
            raise errors.of_reason(RefusalReason.ORDER_CLOSED)
        return {"successList": [names(order) for order in canceled], "failureList": []}

    # Queries

    def _detail(self, call: Call) -> Any:
        rules = self.rules(call.params)
        order_id, client_order_id = ids(call.params)
        found = self._engine.find(call.account, rules.symbol, order_id=order_id, client_order_id=client_order_id)
        if self._dialect.is_hidden(found.order_id):
            raise errors.of_reason(RefusalReason.UNKNOWN_ORDER)
        return self._write(call, found, detail=True)

    def _pending(self, call: Call) -> Any:
        found = self._engine.open_orders(call.account, self._symbol_or_all(call.params))
        return self._page(call, [order for order in found if self.is_in_window(call.params, order.created_ms)])

    def _history(self, call: Call) -> Any:
        symbol = self._symbol_or_all(call.params)
        start, end = self.window(call.params)
        found = self._engine.orders(call.account, symbol, since_ms=start, until_ms=end)
        return self._page(call, [order for order in found if not order.status.is_open])

    def _page(self, call: Call, orders: list[SimOrder]) -> dict[str, Any]:
        """Return the newest orders of a list, or those before an id, newest first."""
        params = call.params
        before = parameters.integer(params, "idLessThan")
        order_id, client_order_id, status = (params.get(name, "") for name in ("orderId", "clientOid", "status"))
        source = params.get("orderSource", "")
        wanted = [
            order
            for order in orders
            if (before is None or int(order.order_id) < before)
            and order_id in ("", order.order_id)
            and (order_id or client_order_id in ("", order.client_order_id))
            and status in ("", formats.status(order))
            and source in ("", formats.order_source(order))
            and not self._dialect.is_hidden(order.order_id)
        ][-parameters.limit(params) :]
        rows = [self._write(call, order) for order in reversed(wanted)]
        return {"entrustedList": rows or None, "endId": rows[-1]["orderId"] if rows else None}

    def _fills(self, call: Call) -> Any:
        symbol = self._symbol_or_all(call.params)
        start, end = self.window(call.params)
        before = parameters.integer(call.params, "idLessThan")
        order_id = call.params.get("orderId") or None
        found = self._engine.fills(call.account, symbol, since_ms=start, until_ms=end, order_id=order_id)
        wanted = [fill for fill in found if before is None or int(fill.trade_id) < before]
        wanted = wanted[-parameters.limit(call.params) :]
        rows = [formats.own_trade(fill, self._engine.symbol(fill.symbol)) for fill in reversed(wanted)]
        return {"fillList": rows or None, "endId": rows[-1]["tradeId"] if rows else None}

    def fills_of(self, order: SimOrder) -> list[SimFill]:
        """Return the fills of one order."""
        if not order.filled_quantity:
            return []
        return self._engine.fills(order.account, order.symbol, order_id=order.order_id)

    def _write(self, call: Call, order: SimOrder, *, detail: bool = False) -> dict[str, Any]:
        rules = self._engine.symbol(order.symbol)
        leverage = self._engine.leverage(call.account, order.symbol)
        return formats.order(order, rules, leverage=leverage, fills=self.fills_of(order), detail=detail)

    def window(self, params: Params) -> tuple[int, int]:
        """Read startTime and endTime."""
        start, end = (parameters.integer(params, name) for name in ("startTime", "endTime"))
        if end is None:
            end = self._engine.now_ms() if start is None else start + _QUARTER_MS
        if start is None:
            start = max(0, end - _QUARTER_MS)
        if start > end:
            raise ErrorReply(400, "40707", "Start time is greater than end time")
        if end - start > _QUARTER_MS:
            raise ErrorReply(400, "40705", "The start and end time cannot exceed 90 days")
        return start, end

    def is_in_window(self, params: Params, time_ms: int) -> bool:
        """Return whether a time is in the window of a query, which is all of time where neither end is named."""
        if not params.get("startTime") and not params.get("endTime"):
            return True
        start, end = self.window(params)
        return start <= time_ms <= end

    def _symbol_or_all(self, params: Params) -> str | None:
        parameters.futures(params)
        return self.rules(params).symbol if params.get("symbol") else None

    def rules(self, params: Params) -> SymbolSettings:
        """Read the symbol."""
        parameters.futures(params)
        symbol = parameters.text(params, "symbol")
        try:
            return self._engine.symbol(symbol.upper())
        except Refused:
            raise errors.unknown_symbol(symbol) from None


def _sorted_out(orders: list[Params], act: Callable[[Params], dict[str, str]], dialect: Dialect) -> dict[str, Any]:
    """Execute each item of a batch; return the executed ones and the refused ones, each in a list."""
    done: list[dict[str, str]] = []
    refused: list[dict[str, str]] = []
    for params in orders:
        try:
            try:
                done.append(act(params))
            except Refused as reason:
                raise dialect.translate(reason) from reason
        except ErrorReply as error:
            names = {name: params.get(name, "") for name in ("orderId", "clientOid")}
            refused.append({**names, "errorMsg": error.message, "errorCode": error.code})
    return {"successList": done, "failureList": refused}


@contextmanager
def with_limits(wanted: NewOrder, rules: SymbolSettings) -> Iterator[None]:
    """Add to a refusal the limit that the order exceeded."""
    try:
        yield
    except Refused as refused:
        if refused.reason is RefusalReason.MIN_NOTIONAL:
            raise errors.of_reason(refused.reason, decimals.exact(rules.min_notional)) from refused
        if refused.reason is RefusalReason.PRICE_STEP:
            raise errors.of_reason(refused.reason, decimals.exact(rules.price_step)) from refused
        if refused.reason is RefusalReason.PRICE_BAND:
            raise errors.outside_price_band(wanted.side) from refused
        raise


def names(order: SimOrder) -> dict[str, str]:
    """Write the two ids of an order, which is all that the response to a change has."""
    return {"orderId": order.order_id, "clientOid": order.client_order_id}


def ids(params: Params) -> tuple[str, str]:
    """Read the id of an order; where both ids are given, the venue's takes precedence."""
    order_id, client_order_id = params.get("orderId", ""), params.get("clientOid", "")
    if not order_id and not client_order_id:
        raise ErrorReply(400, "40402", "Either orderId or clientOid is required")
    return order_id, "" if order_id else client_order_id
