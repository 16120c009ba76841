"""OKX's order endpoints: place, cancel, query, singly and in batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from opensqt.model.account import PositionMode
from opensqt.model.order import OrderType, PositionSide, Side, TimeInForce
from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply, Route
from opensqt.simulator.dialects.okx import errors, formats, order_fields, parameters, replies
from opensqt.simulator.dialects.okx.conditional import ConditionalTrading
from opensqt.simulator.dialects.okx.instruments import Instruments, OkxInstrument
from opensqt.simulator.dialects.okx.parameters import Row
from opensqt.simulator.dialects.okx.records import Records
from opensqt.simulator.dialects.okx.replies import OkxReply
from opensqt.simulator.engine.countdowns import CountdownScope
from opensqt.simulator.engine.order import NewOrder, RefusalReason, Refused, SimFill, SimOrder

_COUNTDOWN_S = range(10, 121)
_FAILS_LATER = (RefusalReason.POST_ONLY_WOULD_CROSS, RefusalReason.INSUFFICIENT_MARGIN, RefusalReason.REDUCE_ONLY)
"""What the matching engine finds out, after an amendment was acknowledged."""
_HISTORY_MS = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class _Kind:
    order_type: OrderType
    time_in_force: TimeInForce = TimeInForce.GTC


_KINDS = {
    "market": _Kind(OrderType.MARKET),
    "optimal_limit_ioc": _Kind(OrderType.MARKET),
    "limit": _Kind(OrderType.LIMIT),
    "post_only": _Kind(OrderType.LIMIT, TimeInForce.POST_ONLY),
    "ioc": _Kind(OrderType.LIMIT, TimeInForce.IOC),
    "fok": _Kind(OrderType.LIMIT, TimeInForce.FOK),
}


class Trading:
    """Orders of the account that signed the call. Limits are calls in two seconds."""

    def __init__(
        self,
        dialect: Dialect,
        instruments: Instruments,
        records: Records,
        algo: ConditionalTrading,
        on_amend_failed: Callable[[SimOrder, str, ErrorReply], None],
    ) -> None:
        self._on_amend_failed = on_amend_failed
        self._dialect = dialect
        self._engine = dialect.engine
        self._instruments = instruments
        self._records = records
        self._algo = algo

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        trade = "/api/v5/trade"
        return [
            Route("POST", f"{trade}/order", "place_order", self._place, 60),
            Route("POST", f"{trade}/batch-orders", "batch_place", self._place_batch, 300),
            Route("POST", f"{trade}/amend-order", "amend_order", self._amend, 60),
            Route("POST", f"{trade}/amend-batch-orders", "amend_order", self._amend_batch, 300),
            Route("POST", f"{trade}/cancel-order", "cancel_order", self._cancel, 60),
            Route("POST", f"{trade}/cancel-batch-orders", "batch_cancel", self._cancel_batch, 300),
            Route("POST", f"{trade}/close-position", "place_order", self._close_position, 20),
            Route("POST", f"{trade}/cancel-all-after", "countdown", self._cancel_all_after, 2),
            Route("GET", f"{trade}/order", "get_order", self._query, 60),
            Route("GET", f"{trade}/orders-pending", "open_orders", self._open_orders, 60),
            Route("GET", f"{trade}/orders-history", "open_orders", self._history, 40),
            Route("GET", f"{trade}/orders-history-archive", "open_orders", self._history, 20),
            Route("GET", f"{trade}/fills", "fills", self._fills, 60),
            Route("GET", f"{trade}/fills-history", "fills", self._fills, 10),
        ]

    def write(self, order: SimOrder) -> dict[str, Any]:
        """Write an order as the endpoints and the orders channel do."""
        swap = self._instruments.by_symbol[order.symbol]
        leverage = self._engine.leverage(order.account, order.symbol)
        return formats.order(order, swap, leverage, self._records.last_fill(order), self._records.fees(order))

    def _place(self, call: Call) -> Any:
        return [self._place_one(call, parameters.body(call))]

    def _place_batch(self, call: Call) -> Any:
        def place(row: Row) -> dict[str, Any]:
            self._check_item(call, row, ordId="", clOrdId=parameters.text(row, "clOrdId"), tag="")
            return self._place_one(call, row)

        return _each(parameters.rows(call), place)

    def _check_item(self, call: Call, row: Row, **named: str) -> None:
        """Check the fields of an item of a batch; what is refused is its row."""
        try:
            self._dialect.check_item(call, row)
        except ErrorReply as error:
            raise errors.RowRefused(error.code, error.message, named) from error

    def _place_one(self, call: Call, row: Row) -> dict[str, Any]:
        named = {"ordId": "", "clOrdId": parameters.text(row, "clOrdId"), "tag": parameters.text(row, "tag")}
        try:
            wanted = self._read(call, row)
            order_id = "0" if call.ignored else self._engine.place(call.account, wanted).order_id
        except (ErrorReply, Refused) as problem:
            error = problem if isinstance(problem, ErrorReply) else errors.of_reason(problem.reason)
            raise errors.RowRefused(error.code, error.message, named) from problem
        now = self._engine.now_ms()
        return replies.acknowledged(order_id, named["clOrdId"], now, tag=named["tag"])

    def _amend(self, call: Call) -> Any:
        """Acknowledge an amendment: what the matching engine makes of it is reported by the orders channel.

        https://www.okx.com/docs-v5/en/#order-book-trading-trade-post-amend-order
        """
        return [self._amended(call, parameters.body(call))]

    def _amend_batch(self, call: Call) -> Any:
        def amend(row: Row) -> dict[str, Any]:
            names = {name: parameters.text(row, name) for name in ("ordId", "clOrdId", "reqId")}
            self._check_item(call, row, **names)
            return self._amended(call, row)

        return _each(parameters.rows(call), amend)

    def _amended(self, call: Call, row: Row) -> dict[str, Any]:
        named = {name: parameters.text(row, name) for name in ("ordId", "clOrdId", "reqId")}
        try:
            found = self._amend_one(call, row, named["reqId"])
        except (ErrorReply, Refused) as problem:
            error = problem if isinstance(problem, ErrorReply) else errors.of_reason(problem.reason)
            raise errors.RowRefused(error.code, error.message, named) from problem
        return replies.acknowledged(found.order_id, named["clOrdId"], self._engine.now_ms(), reqId=named["reqId"])

    def _amend_one(self, call: Call, row: Row, request_id: str) -> SimOrder:
        swap = self._instruments.get(parameters.text(row, "instId"))
        order_fields.check_client_id("reqId", request_id)
        if parameters.boolean(row, "cxlOnFail"):
            raise errors.not_simulated("cxlOnFail")
        size, price = (parameters.decimal(row, name) if row.get(name) else None for name in ("newSz", "newPx"))
        if size is None and price is None:
            raise ErrorReply(200, "51500", "You must enter a price, quantity, or TP/SL.")
        order_id, client_order_id = _ids(row)
        try:
            found = self._engine.find(call.account, swap.symbol, order_id=order_id, client_order_id=client_order_id)
        except Refused as refused:
            raise errors.cannot_amend(None) from refused
        if not found.status.is_open:
            raise errors.cannot_amend(found)
        if call.ignored:
            return found
        try:
            return self._engine.amend(
                call.account,
                swap.symbol,
                order_id=found.order_id,
                price=price,
                quantity=None if size is None else swap.coins(size),
                text=request_id,
            )
        except Refused as refused:
            if refused.reason not in _FAILS_LATER:
                raise
            self._on_amend_failed(found, request_id, errors.of_reason(refused.reason))
            return found

    def _cancel(self, call: Call) -> Any:
        return [self._cancel_one(call, parameters.body(call))]

    def _cancel_batch(self, call: Call) -> Any:
        return _each(parameters.rows(call), lambda row: self._cancel_one(call, row))

    def _cancel_one(self, call: Call, row: Row) -> dict[str, Any]:
        named = {name: parameters.text(row, name) for name in ("ordId", "clOrdId")}
        try:
            swap = self._instruments.get(parameters.text(row, "instId"))
            order_id, client_order_id = _ids(row)
            found = self._engine.find(call.account, swap.symbol, order_id=order_id, client_order_id=client_order_id)
            if not call.ignored:
                self._engine.cancel(call.account, swap.symbol, order_id=found.order_id)
        except ErrorReply as error:
            raise errors.RowRefused(error.code, error.message, named) from error
        except Refused as refused:
            gone = errors.cannot_cancel()
            raise errors.RowRefused(gone.code, gone.message, named) from refused
        return replies.acknowledged(found.order_id, named["clOrdId"], self._engine.now_ms())

    def _close_position(self, call: Call) -> Any:
        """Close a position at the market.

        https://www.okx.com/docs-v5/en/#order-book-trading-trade-post-close-positions
        """
        row = parameters.body(call)
        swap, position_side = self._instruments.get(parameters.text(row, "instId")), order_fields.position_side(row)
        mode, client_order_id = parameters.required(row, "mgnMode"), parameters.text(row, "clOrdId")
        if mode not in ("cross", "isolated"):
            raise errors.bad("mgnMode")
        order_fields.check_client_id("clOrdId", client_order_id)
        held = next(
            (
                each
                for each in self._engine.positions(call.account, swap.symbol)
                if each.position_side is position_side and each.quantity and mode == "cross"
            ),
            None,
        )
        if held is None:
            raise ErrorReply(200, "51023", "Position does not exist.")
        if not call.ignored:
            side = Side.SELL if held.quantity > 0 else Side.BUY
            if parameters.boolean(row, "autoCxl"):
                for order in self._engine.open_orders(call.account, swap.symbol):
                    if order.side is side and order.position_side is position_side:
                        self._engine.cancel(call.account, swap.symbol, order_id=order.order_id)
            closing = NewOrder(
                symbol=swap.symbol,
                side=side,
                quantity=abs(held.quantity),
                order_type=OrderType.MARKET,
                reduce_only=position_side is PositionSide.BOTH,
                position_side=position_side,
                client_order_id=client_order_id,
                tag=order_fields.tag(row),
            )
            self._engine.place(call.account, closing)
        names = {"clOrdId": client_order_id, "tag": order_fields.tag(row)}
        return [{"instId": swap.inst_id, "posSide": formats.SIDES[position_side], **names}]

    def _cancel_all_after(self, call: Call) -> Any:
        row = parameters.body(call)
        parameters.required(row, "timeOut")
        timeout_s = parameters.integer(row, "timeOut") or 0
        if timeout_s and timeout_s not in _COUNTDOWN_S:
            raise errors.bad("timeOut")
        scope, due_ms = CountdownScope(account=call.account, tag=order_fields.tag(row)), 0
        if not call.ignored and timeout_s:
            due_ms = self._engine.start_countdown(scope, timeout_s * 1000)
        elif not call.ignored:
            self._engine.stop_countdown(scope)
        return [{"triggerTime": str(due_ms), "tag": scope.tag, "ts": str(self._engine.now_ms())}]

    def _query(self, call: Call) -> Any:
        swap = self._instruments.get(call.params.get("instId", ""))
        order_id, client_order_id = _ids(call.params)
        found = self._engine.find(call.account, swap.symbol, order_id=order_id, client_order_id=client_order_id)
        if self._dialect.is_hidden(found.order_id):
            raise errors.of_reason(RefusalReason.UNKNOWN_ORDER)
        return [self.write(found)]

    def _open_orders(self, call: Call) -> Any:
        if not self._instruments.check_type(call.params.get("instType", "")):
            return []
        symbols = self._symbols(call.params)
        found = [order for order in self._engine.open_orders(call.account) if order.symbol in symbols]
        return self._page(found, call.params)

    def _history(self, call: Call) -> Any:
        if not self._instruments.check_type(parameters.required(call.params, "instType")):
            return []
        symbols = self._symbols(call.params)
        since = parameters.integer(call.params, "begin")
        oldest = self._engine.now_ms() - _HISTORY_MS
        found = self._engine.orders(
            call.account,
            since_ms=oldest if since is None else max(since, oldest),
            until_ms=parameters.integer(call.params, "end"),
        )
        return self._page([order for order in found if order.symbol in symbols and order.status.is_closed], call.params)

    def _page(self, oldest_first: list[SimOrder], params: Row) -> list[dict[str, Any]]:
        wanted = {name: parameters.text(params, name) for name in ("ordType", "state", "category")}
        found = [order for order in reversed(oldest_first) if not self._dialect.is_hidden(order.order_id)]
        if any(wanted.values()):
            written = [(order, self.write(order)) for order in found]
            found = [order for order, row in written if all(g in ("", row[name]) for name, g in wanted.items())]
        page = parameters.page(found, [int(order.order_id) for order in found], params)
        return [self.write(order) for order in page]

    def _fills(self, call: Call) -> Any:
        if not self._instruments.check_type(call.params.get("instType", "")):
            return []
        symbols, order_id = self._symbols(call.params), call.params.get("ordId", "")
        kind = call.params.get("subType", "")
        begin, end = parameters.integer(call.params, "begin"), parameters.integer(call.params, "end")
        found = [
            (bill.bill_id, bill.cause)
            for bill in self._records.bills(call.account)
            if isinstance(bill.cause, SimFill)
            and bill.cause.symbol in symbols
            and order_id in ("", bill.cause.order_id)
            and kind in ("", formats.sub_type(bill.cause))
            and (begin is None or bill.cause.time_ms >= begin)
            and (end is None or bill.cause.time_ms <= end)
        ]
        page = parameters.page(found, [bill_id for bill_id, _ in found], call.params)
        return [formats.fill(each, self._instruments.by_symbol[each.symbol], bill_id) for bill_id, each in page]

    def _symbols(self, params: Row) -> set[str]:
        if inst_id := parameters.text(params, "instId"):
            return {self._instruments.get(inst_id).symbol}
        family = parameters.text(params, "instFamily") or parameters.text(params, "uly")
        return {swap.symbol for swap in self._instruments.family(family)}

    def _read(self, call: Call, row: Row) -> NewOrder:
        """Read an order, with the checks that OKX makes before its engine."""
        swap = self._instruments.get(parameters.text(row, "instId"))
        order_fields.check_mode(row)
        kind = parameters.choice(row, "ordType", _KINDS)
        client_order_id = parameters.text(row, "clOrdId")
        order_fields.check_client_id("clOrdId", client_order_id)
        hedge = self._engine.position_mode(call.account) is PositionMode.HEDGE
        side, position_side = parameters.choice(row, "side", order_fields.SIDES), order_fields.position_side(row)
        price = parameters.decimal(row, "px") if kind.order_type is OrderType.LIMIT else None
        attached = self._algo.attached(row)
        return NewOrder(
            symbol=swap.symbol,
            side=side,
            quantity=_size(row, swap),
            order_type=kind.order_type,
            price=price,
            time_in_force=kind.time_in_force,
            # In long/short mode the flag is ignored: the position side decides whether it closes.
            reduce_only=parameters.boolean(row, "reduceOnly") and not hedge,
            position_side=position_side,
            client_order_id=client_order_id,
            tag=order_fields.tag(row),
            attached=self._algo.children(attached, swap, side, position_side, price),
            details={"attachAlgoOrds": orjson.dumps(attached).decode()} if attached else {},
        )


def _each(rows: list[Row], act: Callable[[Row], dict[str, Any]]) -> OkxReply:
    """Return the result of each item of a batch, or its error."""
    done = []
    for row in rows:
        try:
            done.append(act(row))
        except errors.RowRefused as error:
            done.append(replies.refused(error))
    return replies.of_batch(done)


def _size(row: Row, swap: OkxInstrument) -> Decimal:
    return swap.coins(parameters.decimal(row, "sz"))


def _ids(row: Row) -> tuple[str, str]:
    order_id, client_order_id = parameters.text(row, "ordId"), parameters.text(row, "clOrdId")
    if not order_id and not client_order_id:
        raise errors.either("ordId", "clOrdId")
    return order_id, client_order_id
