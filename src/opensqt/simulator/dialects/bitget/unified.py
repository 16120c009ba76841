"""The endpoints of Bitget's unified account (v3): orders, trades, positions, assets, records and settings.

https://www.bitget.com/api-doc/uta/intro
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from opensqt.model.account import PositionMode
from opensqt.model.order import OrderType, PositionSide, TimeInForce
from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply, Params, Route
from opensqt.simulator.dialects.bitget import errors, formats, parameters, trading, unified_formats
from opensqt.simulator.dialects.bitget.parameters import PRODUCT_TYPE
from opensqt.simulator.dialects.bitget.strategy import StrategyOrders
from opensqt.simulator.engine.countdowns import CountdownScope
from opensqt.simulator.engine.order import NewOrder, RefusalReason, Refused, SimFill, SimOrder
from opensqt.simulator.settings import SymbolSettings

_POSITION_SIDES = {"long": PositionSide.LONG, "short": PositionSide.SHORT}
_POSITION_MODES = {name: mode for mode, name in formats.POSITION_MODE.items()}
_MONTH_MS = 30 * 86_400_000
_FAILS_LATER = (RefusalReason.POST_ONLY_WOULD_CROSS, RefusalReason.INSUFFICIENT_MARGIN, RefusalReason.REDUCE_ONLY)
"""What the matching engine finds out, after a change was acknowledged."""
_COUNTDOWN_S = range(5, 61)
_MOST_IN_BATCH = 20
_PLACE_BATCH, _CANCEL_BATCH = "/api/v3/trade/place-batch", "/api/v3/trade/cancel-batch"
_MODIFY_BATCH = "/api/v3/trade/batch-modify-order"
LIST_BODIES = frozenset({_PLACE_BATCH, _CANCEL_BATCH, _MODIFY_BATCH})
"""Paths of requests whose body is a list."""


class UnifiedApi:
    """What a unified account is traded with; the market data of v2 is everybody's."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._engine = dialect.engine
        self._strategy = StrategyOrders(dialect.engine, self._rules, _window)

    def routes(self) -> list[Route]:
        """Return the endpoints; the weight is the number of calls that one account may make in a second."""

        def get(path: str, operation: str, handler: Any) -> Route:
            return Route("GET", f"/api/v3/{path}", operation, handler, 20)

        def post(path: str, operation: str, handler: Any) -> Route:
            return Route("POST", f"/api/v3/{path}", operation, handler, 10)

        return [
            get("account/settings", "settings", self._settings),
            get("account/assets", "account", self._assets),
            get("account/financial-records", "fills", self._records),
            get("position/current-position", "positions", self._positions),
            get("trade/order-info", "get_order", self._order_info),
            get("trade/unfilled-orders", "open_orders", self._unfilled),
            get("trade/history-orders", "open_orders", self._history),
            get("trade/fills", "fills", self._fills),
            post("trade/place-order", "place_order", self._place),
            post("trade/cancel-order", "cancel_order", self._cancel),
            post("trade/modify-order", "amend_order", self._modify),
            Route("POST", _MODIFY_BATCH, "amend_order", self._modify_batch, 5),
            post("trade/cancel-symbol-order", "cancel_all", self._cancel_symbol),
            Route("POST", _PLACE_BATCH, "batch_place", self._place_batch, 5),
            Route("POST", _CANCEL_BATCH, "batch_cancel", self._cancel_batch, 5),
            Route("POST", "/api/v3/trade/countdown-cancel-all", "countdown", self._count_down, 1),
            post("account/set-leverage", "settings", self._set_leverage),
            post("account/set-hold-mode", "settings", self._set_hold_mode),
            *self._strategy.routes(),
        ]

    # Orders

    def _place(self, call: Call) -> Any:
        return self._place_one(call, call.params)

    def _place_batch(self, call: Call) -> Any:
        """Place up to twenty orders: https://www.bitget.com/api-doc/uta/trade/Place-Batch.

        The page says that reduce-only orders are not supported, and its list of parameters has no margin mode.
        """

        def place(params: Params) -> dict[str, str]:
            if params.get("reduceOnly", "").lower() == "yes":
                raise errors.not_in_batch("reduceOnly")
            self._dialect.check_item(call, params)
            return self._place_one(call, {name: params[name] for name in params if name != "marginMode"})

        return self._each(parameters.items(call, _MOST_IN_BATCH), place)

    def _cancel_batch(self, call: Call) -> Any:
        """Cancel up to twenty orders, each on its own: https://www.bitget.com/api-doc/uta/trade/Cancel-Batch."""

        def cancel(params: Params) -> dict[str, str]:
            self._rules(params)
            return self._cancel_one(call, params)

        return self._each(parameters.items(call, _MOST_IN_BATCH), cancel)

    def _each(self, items: list[Params], act: Callable[[Params], dict[str, str]]) -> list[dict[str, str]]:
        """Execute each item of a batch; a refused one has its code and message, and its place in the list."""
        rows = []
        for params in items:
            try:
                try:
                    rows.append(act(params))
                except Refused as refused:
                    raise self._dialect.translate(refused) from refused
            except ErrorReply as error:
                names = {name: params.get(name, "") for name in ("orderId", "clientOid")}
                rows.append({**names, "code": error.code, "msg": error.message})
        return rows

    def _place_one(self, call: Call, params: Params) -> dict[str, str]:
        wanted, rules = self._read(call, params)
        if call.ignored:
            return {"orderId": "0", "clientOid": wanted.client_order_id}
        with trading.with_limits(wanted, rules):
            placed = self._engine.place(call.account, wanted)
        return trading.names(placed)

    def _read(self, call: Call, params: Params) -> tuple[NewOrder, SymbolSettings]:
        rules = self._rules(params)
        if params.get("marginMode", "crossed") != "crossed":
            raise errors.of_reason(RefusalReason.UNSUPPORTED)
        kind = parameters.choice(params, "orderType", trading.TYPES)
        quantity = parameters.decimal(params, "qty")
        if quantity % rules.quantity_step:
            raise errors.bad_unified_quantity(decimals.decimals(rules.quantity_step))
        hedge = self._engine.position_mode(call.account) is PositionMode.HEDGE
        if hedge is not bool(params.get("posSide")):
            raise errors.of_reason(RefusalReason.POSITION_SIDE_MISMATCH)
        given = params.get("clientOid", "")
        if given and not trading.CLIENT_ID.fullmatch(given):
            raise errors.bad_client_order_id()
        limit = kind is OrderType.LIMIT
        wanted = NewOrder(
            symbol=rules.symbol,
            side=parameters.choice(params, "side", trading.SIDES),
            quantity=quantity,
            order_type=kind,
            price=parameters.decimal(params, "price") if limit else None,
            time_in_force=parameters.choice(params, "timeInForce", trading.FORCES, TimeInForce.GTC)
            if limit
            else TimeInForce.GTC,
            reduce_only=not hedge and params.get("reduceOnly", "").lower() == "yes",
            position_side=parameters.choice(params, "posSide", _POSITION_SIDES) if hedge else PositionSide.BOTH,
            client_order_id=given,
            details={name: params[name] for name in unified_formats.STOPS if params.get(name)},
        )
        return replace(wanted, attached=self._strategy.attached(params, wanted)), rules

    def _modify(self, call: Call) -> Any:
        return self._modify_one(call, call.params)

    def _modify_batch(self, call: Call) -> Any:
        items = parameters.items(call, _MOST_IN_BATCH)

        def modify(params: Params) -> dict[str, str]:
            self._dialect.check_item(call, params)
            return self._modify_one(call, params)

        return self._each(items, modify)

    def _modify_one(self, call: Call, params: Params) -> dict[str, str]:
        """Change price or quantity of an order, under the same id: https://www.bitget.com/api-doc/uta/trade/Modify-Order.

        The reply only acknowledges: a change that the matching engine refuses leaves the order, or cancels it with
        `autoCancel`, and nothing but the order's own events report it.
        """
        auto_cancel = parameters.choice(params, "autoCancel", {"yes": True, "no": False}, False)
        given = {name: parameters.decimal(params, name) for name in ("price", "qty") if params.get(name)}
        found = self._find(call, params)
        rules = self._engine.symbol(found.symbol)
        if not found.status.is_open:
            raise errors.unknown_unified_order()
        price, quantity = given.get("price"), given.get("qty")
        if quantity is not None and quantity % rules.quantity_step:
            raise errors.bad_unified_quantity(decimals.decimals(rules.quantity_step))
        if price in (None, found.price) and quantity in (None, found.quantity):
            raise errors.unmodified()
        if call.ignored:
            return trading.names(found)
        try:
            with trading.with_limits(_as_wanted(found), rules):
                self._engine.amend(call.account, found.symbol, order_id=found.order_id, price=price, quantity=quantity)
        except Refused as refused:
            if refused.reason not in _FAILS_LATER:
                raise
            if auto_cancel and found.status.is_open:
                self._engine.cancel(call.account, found.symbol, order_id=found.order_id)
        return trading.names(found)

    def _cancel(self, call: Call) -> Any:
        return self._cancel_one(call, call.params)

    def _cancel_one(self, call: Call, params: Params) -> dict[str, str]:
        found = self._find(call, params)
        if call.ignored:
            return trading.names(found)
        return trading.names(self._engine.cancel(call.account, found.symbol, order_id=found.order_id))

    def _cancel_symbol(self, call: Call) -> Any:
        rules = self._rules(call.params)
        canceled = [] if call.ignored else self._engine.cancel_all(call.account, rules.symbol)
        return {"list": [trading.names(order) for order in canceled]}

    def _count_down(self, call: Call) -> Any:
        countdown_s = parameters.integer(call.params, "countdown")
        if countdown_s is None:
            raise errors.missing("countdown")
        if countdown_s and countdown_s not in _COUNTDOWN_S:
            raise errors.bad_value("countdown")
        scope = CountdownScope(account=call.account)
        if not call.ignored and countdown_s:
            self._engine.start_countdown(scope, countdown_s * 1000)
        elif not call.ignored:
            self._engine.stop_countdown(scope)
        return "success"

    def _order_info(self, call: Call) -> Any:
        found = self._find(call, call.params)
        if self._dialect.is_hidden(found.order_id):
            raise errors.unknown_unified_order()
        return self._write(found)

    def _find(self, call: Call, params: Params) -> SimOrder:
        """Return the order of an id, whatever its symbol is."""
        order_id, client_order_id = trading.ids(params)
        for rules in self._engine.symbols():
            try:
                return self._engine.find(call.account, rules.symbol, order_id=order_id, client_order_id=client_order_id)
            except Refused as refused:
                if refused.reason is not RefusalReason.UNKNOWN_ORDER:
                    raise
        raise errors.unknown_unified_order()

    def _unfilled(self, call: Call) -> Any:
        start, end = _window(call.params)
        found = self._engine.open_orders(call.account, self._symbol_or_all(call.params))
        return self._page(
            call,
            [
                order
                for order in found
                if (start is None or order.created_ms >= start) and (end is None or order.created_ms <= end)
            ],
        )

    def _history(self, call: Call) -> Any:
        """List closed orders: https://www.bitget.com/api-doc/uta/trade/Get-Order-History."""
        symbol = self._symbol_or_all(call.params)
        start, end = _window(call.params)
        found = self._engine.orders(call.account, symbol, since_ms=start, until_ms=end)
        return self._page(call, [order for order in found if not order.status.is_open])

    def _page(self, call: Call, orders: list[SimOrder]) -> dict[str, Any]:
        """Return the newest orders of a list, or those before an id, newest first."""
        before = parameters.integer(call.params, "cursor")
        found = [
            order
            for order in orders
            if (before is None or int(order.order_id) < before) and not self._dialect.is_hidden(order.order_id)
        ][-parameters.limit(call.params) :]
        rows = [self._write(order) for order in reversed(found)]
        return {"list": rows, "cursor": rows[-1]["orderId"] if rows else ""}

    def _fills(self, call: Call) -> Any:
        start, end = _window(call.params)
        before = parameters.integer(call.params, "cursor")
        if call.params.get("category"):
            parameters.category(call.params)
        symbol = call.params.get("symbol", "").upper() or None
        order_id = call.params.get("orderId") or None
        found = self._engine.fills(call.account, symbol, since_ms=start, until_ms=end, order_id=order_id)
        found = [each for each in found if before is None or self._number(each) < before]
        found = found[-parameters.limit(call.params) :]
        rows = [
            unified_formats.fill(each, self._engine.symbol(each.symbol), self._order(call.account, each))
            for each in reversed(found)
        ]
        return {"list": rows, "cursor": str(self._number(found[0])) if rows else ""}

    def _number(self, fill: SimFill) -> int:
        """Return the place of a trade among those of its account; trade ids rise within a symbol only."""
        return self._engine.fills(fill.account).index(fill)

    def _order(self, account: str, fill: SimFill) -> SimOrder:
        return self._engine.find(account, fill.symbol, order_id=fill.order_id)

    def _write(self, order: SimOrder) -> dict[str, Any]:
        fills = self._engine.fills(order.account, order.symbol, order_id=order.order_id)
        return unified_formats.order(order, self._engine.symbol(order.symbol), fills)

    # The account

    def _assets(self, call: Call) -> Any:
        wanted = set(filter(None, call.params.get("coin", "").upper().split(",")))
        row = unified_formats.assets(self._engine.balance(call.account))
        row["assets"] = [asset for asset in row["assets"] if not wanted or asset["coin"] in wanted]
        return row

    def _positions(self, call: Call) -> Any:
        symbol = self._symbol_or_all(call.params)
        side = parameters.choice(call.params, "posSide", {"long": 1, "short": -1}, 0)
        held = [view for view in self._engine.positions(call.account, symbol) if view.quantity]
        held = [view for view in held if not side or (view.quantity > 0) is (side > 0)]
        return {"list": [unified_formats.position(view, self._engine.symbol(view.symbol)) for view in held] or None}

    def _settings(self, call: Call) -> Any:
        return {
            "uid": "1",
            "accountMode": "unified",
            "assetMode": "multi_assets",
            "accountLevel": "isolated" if self._engine.account_mode(call.account) == "unified_isolated" else "advanced",
            "holdMode": formats.POSITION_MODE[self._engine.position_mode(call.account)],
            # The documents' sample has a few of hundreds of symbols.
            "symbolConfigList": [
                {
                    "category": PRODUCT_TYPE,
                    "symbol": rules.symbol,
                    "marginMode": "crossed",
                    "leverage": str(self._engine.leverage(call.account, rules.symbol)),
                }
                for rules in self._engine.symbols()
                if self._engine.has_own_leverage(call.account, rules.symbol)
            ],
            "coinConfigList": [],
        }

    def _set_leverage(self, call: Call) -> Any:
        """Set the leverage under cross margin, the default: https://www.bitget.com/api-doc/uta/account/Change-Leverage.

        Nothing that is open is in its way, unless the margin would not do.
        """
        rules = self._rules(call.params)
        if call.params.get("marginMode", "crossed") != "crossed":
            raise errors.of_reason(RefusalReason.UNSUPPORTED)
        leverage = parameters.integer(call.params, "leverage")
        if leverage is None:
            raise errors.missing("leverage")
        if not call.ignored:
            with _settings():
                self._engine.set_leverage(call.account, rules.symbol, leverage)
        return "success"

    def _set_hold_mode(self, call: Call) -> Any:
        """Set the position mode with nothing open: https://www.bitget.com/api-doc/uta/account/Change-Position-Mode."""
        mode: PositionMode = parameters.choice(call.params, "holdMode", _POSITION_MODES)
        if not call.ignored and mode is not self._engine.position_mode(call.account):
            with _settings():
                self._engine.set_position_mode(call.account, mode)
        return "success"

    def _records(self, call: Call) -> Any:
        """List the records of fills and of funding: https://www.bitget.com/api-doc/uta/account/Get-Financial-Records."""
        parameters.category(call.params)
        wanted = call.params.get("type", "")
        if wanted and wanted not in unified_formats.RECORD_TYPES:
            raise ErrorReply(400, "40034", f"Parameter {wanted} does not exist")
        start, end = _window(call.params)
        before, coin = parameters.integer(call.params, "cursor"), call.params.get("coin", "")
        rows = [
            unified_formats.fill_record(fill, number) for number, fill in enumerate(self._engine.fills(call.account))
        ]
        rows += [unified_formats.funding_record(paid) for paid in self._engine.funding_payments(call.account)]
        found = [
            row
            for row in sorted(rows, key=lambda row: int(row["id"]), reverse=True)
            if (before is None or int(row["id"]) < before)
            and (start is None or int(row["ts"]) >= start)
            and (end is None or int(row["ts"]) <= end)
            and wanted in ("", row["type"])
            and coin in ("", row["coin"])
        ][: parameters.limit(call.params)]
        return {"list": found, "cursor": found[-1]["id"] if found else ""}

    def _symbol_or_all(self, params: Params) -> str | None:
        parameters.category(params)
        return self._rules(params).symbol if params.get("symbol") else None

    def _rules(self, params: Params) -> SymbolSettings:
        parameters.category(params)
        symbol = parameters.text(params, "symbol")
        try:
            return self._engine.symbol(symbol.upper())
        except Refused:
            raise errors.unknown_symbol(symbol) from None


def _as_wanted(order: SimOrder) -> NewOrder:
    return NewOrder(symbol=order.symbol, side=order.side, quantity=order.quantity, order_type=order.order_type)


def _window(params: Params) -> tuple[int | None, int | None]:
    start, end = (parameters.integer(params, name) for name in ("startTime", "endTime"))
    if start is not None and end is not None and not 0 <= end - start <= _MONTH_MS:
        raise ErrorReply(400, "40705", "The start and end time cannot exceed 30 days")
    return start, end


@contextmanager
def _settings() -> Iterator[None]:
    """Give a refused setting the code that it has in this API."""
    try:
        yield
    except Refused as refused:
        raise errors.of_unified_setting(refused.reason) from refused
