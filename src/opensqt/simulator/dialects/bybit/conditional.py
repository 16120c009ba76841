"""Bybit's conditional orders, and the take-profit, stop-loss and trailing stop of a position.

A conditional order is an order with a trigger price; it keeps its id when it triggers. Take-profit and stop-loss come
with an order or are set on a position: for all of it (Full), or for a part (Partial).
https://bybit-exchange.github.io/docs/v5/order/create-order, https://bybit-exchange.github.io/docs/v5/position/trading-stop
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from opensqt.model.order import OrderType, PositionSide, Side, TimeInForce
from opensqt.simulator.dialects.base import Call, ErrorReply, Params, Route
from opensqt.simulator.dialects.bybit import errors, formats, parameters
from opensqt.simulator.dialects.bybit.conditional_formats import SLOTS, conditional
from opensqt.simulator.engine.conditional import (
    ZERO,
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
from opensqt.simulator.engine.order import NewOrder, Refused
from opensqt.simulator.settings import SymbolSettings

_BY = {"LastPrice": TriggerBy.LAST, "MarkPrice": TriggerBy.MARK, "IndexPrice": TriggerBy.INDEX}
_DIRECTIONS = {"1": Crossing.UP, "2": Crossing.DOWN}
_MODES = {"Full": "Full", "Partial": "Partial"}
_STOPS = ("takeProfit", "stopLoss")
_SHORT = {"takeProfit": "tp", "stopLoss": "sl"}
_NONE = ("", "0")


class ConditionalTrading:
    """Conditional orders of the account that signed the call."""

    def __init__(self, engine: SimEngine) -> None:
        self._engine = engine

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        return [Route("POST", "/v5/position/trading-stop", "settings", self._trading_stop)]

    def read(self, params: Params, order: NewOrder, *, close_position: bool) -> NewConditional | None:
        """Make an order with a trigger price a conditional one; None without a trigger price."""
        if params.get("triggerPrice", "") in _NONE:
            return None
        price = parameters.decimal(params, "triggerPrice")
        by = parameters.choice(params, "triggerBy", _BY, TriggerBy.LAST)
        crossing = parameters.choice(params, "triggerDirection", _DIRECTIONS)
        trigger = Trigger(crossing=crossing, by=by, price=price, order_price=order.price)
        self.check_direction(trigger, order.symbol)
        if any(params.get(name, "") not in _NONE for name in _STOPS):
            raise ErrorReply(200, "110057", "Conditional order or limit order contains TP/SL related params")
        return NewConditional(
            symbol=order.symbol,
            side=order.side,
            position_side=order.position_side,
            triggers=(trigger,),
            quantity=order.quantity,
            close_position=close_position,
            time_in_force=order.time_in_force,
            reduce_only=order.reduce_only,
            client_id=order.client_order_id,
            kind="Stop",
            details={**order.details, "stopOrderType": "Stop", "orderType": formats.TYPE[order.order_type]},
        )

    def check_direction(self, trigger: Trigger, symbol: str) -> None:
        """Refuse a trigger that is met already."""
        now = self._engine.conditional.price(symbol, trigger.by)
        if not is_met(trigger, now):
            return
        if trigger.crossing is Crossing.UP:
            raise ErrorReply(200, "110092", f"expect Rising, but trigger_price[{trigger.price}] <= current[{now}]")
        raise ErrorReply(200, "110093", f"expect Falling, but trigger_price[{trigger.price}] >= current[{now}]")

    def children(self, params: Params, order: NewOrder) -> tuple[NewConditional, ...]:
        """Read the take-profit and stop-loss that an order carries; they begin with its first fill."""
        if all(params.get(name, "") in _NONE for name in _STOPS):
            return ()
        opens_long = order.position_side is PositionSide.LONG or (
            order.position_side is PositionSide.BOTH and order.side is Side.BUY
        )
        partial = parameters.choice(params, "tpslMode", _MODES, "Full") == "Partial"
        made = []
        for name in _STOPS:
            if params.get(name, "") not in _NONE:
                stop = self._stop(params, name, order.symbol, order.position_side, opens_long, partial=partial)
                self._check_side(stop, name, opens_long, order.price)
                made.append(replace(stop, on_fill=not partial, group=f"of {order.client_order_id}" if partial else ""))
        return tuple(made)

    def amended(self, params: Params, found: SimConditional, rules: SymbolSettings) -> NewConditional:
        """Return what a conditional order is for after an amendment; what is not sent stays."""
        old = found.wanted
        trigger = old.triggers[0]
        if params.get("triggerPrice"):
            by = parameters.choice(params, "triggerBy", _BY, trigger.by)
            trigger = replace(trigger, price=parameters.decimal(params, "triggerPrice"), by=by)
            self.check_direction(trigger, old.symbol)
        if params.get("price") and trigger.order_price is not None:
            trigger = replace(trigger, order_price=parameters.decimal(params, "price"))
        quantity = parameters.decimal(params, "qty") if params.get("qty") else old.quantity
        return replace(old, triggers=(trigger,), quantity=quantity)

    def write(self, found: SimConditional) -> dict[str, Any]:
        """Write a conditional order in the format of orders."""
        return conditional(found, self._engine.symbol(found.symbol))

    def _trading_stop(self, call: Call) -> Any:
        params = call.params
        parameters.need_linear(params)
        rules = self._engine.symbol(parameters.text(params, "symbol"))
        parameters.text(params, "positionIdx")
        side = parameters.choice(params, "positionIdx", formats.POSITION_SIDES)
        held = next(
            (one for one in self._engine.positions(call.account, rules.symbol) if one.position_side is side), None
        )
        if held is None or not held.quantity:
            raise errors.parameter("can not set tp/sl/ts for zero position")
        partial = parameters.choice(params, "tpslMode", _MODES, "Full") == "Partial"
        given = [name for name in SLOTS if name in params and params[name] != ""]
        if not given:
            raise errors.parameter("params error: takeProfit, stopLoss or trailingStop is required")
        wanted = [self._of_position(params, name, held, partial=partial) for name in given]
        for one in wanted:
            if isinstance(one, NewConditional):
                self._engine.conditional.check(call.account, one)
        waiting = self._engine.conditional.waiting(call.account, rules.symbol)
        if not any(isinstance(one, NewConditional) for one in wanted) and not any(
            other.wanted.slot in wanted and other.wanted.position_side is side for other in waiting
        ):
            raise ErrorReply(200, "34040", "not modified")
        if call.ignored:
            return {}
        pair = f"pair {self._engine.now_ms()} {len(self._engine.conditional.listed(call.account))}"
        for one in wanted:
            if isinstance(one, NewConditional):
                self._engine.conditional.place(call.account, replace(one, group=pair if partial else ""))
                continue
            for other in waiting:
                if other.wanted.slot == one and other.wanted.position_side is side and other.status.is_open:
                    self._engine.conditional.cancel(call.account, conditional_id=other.conditional_id)
        return {}

    def _of_position(self, params: Params, name: str, held: PositionView, *, partial: bool) -> NewConditional | str:
        """Read one stop of a position; a zero is the name of the slot that it empties."""
        if params[name] in _NONE:
            return name
        long = held.quantity > 0
        if name == "trailingStop":
            return self._trailing(params, held)
        stop = self._stop(params, name, held.symbol, held.position_side, long, partial=partial)
        self._check_side(stop, name, long, None)
        size = params.get(f"{_SHORT[name]}Size", "")
        if not partial:
            return stop
        quantity = parameters.decimal(params, f"{_SHORT[name]}Size") if size else abs(held.quantity)
        if quantity > abs(held.quantity):
            message = "Insufficient number of remaining position size to set take profit and stop loss"
            raise ErrorReply(200, "110058", message)
        return replace(stop, quantity=quantity)

    def _trailing(self, params: Params, held: PositionView) -> NewConditional:
        long = held.quantity > 0
        start = params.get("activePrice", "")
        trail = Trail(
            distance=parameters.decimal(params, "trailingStop"),
            activation_price=None if start in _NONE else parameters.decimal(params, "activePrice"),
        )
        now = self._engine.last_price(held.symbol)
        if trail.activation_price is not None and (
            trail.activation_price <= now if long else trail.activation_price >= now
        ):
            raise errors.parameter(f"TrailingProfit:{start} set for position should be on the profit side of {now}")
        return NewConditional(
            symbol=held.symbol,
            side=Side.SELL if long else Side.BUY,
            position_side=held.position_side,
            triggers=(Trigger(crossing=Crossing.DOWN if long else Crossing.UP, trail=trail),),
            close_position=True,
            reduce_only=True,
            bound=True,
            slot="trailingStop",
            kind="TrailingStop",
            details={"stopOrderType": "TrailingStop", "createType": "CreateByTrailingStop", "orderType": "Market"},
        )

    def _stop(
        self, params: Params, name: str, symbol: str, position_side: PositionSide, long: bool, *, partial: bool
    ) -> NewConditional:
        """Read a take-profit or a stop-loss of a long or short position."""
        short, title = _SHORT[name], name[0].upper() + name[1:]
        kind = parameters.choice(params, f"{short}OrderType", formats.TYPES, OrderType.MARKET)
        limit = kind is OrderType.LIMIT
        if limit and not partial:
            raise errors.parameter(f"params error: {short}OrderType must be Market in Full mode")
        rises = long is (name == "takeProfit")
        trigger = Trigger(
            crossing=Crossing.UP if rises else Crossing.DOWN,
            by=parameters.choice(params, f"{short}TriggerBy", _BY, TriggerBy.LAST),
            price=parameters.decimal(params, name),
            order_price=parameters.decimal(params, f"{short}LimitPrice") if limit else None,
            name=short,
        )
        title = f"Partial{title}" if partial else title
        return NewConditional(
            symbol=symbol,
            side=Side.SELL if long else Side.BUY,
            position_side=position_side,
            triggers=(trigger,),
            quantity=ZERO,
            close_position=not partial,
            time_in_force=TimeInForce.GTC,
            reduce_only=True,
            bound=True,
            slot="" if partial else name,
            kind=title,
            details={"stopOrderType": title, "createType": f"CreateBy{title}", "orderType": formats.TYPE[kind]},
        )

    def _check_side(self, stop: NewConditional, name: str, long: bool, order_price: Decimal | None) -> None:
        """Refuse a stop on the wrong side of the order's price, or of the price that it watches."""
        trigger = stop.triggers[0]
        base = order_price if order_price is not None else self._engine.conditional.price(stop.symbol, trigger.by)
        if is_met(trigger, base):
            title, side = name[0].upper() + name[1:], "Buy" if long else "Sell"
            relation = "higher" if trigger.crossing is Crossing.UP else "lower"
            source = "LastPrice" if order_price is None else "OrderPrice"
            message = (
                f"{title}:{trigger.price} set for {side} position should be {relation} than base_price:{base}??{source}"
            )
            raise errors.parameter(message)

    def find(self, account: str, named: dict[str, str]) -> SimConditional | None:
        """Return a conditional order by the names of orders, waiting or not, None if there is none."""
        try:
            return self._engine.conditional.find(
                account, conditional_id=named["order_id"], client_id=named["client_order_id"]
            )
        except Refused:
            return None
