"""Bitget's plan orders: trigger and trailing orders, and the take-profit and stop-loss of a position or an order.

https://www.bitget.com/api-doc/contract/plan/Place-Plan-Order, https://www.bitget.com/api-doc/contract/plan/Place-Tpsl-Order
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from opensqt.model.account import PositionMode
from opensqt.model.order import OrderType, PositionSide, Side
from opensqt.simulator.dialects.base import Call, ErrorReply, Params, Route
from opensqt.simulator.dialects.bitget import conditional_formats, errors, parameters
from opensqt.simulator.dialects.bitget.conditional_formats import OF_POSITION, PLANS, PROFIT_LOSS
from opensqt.simulator.dialects.bitget.trading import CLIENT_ID, TYPES, Trading
from opensqt.simulator.engine.conditional import (
    ConditionalStatus,
    Crossing,
    NewConditional,
    SimConditional,
    Trail,
    Trigger,
    TriggerBy,
    is_met,
)
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.engine.events import PositionView
from opensqt.simulator.engine.order import NewOrder, RefusalReason, Refused
from opensqt.simulator.engine.triggers import crossing_to

_BY = {"fill_price": TriggerBy.LAST, "mark_price": TriggerBy.MARK}
_MOST = 50
_RATES = (Decimal("0.1"), Decimal(10))
"""Percent."""
_NONE = ("", "0")
_WRONG_SIDE = {
    ("profit", True): ("40915", "Long position take profit price please > mark price {0}"),
    ("profit", False): ("40916", "Short position take profit price please < mark price {0}"),
    ("loss", True): ("40917", "Stop price for long positions please < mark price {0}"),
    ("loss", False): ("45122", "Short position stop loss price please > mark price {0}"),
}
_SOURCES = {"normal_plan": "plan", "track_plan": "track", "profit_plan": "profit", "loss_plan": "loss"}
_PLANS_OF_ORDERS = {"normal_plan": "normal_plan", "track_plan": "track_plan"}
_PLANS_OF_POSITIONS = {plan: plan for plan in PROFIT_LOSS}


class ConditionalTrading:
    """Plan orders of the account that signed the call."""

    def __init__(self, engine: SimEngine, trading: Trading) -> None:
        self._engine = engine
        self._trading = trading

    def routes(self) -> list[Route]:
        """Return the endpoints; the weight is the number of calls that one account may make in a second."""
        order = "/api/v2/mix/order"
        return [
            Route("POST", f"{order}/place-plan-order", "place_order", self._place_plan, 10),
            Route("POST", f"{order}/place-tpsl-order", "place_order", self._place_tpsl, 10),
            Route("POST", f"{order}/place-pos-tpsl", "place_order", self._place_pos_tpsl, 10),
            Route("POST", f"{order}/modify-plan-order", "amend_order", self._modify_plan, 10),
            Route("POST", f"{order}/modify-tpsl-order", "amend_order", self._modify_tpsl, 10),
            Route("POST", f"{order}/cancel-plan-order", "batch_cancel", self._cancel, 10),
            Route("GET", f"{order}/orders-plan-pending", "open_orders", self._pending, 10),
            Route("GET", f"{order}/orders-plan-history", "open_orders", self._history, 10),
            Route("POST", f"{order}/close-positions", "place_order", self._close_positions, 1),
        ]

    # Placing

    def _place_plan(self, call: Call) -> Any:
        params = call.params
        rules = self._trading.rules(params)
        parameters.text(params, "marginCoin")
        self._trading.check_margin_mode(call, params, rules)
        plan = parameters.choice(params, "planType", _PLANS_OF_ORDERS)
        for name in conditional_formats.ATTACHED:
            if params.get(name, "") not in _NONE:
                raise errors.not_simulated(f"{name} of a plan order")
        side, position_side = self._trading.sides(call, params)
        kind = parameters.choice(params, "orderType", TYPES)
        trigger = self._trailing(params, side) if plan == "track_plan" else self._plain(params, rules.symbol, kind)
        wanted = NewConditional(
            symbol=rules.symbol,
            side=side,
            position_side=position_side,
            triggers=(trigger,),
            quantity=parameters.decimal(params, "size"),
            reduce_only=position_side is PositionSide.BOTH and params.get("reduceOnly", "").lower() in ("yes", "true"),
            client_id=_client_id(params, "clientOid"),
            order_client_id="",
            kind=plan,
            details=_details(plan, trigger),
        )
        return self._place(call, wanted)

    def _place_tpsl(self, call: Call) -> Any:
        params = call.params
        held = self._held(call, params)
        plan = parameters.choice(params, "planType", _PLANS_OF_POSITIONS)
        if plan == "moving_plan":
            trigger = self._moving(params, held)
        else:
            side = "profit" if "profit" in plan else "loss"
            trigger = self._stop(params, held, side, "triggerPrice", "executePrice", "triggerType")
        wanted = _of_position(held, plan, trigger, None if plan in OF_POSITION else parameters.decimal(params, "size"))
        return self._place(call, replace(wanted, client_id=_client_id(params, "clientOid")))

    def _place_pos_tpsl(self, call: Call) -> Any:
        params = call.params
        held = self._held(call, params)
        wanted = []
        for side, name in (("profit", "stopSurplus"), ("loss", "stopLoss")):
            if params.get(f"{name}TriggerPrice", "") in _NONE:
                continue
            named = (f"{name}TriggerPrice", f"{name}ExecutePrice", f"{name}TriggerType")
            trigger = self._stop(params, held, side, *named)
            one = _of_position(held, f"pos_{side}", trigger, None)
            wanted.append(replace(one, client_id=_client_id(params, f"{name}ClientOid")))
        if not wanted:
            raise errors.missing("stopSurplusTriggerPrice")
        for one in wanted:
            self._engine.conditional.check(call.account, one)
        return [self._place(call, one) for one in wanted]

    def _place(self, call: Call, wanted: NewConditional) -> dict[str, str]:
        if call.ignored:
            return {"orderId": "0", "clientOid": wanted.client_id}
        return names_of(self._engine.conditional.place(call.account, wanted))

    def attached(self, params: Params, order: NewOrder) -> tuple[NewConditional, ...]:
        """Read the preset take-profit and stop-loss of an order; they begin when the order is filled."""
        opens_long = order.position_side is PositionSide.LONG or (
            order.position_side is PositionSide.BOTH and order.side is Side.BUY
        )
        made = []
        for side, name in (("profit", "presetStopSurplus"), ("loss", "presetStopLoss")):
            if params.get(f"{name}Price", "") in _NONE:
                continue
            named = (f"{name}Price", f"{name}ExecutePrice", f"{name}Type")
            position = _Direction(order.symbol, order.position_side, opens_long)
            trigger = self._trigger(params, position, side, *named)
            now = order.price or self._engine.conditional.price(order.symbol, trigger.by)
            check_side(trigger, side, opens_long, now)
            one = _closing(position, f"{side}_plan", trigger)
            made.append(replace(one, group=f"preset {order.client_order_id} {self._engine.now_ms()}", bound=True))
        return tuple(made)

    def _plain(self, params: Params, symbol: str, kind: OrderType) -> Trigger:
        by, price = parameters.choice(params, "triggerType", _BY), parameters.decimal(params, "triggerPrice")
        name = "price" if params.get("price", "") not in _NONE else "executePrice"
        order_price = parameters.decimal(params, name) if kind is OrderType.LIMIT else None
        now = self._engine.conditional.price(symbol, by)
        return Trigger(crossing=crossing_to(price, now), by=by, price=price, order_price=order_price)

    def _trailing(self, params: Params, side: Side) -> Trigger:
        start = parameters.decimal(params, "triggerPrice")
        trail = Trail(rate=_rate(params, "callbackRatio"), activation_price=start)
        by = parameters.choice(params, "triggerType", _BY, TriggerBy.LAST)
        return Trigger(crossing=Crossing.DOWN if side is Side.SELL else Crossing.UP, by=by, trail=trail)

    def _moving(self, params: Params, held: _Direction) -> Trigger:
        trail = Trail(rate=_rate(params, "rangeRate"), activation_price=parameters.decimal(params, "triggerPrice"))
        by = parameters.choice(params, "triggerType", _BY, TriggerBy.LAST)
        return Trigger(crossing=Crossing.DOWN if held.long else Crossing.UP, by=by, trail=trail)

    def _stop(self, params: Params, held: _Direction, side: str, price: str, execute: str, by: str) -> Trigger:
        trigger = self._trigger(params, held, side, price, execute, by)
        check_side(trigger, side, held.long, self._engine.conditional.price(held.symbol, trigger.by))
        return trigger

    def _trigger(self, params: Params, held: _Direction, side: str, price: str, execute: str, by: str) -> Trigger:
        rises = held.long is (side == "profit")
        return Trigger(
            crossing=Crossing.UP if rises else Crossing.DOWN,
            by=parameters.choice(params, by, _BY, TriggerBy.LAST),
            price=parameters.decimal(params, price),
            order_price=None if params.get(execute, "") in _NONE else parameters.decimal(params, execute),
            name=side,
        )

    def _held(self, call: Call, params: Params) -> _Direction:
        """Find the position that a take-profit or a stop-loss is for."""
        rules = self._trading.rules(params)
        parameters.text(params, "marginCoin")
        hold_side = parameters.text(params, "holdSide").lower()
        hedge = self._engine.position_mode(call.account) is PositionMode.HEDGE
        if hold_side not in (("long", "short") if hedge else ("buy", "sell", "long", "short")):
            raise errors.bad_value("holdSide")
        long = hold_side in ("long", "buy")
        side = (PositionSide.LONG if long else PositionSide.SHORT) if hedge else PositionSide.BOTH
        for each in self._engine.positions(call.account, rules.symbol):
            if each.position_side is side and each.quantity and (each.quantity > 0) is long:
                return _Direction(rules.symbol, side, long)
        raise ErrorReply(400, "43023", "Insufficient position, can not set profit or stop loss")

    # Amending and canceling

    def _modify_plan(self, call: Call) -> Any:
        names = {"price": "newTriggerPrice", "order": "newPrice", "size": "newSize", "by": "newTriggerType"}
        return self._modify(call, names, "newCallbackRatio")

    def _modify_tpsl(self, call: Call) -> Any:
        names = {"price": "triggerPrice", "order": "executePrice", "size": "size", "by": "triggerType"}
        return self._modify(call, names, "rangeRate")

    def _modify(self, call: Call, names: Mapping[str, str], rate: str) -> Any:
        params = call.params
        self._trading.rules(params)
        for name in conditional_formats.NEW_ATTACHED:
            if params.get(name, "") not in _NONE:
                raise errors.not_simulated(f"{name} of a plan order")
        found = self._find(call, params)
        old = found.wanted
        trigger = old.triggers[0]
        given = {
            key: parameters.decimal(params, name) for key, name in names.items() if key != "by" and params.get(name)
        }
        by = parameters.choice(params, names["by"], _BY, trigger.by)
        if trigger.trail is not None:
            trail = replace(trigger.trail, activation_price=given.get("price", trigger.trail.activation_price))
            trail = replace(trail, rate=_rate(params, rate)) if params.get(rate) else trail
            trigger = replace(trigger, trail=trail, by=by)
        else:
            trigger = replace(trigger, price=given.get("price", trigger.price), by=by)
            trigger = replace(trigger, order_price=given.get("order") or trigger.order_price)
            now = self._engine.conditional.price(old.symbol, by)
            if trigger.name:
                check_side(trigger, trigger.name, old.side is Side.SELL, now)
            elif trigger.price is not None:
                trigger = replace(trigger, crossing=crossing_to(trigger.price, now))
        wanted = replace(old, triggers=(trigger,), quantity=given.get("size", old.quantity))
        if not call.ignored:
            self._engine.conditional.amend(call.account, found.conditional_id, wanted)
        return names_of(found)

    def _cancel(self, call: Call) -> Any:
        """Cancel the listed plan orders; without a list, all of a plan type, of a symbol or of all."""
        params, fields = call.params, parameters.body(call)
        parameters.futures(params)
        symbol = self._trading.rules(params).symbol if params.get("symbol") else None
        kinds = _kinds(params.get("planType", ""))
        done: list[dict[str, str]] = []
        failed: list[dict[str, str]] = []
        if not fields.get("orderIdList"):
            for found in self._engine.conditional.waiting(call.account, symbol):
                if found.wanted.kind in kinds:
                    if not call.ignored:
                        self._engine.conditional.cancel(call.account, conditional_id=found.conditional_id)
                    done.append(names_of(found))
            return {"successList": done, "failureList": failed}
        for item in parameters.listed(fields, "orderIdList", _MOST):
            try:
                found = self._find(call, item)
                if not call.ignored:
                    self._engine.conditional.cancel(call.account, conditional_id=found.conditional_id)
                done.append(names_of(found))
            except (ErrorReply, Refused) as problem:
                error = problem if isinstance(problem, ErrorReply) else errors.no_plan_order()
                names = {name: item.get(name, "") for name in ("orderId", "clientOid")}
                failed.append({**names, "errorMsg": error.message, "errorCode": error.code})
        return {"successList": done, "failureList": failed}

    # Queries

    def _pending(self, call: Call) -> Any:
        found = [one for one in self._listed(call) if one.status.is_open]
        return self._page(call, [one for one in found if self._trading.is_in_window(call.params, one.created_ms)])

    def _history(self, call: Call) -> Any:
        start, end = self._trading.window(call.params)
        status = call.params.get("planStatus", "")
        found = [
            one
            for one in self._listed(call)
            if not one.status.is_open
            and start <= one.created_ms <= end
            and status in ("", conditional_formats.STATUS[one.status])
        ]
        return self._page(call, found)

    def _listed(self, call: Call) -> list[SimConditional]:
        params = call.params
        parameters.futures(params)
        symbol = self._trading.rules(params).symbol if params.get("symbol") else None
        kinds = _kinds(parameters.text(params, "planType"))
        return [one for one in self._engine.conditional.listed(call.account, symbol) if one.wanted.kind in kinds]

    def _page(self, call: Call, found: list[SimConditional]) -> dict[str, Any]:
        params = call.params
        before, order_id = parameters.integer(params, "idLessThan"), params.get("orderId", "")
        wanted = [
            one
            for one in found
            if (before is None or int(one.conditional_id) < before)
            and order_id in ("", one.conditional_id)
            and (order_id or params.get("clientOid", "") in ("", one.client_id))
        ][-parameters.limit(params) :]
        rows = [self.write(one) for one in reversed(wanted)]
        return {"entrustedList": rows or None, "endId": rows[-1]["orderId"] if rows else None}

    def write(self, found: SimConditional) -> dict[str, Any]:
        """Write a plan order as the endpoints do."""
        return conditional_formats.plan(
            found, self._engine.symbol(found.symbol), self._engine.margin_mode(found.account, found.symbol)
        )

    def _find(self, call: Call, params: Params) -> SimConditional:
        order_id, client_id = params.get("orderId", ""), params.get("clientOid", "")
        if not order_id and not client_id:
            raise ErrorReply(400, "40402", "Either orderId or clientOid is required")
        try:
            found = self._engine.conditional.find(call.account, conditional_id=order_id, client_id=client_id)
        except Refused as refused:
            raise errors.no_plan_order() from refused
        if found.status is not ConditionalStatus.WAITING:
            raise errors.no_plan_order()
        return found

    # Positions

    def _close_positions(self, call: Call) -> Any:
        """Close positions at the market: https://www.bitget.com/api-doc/contract/trade/Flash-Close-Position."""
        params = call.params
        parameters.futures(params)
        symbol = self._trading.rules(params).symbol if params.get("symbol") else None
        hold_side = params.get("holdSide", "").lower()
        if hold_side not in ("", "long", "short"):
            raise errors.bad_value("holdSide")
        held = [
            each
            for each in self._engine.positions(call.account, symbol)
            if each.quantity and hold_side in ("", "long" if each.quantity > 0 else "short")
        ]
        if not held:
            raise errors.of_reason(RefusalReason.REDUCE_ONLY)
        placed = [] if call.ignored else [self._engine.place(call.account, flat(each)) for each in held]
        rows = [{"orderId": one.order_id, "clientOid": one.client_order_id, "symbol": one.symbol} for one in placed]
        return {"successList": rows, "failureList": []}


class _Direction:
    """The position that a conditional order closes."""

    def __init__(self, symbol: str, side: PositionSide, long: bool) -> None:
        self.symbol, self.side, self.long = symbol, side, long


def _closing(held: _Direction, plan: str, trigger: Trigger) -> NewConditional:
    return NewConditional(
        symbol=held.symbol,
        side=Side.SELL if held.long else Side.BUY,
        position_side=held.side,
        triggers=(trigger,),
        reduce_only=held.side is PositionSide.BOTH,
        order_client_id="",
        bound=True,
        kind=plan,
        details=_details(plan, trigger),
    )


def _of_position(held: _Direction, plan: str, trigger: Trigger, size: Decimal | None) -> NewConditional:
    """Make a take-profit or a stop-loss of a position: for a size, or for the whole of it, of which there is one."""
    one = _closing(held, plan, trigger)
    if size is None:
        return replace(one, close_position=True, slot=plan)
    return replace(one, quantity=size)


def _details(plan: str, trigger: Trigger) -> dict[str, str]:
    kind = "market" if trigger.order_price is None else "limit"
    source = {"normal_plan": "plan", "track_plan": "track", "profit_plan": "profit", "loss_plan": "loss"}.get(
        plan, plan
    )
    return {"orderSource": f"{source}_{kind}"}


def check_side(trigger: Trigger, side: str, long: bool, now: Decimal) -> None:
    """Check that a take-profit or a stop-loss is not met already."""
    if is_met(trigger, now):
        code, message = _WRONG_SIDE[side, long]
        raise ErrorReply(400, code, message.format(now))


def _rate(params: Params, name: str) -> Decimal:
    value = parameters.decimal(params, name)
    if not _RATES[0] <= value <= _RATES[1]:
        raise errors.bad_value(name)
    return value / 100


def _client_id(params: Params, name: str) -> str:
    given = params.get(name, "")
    if given and not CLIENT_ID.fullmatch(given):
        raise errors.bad_client_order_id()
    return given


def _kinds(plan: str) -> tuple[str, ...]:
    if plan in ("", "profit_loss"):
        return PROFIT_LOSS if plan else PLANS
    if plan not in PLANS:
        raise errors.bad_value("planType")
    return (plan,)


def names_of(found: SimConditional) -> dict[str, str]:
    """Write the two ids of a conditional order."""
    return {"orderId": found.conditional_id, "clientOid": conditional_formats.client_id(found)}


def flat(held: PositionView) -> NewOrder:
    """Return the market order that closes a position."""
    return NewOrder(
        symbol=held.symbol,
        side=Side.SELL if held.quantity > 0 else Side.BUY,
        quantity=abs(held.quantity),
        order_type=OrderType.MARKET,
        reduce_only=held.position_side is PositionSide.BOTH,
        position_side=held.position_side,
    )
