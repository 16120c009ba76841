"""Gate's price-triggered orders: https://www.gate.com/docs/developers/apiv4/en/#create-a-price-triggered-order-2."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from opensqt.model.account import PositionMode
from opensqt.model.order import PositionSide, Side, TimeInForce
from opensqt.simulator.dialects.base import Call, ErrorReply, Route
from opensqt.simulator.dialects.gate import conditional_formats, errors, formats, parameters
from opensqt.simulator.dialects.gate.contracts import Contracts
from opensqt.simulator.dialects.gate.parameters import Fields
from opensqt.simulator.dialects.gate.security import Security
from opensqt.simulator.dialects.gate.trading import ROOT, client_order_id, side_of_position
from opensqt.simulator.engine.conditional import (
    ZERO,
    ConditionalStatus,
    Crossing,
    NewConditional,
    SimConditional,
    Trigger,
    TriggerBy,
    is_met,
)
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.engine.order import RefusalReason, Refused
from opensqt.simulator.settings import SymbolSettings

_RULES = {"1": Crossing.UP, "2": Crossing.DOWN}
_BY = {"0": TriggerBy.LAST, "1": TriggerBy.MARK, "2": TriggerBy.INDEX}
_CLOSES = {"close_long": PositionSide.LONG, "close_short": PositionSide.SHORT}
_TIF = {"gtc": TimeInForce.GTC, "ioc": TimeInForce.IOC}
_POSITION_TYPES = ("close-long-position", "close-short-position")
_PARTS = ("plan-close-long-position", "plan-close-short-position")
_OF_ORDERS = ("close-long-order", "close-short-order")


class ConditionalTrading:
    """Price-triggered orders of the account that signed the call."""

    def __init__(self, engine: SimEngine, contracts: Contracts, security: Security) -> None:
        self._engine = engine
        self._contracts = contracts
        self._security = security

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        path = f"{ROOT}/price_orders"
        return [
            Route("POST", path, "place_order", self._place),
            Route("GET", path, "open_orders", self._list),
            Route("DELETE", path, "cancel_all", self._cancel_all),
            Route("GET", f"{path}/{{order_id}}", "get_order", self._query),
            Route("DELETE", f"{path}/{{order_id}}", "cancel_order", self._cancel),
            Route("PUT", f"{path}/amend/{{order_id}}", "amend_order", self._amend),
        ]

    def _place(self, call: Call) -> Any:
        fields = parameters.json_object(call.body)
        wanted = self._read(call, fields)
        if call.ignored:
            return {"id": 0, "id_string": "0"}
        placed = self._engine.conditional.place(call.account, wanted)
        return {"id": int(placed.conditional_id), "id_string": placed.conditional_id}

    def _read(self, call: Call, fields: Fields) -> NewConditional:
        initial, trigger = _object(fields, "initial"), _object(fields, "trigger")
        rules = self._contracts.requested(initial)
        kind = str(fields.get("order_type") or "")
        if kind in _OF_ORDERS:
            raise errors.not_simulated(f"order_type {kind}")
        if kind not in ("", *_POSITION_TYPES, *_PARTS):
            raise errors.bad_value("order_type")
        met_by = self._trigger(trigger, rules, parameters.decimal(initial, "price"))
        size = parameters.decimal(initial, "size" if initial.get("size") is not None else "amount")
        quantity = abs(size) * formats.multiplier(rules)
        reduce_only = parameters.boolean(initial, "reduce_only") or parameters.boolean(initial, "is_reduce_only")
        hedge = self._engine.position_mode(call.account) is PositionMode.HEDGE
        if size:
            side = Side.BUY if size > 0 else Side.SELL
            position_side = side_of_position(side, reduce_only=reduce_only) if hedge else PositionSide.BOTH
        else:
            side, position_side = self._closing(call.account, initial, kind, rules, hedge=hedge)
        expiration = parameters.integer(trigger, "expiration", 0)
        return NewConditional(
            symbol=rules.symbol,
            side=side,
            position_side=position_side,
            triggers=(met_by,),
            quantity=quantity,
            close_position=not size,
            time_in_force=self._force(initial, met_by),
            reduce_only=reduce_only or not size,
            order_client_id=client_order_id(initial),
            bound=kind in (*_POSITION_TYPES, *_PARTS),
            expires_ms=self._engine.now_ms() + expiration * 1000 if expiration else None,
            kind=kind,
            details={
                "expiration": str(expiration),
                "close": str(parameters.boolean(initial, "close")).lower(),
                "auto_size": str(initial.get("auto_size") or ""),
                "text": str(initial.get("text") or ""),
                "reduce_only": str(reduce_only).lower(),
            },
        )

    def _trigger(self, trigger: Fields, rules: SymbolSettings, price: Decimal) -> Trigger:
        if parameters.integer(trigger, "strategy_type", 0) != 0:
            raise errors.bad_value("trigger.strategy_type")
        crossing, by = (
            table.get(str(trigger.get(name, default)))
            for table, name, default in ((_RULES, "rule", ""), (_BY, "price_type", "0"))
        )
        if not isinstance(crossing, Crossing) or not isinstance(by, TriggerBy):
            raise errors.bad_value("trigger.rule" if crossing is None else "trigger.price_type")
        made = Trigger(
            crossing=crossing, by=by, price=parameters.decimal(trigger, "price"), order_price=price if price else None
        )
        self._check_not_met(made, rules.symbol)
        return made

    def _check_not_met(self, trigger: Trigger, symbol: str) -> None:
        if is_met(trigger, self._engine.conditional.price(symbol, trigger.by)):
            rises = trigger.crossing is Crossing.UP
            label = "AUTO_TRIGGER_PRICE_GREATE_LAST" if rises else "AUTO_TRIGGER_PRICE_LESS_LAST"
            raise ErrorReply(400, label, f"invalid argument: Trigger.Price must {'>' if rises else '<'} last_price")

    def _force(self, initial: Fields, trigger: Trigger) -> TimeInForce:
        given = str(initial.get("tif") or ("ioc" if trigger.order_price is None else "gtc"))
        if given not in _TIF or (trigger.order_price is None and given != "ioc"):
            raise errors.bad_value("initial.tif")
        return _TIF[given]

    def _closing(
        self, account: str, initial: Fields, kind: str, rules: SymbolSettings, *, hedge: bool
    ) -> tuple[Side, PositionSide]:
        """Read the position that an order of size zero closes."""
        if hedge:
            side = _CLOSES.get(str(initial.get("auto_size", "")))
            if side is None:
                raise errors.bad_value("initial.auto_size")
            return (Side.SELL if side is PositionSide.LONG else Side.BUY), side
        if not parameters.boolean(initial, "close"):
            raise errors.bad_value("initial.size")
        if kind:
            return (Side.SELL if "long" in kind else Side.BUY), PositionSide.BOTH
        held = self._engine.positions(account, rules.symbol)[0].quantity
        if not held:
            raise ErrorReply(400, "POSITION_EMPTY", "empty position")
        return (Side.SELL if held > 0 else Side.BUY), PositionSide.BOTH

    def _list(self, call: Call) -> Any:
        status = parameters.text(call.params, "status")
        if status not in ("open", "finished"):
            raise errors.bad_value("status")
        symbol = self._contracts.requested_or_all(call.params)
        found = [
            one
            for one in reversed(self._engine.conditional.listed(call.account, symbol))
            if one.status.is_open is (status == "open")
        ]
        return [self._write(call, one) for one in parameters.page(found, call.params)]

    def _cancel_all(self, call: Call) -> Any:
        symbol = self._contracts.requested_or_all(call.params)
        found = self._engine.conditional.waiting(call.account, symbol)
        return [self._write(call, self._end(call, one)) for one in found]

    def _query(self, call: Call) -> Any:
        return self._write(call, self._find(call))

    def _cancel(self, call: Call) -> Any:
        found = self._find(call)
        if not found.status.is_open:
            raise errors.of_reason(RefusalReason.ORDER_CLOSED)
        return self._write(call, self._end(call, found))

    def _end(self, call: Call, found: SimConditional) -> SimConditional:
        if call.ignored:
            return replace(found, status=ConditionalStatus.CANCELED)
        return self._engine.conditional.cancel(call.account, conditional_id=found.conditional_id)

    def _amend(self, call: Call) -> Any:
        fields, found = parameters.json_object(call.body), self._find(call)
        old = found.wanted
        rules, trigger = self._engine.symbol(found.symbol), old.triggers[0]
        given = {name for name, value in fields.items() if value not in (None, "")}
        if "trigger_price" in given:
            trigger = replace(trigger, price=parameters.decimal(fields, "trigger_price"))
        if "price_type" in given:
            by = _BY.get(str(fields["price_type"]))
            if by is None:
                raise errors.bad_value("price_type")
            trigger = replace(trigger, by=by)
        if "price" in given:
            price = parameters.decimal(fields, "price")
            trigger = replace(trigger, order_price=price if price else None)
        self._check_not_met(trigger, found.symbol)
        if "contract" in given and self._contracts.requested(fields).symbol != found.symbol:
            raise errors.bad_value("contract")
        for name in ("auto_size", "close"):
            # An order closes what it closed when it was placed.
            if name in given and str(fields[name]).lower() != (old.details[name] or "false"):
                raise errors.bad_value(name)
        quantity = old.quantity
        if name := next((name for name in ("size", "amount") if name in given), ""):
            size = parameters.decimal(fields, name)
            if size * old.side.sign < 0 or (not size and not old.close_position):
                raise errors.bad_value("size")
            quantity = abs(size) * formats.multiplier(rules) if size else ZERO
        if not call.ignored:
            wanted = replace(old, triggers=(trigger,), quantity=quantity)
            self._engine.conditional.amend(call.account, found.conditional_id, wanted)
        return {"id": int(found.conditional_id), "id_string": found.conditional_id}

    def _find(self, call: Call) -> SimConditional:
        try:
            return self._engine.conditional.find(call.account, conditional_id=parameters.text(call.params, "order_id"))
        except Refused as refused:
            raise ErrorReply(404, "AUTO_ORDER_NOT_FOUND", "auto order not found") from refused

    def _write(self, call: Call, found: SimConditional) -> dict[str, Any]:
        user, sizes = self._security.user(call.account), self._contracts.sizes(call.headers)
        return conditional_formats.price_order(found, self._engine.symbol(found.symbol), user, sizes)


def _object(fields: Fields, name: str) -> dict[str, Any]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise errors.missing(name)
    return value
