"""Strategy orders of Bitget's unified account (v3): take-profit and stop-loss of a position or an order, and triggers.

https://www.bitget.com/api-doc/uta/strategy/Place-Strategy-Order
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from opensqt.model.account import PositionMode
from opensqt.model.order import OrderType, PositionSide, Side
from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import Call, ErrorReply, Params, Route
from opensqt.simulator.dialects.bitget import errors, parameters
from opensqt.simulator.dialects.bitget.conditional import check_side, flat, names_of
from opensqt.simulator.dialects.bitget.trading import CLIENT_ID, SIDES, TYPES, names
from opensqt.simulator.engine.conditional import (
    ConditionalStatus,
    Crossing,
    NewConditional,
    SimConditional,
    Trigger,
    TriggerBy,
)
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.engine.order import NewOrder, RefusalReason, Refused
from opensqt.simulator.engine.triggers import crossing_to
from opensqt.simulator.settings import SymbolSettings

TPSL, TRIGGER = "tpsl", "trigger"
KINDS = {TPSL: TPSL, TRIGGER: TRIGGER}
_MODES = {"full": "full", "partial": "partial"}
_BY = {"market": TriggerBy.LAST, "mark": TriggerBy.MARK}
_BY_NAMES = {by: name for name, by in _BY.items()}
_POSITION_SIDES = {"long": PositionSide.LONG, "short": PositionSide.SHORT}
_YES = {"yes": True, "no": False}
_STOPS = (("tp", "takeProfit", "profit"), ("sl", "stopLoss", "loss"))
"""Prefix of the fields, name of the price, and what the trigger is called."""
_STATUS = {
    ConditionalStatus.WAITING: "pending",
    ConditionalStatus.TRIGGERED: "success",
    ConditionalStatus.REJECTED: "failed",
    ConditionalStatus.CANCELED: "cancelled",
    ConditionalStatus.EXPIRED: "cancelled",
}
_NONE = ("", "0")


class StrategyOrders:
    """Strategy orders of the account that signed the call.

    Args:
        engine: The venue.
        rules: Reads category and symbol of a request.
        window: Reads startTime and endTime.
    """

    def __init__(
        self,
        engine: SimEngine,
        rules: Callable[[Params], SymbolSettings],
        window: Callable[[Params], tuple[int | None, int | None]],
    ) -> None:
        self._engine = engine
        self._rules = rules
        self._window = window

    def routes(self) -> list[Route]:
        """Return the endpoints; the weight is the number of calls that one account may make in a second."""
        trade = "/api/v3/trade"
        return [
            Route("POST", f"{trade}/place-strategy-order", "place_order", self._place, 10),
            Route("POST", f"{trade}/modify-strategy-order", "amend_order", self._modify, 10),
            Route("POST", f"{trade}/cancel-strategy-order", "cancel_order", self._cancel, 10),
            Route("GET", f"{trade}/unfilled-strategy-orders", "open_orders", self._unfilled, 20),
            Route("GET", f"{trade}/history-strategy-orders", "open_orders", self._history, 20),
            Route("POST", f"{trade}/close-positions", "place_order", self._close_positions, 5),
        ]

    def attached(self, params: Params, order: NewOrder) -> tuple[NewConditional, ...]:
        """Read the take-profit and the stop-loss that an order carries; they begin when it is filled."""
        long = order.position_side is PositionSide.LONG or (
            order.position_side is PositionSide.BOTH and order.side is Side.BUY
        )
        found = self._stops(params, long)
        if not found:
            return ()
        for trigger in found:
            now = order.price or self._engine.conditional.price(order.symbol, trigger.by)
            check_side(trigger, trigger.name, long, now)
        return (replace(self._closing(order.symbol, order.position_side, long, found), details={"mode": "partial"}),)

    # Placing

    def _place(self, call: Call) -> Any:
        params = call.params
        rules = self._rules(params)
        given = params.get("clientOid", "")
        if given and not CLIENT_ID.fullmatch(given):
            raise errors.bad_client_order_id()
        kind = parameters.choice(params, "type", KINDS, TPSL)
        read = self._read_stops if kind == TPSL else self._read_trigger
        wanted = replace(read(call, params, rules), client_id=given)
        if call.ignored:
            return {"orderId": "0", "clientOid": given}
        return names_of(self._engine.conditional.place(call.account, wanted))

    def _read_stops(self, call: Call, params: Params, rules: SymbolSettings) -> NewConditional:
        side, long = self._position(call, params, rules)
        found = self._stops(params, long)
        if not found:
            raise errors.missing("takeProfit")
        self._check(found, rules.symbol, long)
        mode = parameters.choice(params, "tpslMode", _MODES, "full")
        wanted = replace(self._closing(rules.symbol, side, long, found), details={"mode": mode})
        if mode == "full":
            return replace(wanted, close_position=True)
        return replace(wanted, quantity=parameters.decimal(params, "qty"))

    def _read_trigger(self, call: Call, params: Params, rules: SymbolSettings) -> NewConditional:
        hedge = self._engine.position_mode(call.account) is PositionMode.HEDGE
        if hedge is not bool(params.get("posSide")):
            raise errors.of_reason(RefusalReason.POSITION_SIDE_MISMATCH)
        return NewConditional(
            symbol=rules.symbol,
            side=parameters.choice(params, "side", SIDES),
            position_side=parameters.choice(params, "posSide", _POSITION_SIDES) if hedge else PositionSide.BOTH,
            triggers=(self._trigger(params, rules.symbol, None),),
            quantity=parameters.decimal(params, "qty"),
            reduce_only=not hedge and parameters.choice(params, "reduceOnly", _YES, False),
            order_client_id="",
            kind=TRIGGER,
        )

    def _trigger(self, params: Params, symbol: str, old: Trigger | None) -> Trigger:
        """Read a trigger; of one that is modified, what was not sent stays."""
        by = parameters.choice(params, "triggerBy", _BY, old.by if old is not None else TriggerBy.LAST)
        price = old.price if old is not None and not params.get("triggerPrice") else None
        if price is None:
            price = parameters.decimal(params, "triggerPrice")
        order_price = old.order_price if old is not None else None
        if params.get("triggerOrderType") or old is None:
            limit = parameters.choice(params, "triggerOrderType", TYPES, OrderType.MARKET) is OrderType.LIMIT
            order_price = parameters.decimal(params, "triggerOrderPrice") if limit else None
        elif params.get("triggerOrderPrice") and order_price is not None:
            order_price = parameters.decimal(params, "triggerOrderPrice")
        crossing = crossing_to(price, self._engine.conditional.price(symbol, by))
        return Trigger(crossing=crossing, by=by, price=price, order_price=order_price)

    def _stops(self, params: Params, long: bool, old: Mapping[str, Trigger] | None = None) -> tuple[Trigger, ...]:
        """Read take-profit and stop-loss; of those that are modified, what was not sent stays."""
        made = []
        for prefix, price_name, name in _STOPS:
            before = (old or {}).get(name)
            price = before.price if before is not None else None
            if params.get(price_name, "") not in _NONE:
                price = parameters.decimal(params, price_name)
            if price is None:
                continue
            order_price = before.order_price if before is not None else None
            if params.get(f"{prefix}OrderType"):
                limit = parameters.choice(params, f"{prefix}OrderType", TYPES) is OrderType.LIMIT
                order_price = parameters.decimal(params, f"{prefix}LimitPrice") if limit else None
            rises = long is (name == "profit")
            by = parameters.choice(params, f"{prefix}TriggerBy", _BY, before.by if before else TriggerBy.LAST)
            crossing = Crossing.UP if rises else Crossing.DOWN
            made.append(Trigger(crossing=crossing, by=by, price=price, order_price=order_price, name=name))
        return tuple(made)

    def _check(self, found: tuple[Trigger, ...], symbol: str, long: bool) -> None:
        for trigger in found:
            check_side(trigger, trigger.name, long, self._engine.conditional.price(symbol, trigger.by))

    def _closing(self, symbol: str, side: PositionSide, long: bool, found: tuple[Trigger, ...]) -> NewConditional:
        return NewConditional(
            symbol=symbol,
            side=Side.SELL if long else Side.BUY,
            position_side=side,
            triggers=found,
            reduce_only=side is PositionSide.BOTH,
            order_client_id="",
            bound=True,
            kind=TPSL,
        )

    def _position(self, call: Call, params: Params, rules: SymbolSettings) -> tuple[PositionSide, bool]:
        """Find the position that a take-profit or a stop-loss is for, and whether it is long."""
        hedge = self._engine.position_mode(call.account) is PositionMode.HEDGE
        named = params.get("posSide", "")
        wanted = parameters.choice(params, "posSide", _POSITION_SIDES) if named or hedge else None
        if wanted is None and params.get("side"):
            closed_by = parameters.choice(params, "side", SIDES)
            wanted = PositionSide.LONG if closed_by is Side.SELL else PositionSide.SHORT
        for each in self._engine.positions(call.account, rules.symbol):
            long = each.quantity > 0
            if not each.quantity or (hedge and each.position_side is not wanted):
                continue
            if wanted in (None, PositionSide.LONG if long else PositionSide.SHORT):
                return each.position_side, long
        raise ErrorReply(400, "43023", "Insufficient position, can not set profit or stop loss")

    # Changing and canceling

    def _modify(self, call: Call) -> Any:
        params, found = call.params, self._find(call)
        old, long = found.wanted, found.wanted.side is Side.SELL
        if old.kind == TRIGGER:
            triggers: tuple[Trigger, ...] = (self._trigger(params, old.symbol, old.triggers[0]),)
        else:
            triggers = self._stops(params, long, {trigger.name: trigger for trigger in old.triggers})
            self._check(triggers, old.symbol, long)
        quantity = old.quantity
        if params.get("qty") and not old.close_position:
            quantity = parameters.decimal(params, "qty")
        if not call.ignored:
            wanted = replace(old, triggers=triggers, quantity=quantity)
            self._engine.conditional.amend(call.account, found.conditional_id, wanted)
        return names_of(found)

    def _cancel(self, call: Call) -> Any:
        found = self._find(call)
        if not call.ignored:
            self._engine.conditional.cancel(call.account, conditional_id=found.conditional_id)

    def _find(self, call: Call) -> SimConditional:
        order_id, client_id = call.params.get("orderId", ""), call.params.get("clientOid", "")
        if not order_id and not client_id:
            raise ErrorReply(400, "40402", "Either orderId or clientOid is required")
        try:
            found = self._engine.conditional.find(
                call.account, conditional_id=order_id, client_id="" if order_id else client_id
            )
        except Refused as refused:
            raise errors.unknown_unified_order() from refused
        if not found.status.is_open:
            raise errors.unknown_unified_order()
        return found

    # Queries

    def _unfilled(self, call: Call) -> Any:
        return [self.write(one) for one in reversed(self._listed(call)) if one.status.is_open]

    def _history(self, call: Call) -> Any:
        start, end = self._window(call.params)
        before = parameters.integer(call.params, "cursor")
        found = [
            one
            for one in self._listed(call)
            if not one.status.is_open
            and (start is None or one.created_ms >= start)
            and (end is None or one.created_ms <= end)
            and (before is None or int(one.conditional_id) < before)
        ][-parameters.limit(call.params) :]
        rows = [self.write(one) for one in reversed(found)]
        return {"list": rows, "cursor": rows[-1]["orderId"] if rows else ""}

    def _listed(self, call: Call) -> list[SimConditional]:
        params = call.params
        symbol = self._rules(params).symbol if params.get("symbol") else None
        if symbol is None:
            parameters.category(params)
        kinds = (parameters.choice(params, "type", KINDS),) if params.get("type") else tuple(KINDS)
        return [one for one in self._engine.conditional.listed(call.account, symbol) if one.wanted.kind in kinds]

    def write(self, found: SimConditional) -> dict[str, Any]:
        """Write a strategy order as the endpoints do."""
        return row(found, self._engine.symbol(found.symbol))

    # Positions

    def _close_positions(self, call: Call) -> Any:
        """Close positions at the market: https://www.bitget.com/api-doc/uta/trade/Close-All-Positions."""
        params = call.params
        symbol = self._rules(params).symbol if params.get("symbol") else None
        if symbol is None:
            parameters.category(params)
        wanted = parameters.choice(params, "posSide", _POSITION_SIDES) if params.get("posSide") else None
        held = [
            each
            for each in self._engine.positions(call.account, symbol)
            if each.quantity and wanted in (None, PositionSide.LONG if each.quantity > 0 else PositionSide.SHORT)
        ]
        placed = [] if call.ignored else [self._engine.place(call.account, flat(each)) for each in held]
        return {"list": [names(order) for order in placed]}


def row(found: SimConditional, rules: SymbolSettings) -> dict[str, Any]:
    """Write a strategy order."""
    wanted = found.wanted
    by_name = {trigger.name: trigger for trigger in wanted.triggers}
    stops: dict[str, str] = {}
    for prefix, price_name, name in _STOPS:
        trigger = by_name.get(name)
        stops |= {
            price_name: _price(trigger.price if trigger else None, rules),
            f"{prefix}TriggerBy": _BY_NAMES[trigger.by] if trigger else "",
            f"{prefix}OrderType": _type(trigger),
            f"{prefix}LimitPrice": _price(trigger.order_price if trigger else None, rules),
        }
    plain = wanted.triggers[0] if wanted.kind == TRIGGER else None
    fired = {"profit": "takeProfit", "loss": "stopLoss"}.get(found.fired.name if found.fired else "", "")
    return {
        "orderId": found.conditional_id,
        "clientOid": found.client_id,
        "category": parameters.PRODUCT_TYPE,
        "symbol": found.symbol,
        "qty": "" if wanted.close_position else decimals.quantity(wanted.quantity, rules),
        "side": wanted.side.value.lower(),
        "posSide": _position_side(found),
        "reduceOnly": "yes" if wanted.closes_only else "no",
        "type": wanted.kind,
        "tpslMode": wanted.details.get("mode", ""),
        "status": _STATUS[found.status],
        "triggerType": fired,
        **stops,
        "triggerBy": _BY_NAMES[plain.by] if plain else "",
        "triggerPrice": _price(plain.price if plain else None, rules),
        "triggerOrderType": _type(plain),
        "triggerOrderPrice": _price(plain.order_price if plain else None, rules),
        "createdTime": str(found.created_ms),
        "updatedTime": str(found.updated_ms),
    }


def _position_side(found: SimConditional) -> str:
    wanted = found.wanted
    if wanted.position_side is not PositionSide.BOTH:
        return wanted.position_side.value.lower()
    if wanted.kind == TRIGGER:
        return ""
    return "long" if wanted.side is Side.SELL else "short"


def _type(trigger: Trigger | None) -> str:
    if trigger is None:
        return ""
    return "market" if trigger.order_price is None else "limit"


def _price(value: Decimal | None, rules: SymbolSettings) -> str:
    return "" if value is None else decimals.price(value, rules)
