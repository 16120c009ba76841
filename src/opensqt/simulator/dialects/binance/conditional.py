"""Binance's algo service: conditional orders, placed, canceled and queried at endpoints of their own.

https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/New-Algo-Order
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opensqt.model.account import PositionMode
from opensqt.model.order import PositionSide, Side, TimeInForce
from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import Call, ErrorReply, Params, Route
from opensqt.simulator.dialects.binance import errors, formats, order_fields, parameters
from opensqt.simulator.dialects.binance.security import Security
from opensqt.simulator.engine.account import closes
from opensqt.simulator.engine.conditional import (
    ConditionalStatus,
    Crossing,
    NewConditional,
    SimConditional,
    Trail,
    Trigger,
    TriggerBy,
)
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.engine.order import RefusalReason, Refused
from opensqt.simulator.settings import SymbolSettings

_STOPS = ("STOP", "STOP_MARKET")
_PROFITS = ("TAKE_PROFIT", "TAKE_PROFIT_MARKET")
_TRAILING = "TRAILING_STOP_MARKET"
ALGO_TYPES = formats.ORDER_TYPES_OF_ALGO
_LIMITS = ("STOP", "TAKE_PROFIT")
_WORKING_TYPES = {"CONTRACT_PRICE": TriggerBy.LAST, "MARK_PRICE": TriggerBy.MARK}
_UNTIL_POSITION_ENDS = "GTE_GTC"
_RATES = (Decimal("0.1"), Decimal(10))
"""Percent."""
_STATUS = {ConditionalStatus.WAITING: "NEW"}
_HISTORY_MS = 7 * 86_400_000


class ConditionalTrading:
    """Conditional orders of the account that signed the call."""

    def __init__(self, engine: SimEngine, security: Security) -> None:
        self._engine = engine
        self._security = security

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        v1 = "/fapi/v1"
        return [
            Route("POST", f"{v1}/algoOrder", "place_order", self._place, 0),
            Route("DELETE", f"{v1}/algoOrder", "cancel_order", self._cancel),
            Route("DELETE", f"{v1}/algoOpenOrders", "cancel_all", self._cancel_all),
            Route("GET", f"{v1}/algoOrder", "get_order", self._query),
            Route("GET", f"{v1}/openAlgoOrders", "open_orders", self._open, cost=_open_weight),
            Route("GET", f"{v1}/allAlgoOrders", "open_orders", self._all, 5),
        ]

    def _place(self, call: Call) -> Any:
        self._security.count_orders(call, 1)
        wanted, rules = self._read(call)
        if call.ignored:
            now_ms = self._engine.now_ms()
            unplaced = SimConditional(
                account=call.account,
                conditional_id="0",
                wanted=wanted,
                status=ConditionalStatus.WAITING,
                created_ms=now_ms,
                updated_ms=now_ms,
            )
            return placed(unplaced, rules)
        if wanted.triggers[0].trail is not None:
            self._check_activation(wanted)
        return placed(self._engine.conditional.place(call.account, wanted, refuse_met=True), rules)

    def _check_activation(self, wanted: NewConditional) -> None:
        trigger = wanted.triggers[0]
        start = trigger.trail.activation_price if trigger.trail is not None else None
        now = self._engine.conditional.price(wanted.symbol, trigger.by)
        if start is not None and (start <= now if trigger.crossing is Crossing.DOWN else start >= now):
            raise errors.of_reason(RefusalReason.WOULD_TRIGGER)

    def _cancel(self, call: Call) -> Any:
        named = _named(call.params)
        try:
            found = self._engine.conditional.find(call.account, **named)
            if not call.ignored:
                found = self._engine.conditional.cancel(call.account, conditional_id=found.conditional_id)
        except Refused as refused:
            raise errors.unknown_order_sent() from refused
        return {
            "algoId": int(found.conditional_id),
            "clientAlgoId": client_id(found),
            "code": "200",
            "msg": "success",
        }

    def _cancel_all(self, call: Call) -> Any:
        rules = self._rules(call.params)
        if not call.ignored:
            self._engine.conditional.cancel_all(call.account, rules.symbol)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _query(self, call: Call) -> Any:
        return self._write(self._engine.conditional.find(call.account, **_named(call.params)))

    def _open(self, call: Call) -> Any:
        params = call.params
        if params.get("algoType", "CONDITIONAL").upper() != "CONDITIONAL":
            return []
        symbol = self._rules(params).symbol if params.get("symbol") else None
        algo_id = parameters.integer(params, "algoId")
        return [
            self._write(found)
            for found in self._engine.conditional.waiting(call.account, symbol)
            if algo_id in (None, int(found.conditional_id))
        ]

    def _all(self, call: Call) -> Any:
        params = call.params
        rules = self._rules(params)
        limit = parameters.limit(params, default=500, most=1000)
        page = parameters.integer(params, "page") or 1
        from_id = parameters.integer(params, "algoId")
        found = self._engine.conditional.listed(call.account, rules.symbol)
        if from_id is not None:
            found = [one for one in found if int(one.conditional_id) >= from_id]
            return [self._write(one) for one in found[(page - 1) * limit : page * limit]]
        start, end = parameters.window(params, longest_ms=_HISTORY_MS, now_ms=self._engine.now_ms())
        found = [one for one in found if start <= one.created_ms <= end]
        last = len(found) - (page - 1) * limit
        return [self._write(one) for one in found[max(0, last - limit) : max(0, last)]]

    def _write(self, found: SimConditional) -> dict[str, Any]:
        return queried(found, self._engine.symbol(found.symbol), status_of(self._engine, found))

    def _read(self, call: Call) -> tuple[NewConditional, SymbolSettings]:
        """Read a conditional order, with the checks that Binance makes before its service."""
        params = call.params
        if parameters.text(params, "algoType").upper() != "CONDITIONAL":
            raise errors.bad_value("algoType")
        rules = self._rules(params)
        kind = parameters.text(params, "type").upper()
        if kind not in ALGO_TYPES:
            raise ErrorReply(400, "-1116", "Invalid orderType.")
        side = parameters.choice(params, "side", Side, ErrorReply(400, "-1117", "Invalid side."))
        invalid_side = ErrorReply(400, "-1118", "Invalid positionSide.")
        position_side = parameters.choice(params, "positionSide", PositionSide, invalid_side, PositionSide.BOTH)
        close_position, reduce_only = (parameters.boolean(params, name) for name in ("closePosition", "reduceOnly"))
        if self._engine.position_mode(call.account) is PositionMode.HEDGE and params.get("reduceOnly"):
            raise errors.not_required("reduceonly")
        quantity = self._quantity(call, kind, close_position, reduce_only)
        if close_position and position_side is not PositionSide.BOTH and not closes(side, position_side, False):
            raise ErrorReply(400, "-4136", f"Target strategy invalid for orderType {kind},closePosition true.")
        if params.get("priceMatch", "NONE").upper() != "NONE":
            # The venue finds the price when the order triggers.
            raise (
                errors.not_simulated("priceMatch of a conditional order")
                if kind in _LIMITS
                else order_fields.price_match_needs_limit()
            )
        force = params.get("timeInForce", "GTC").upper()
        bound = force == _UNTIL_POSITION_ENDS
        if bound:
            self._check_position(call.account, rules.symbol, side, position_side)
        expires_ms = order_fields.expiry(params, force, self._engine)
        price = self._price(params, kind, side, rules)
        details = {
            "type": kind,
            "timeInForce": force,
            "workingType": params.get("workingType", "CONTRACT_PRICE").upper(),
            "closePosition": str(close_position).lower(),
            "stopPrice": params.get("triggerPrice", "0.00"),
            "goodTillDate": params.get("goodTillDate", "0") if force == "GTD" else "0",
            "callbackRate": params.get("callbackRate", ""),
            "activatePrice": params.get("activatePrice", ""),
        }
        wanted = NewConditional(
            symbol=rules.symbol,
            side=side,
            position_side=position_side,
            triggers=(self._trigger(params, kind, side, price),),
            quantity=quantity,
            close_position=close_position,
            time_in_force=TimeInForce.GTC if bound else order_fields.time_in_force(force),
            reduce_only=reduce_only,
            client_id=order_fields.client_id(params, "clientAlgoId"),
            bound=bound,
            expires_ms=expires_ms,
            expires_order=True,
            kind=kind,
            details=details,
        )
        if close_position:
            self._check_only_one(call.account, wanted)
        return wanted, rules

    def _quantity(self, call: Call, kind: str, close_position: bool, reduce_only: bool) -> Decimal:
        params = call.params
        if not close_position:
            quantity = parameters.decimal(params, "quantity")
            if quantity <= 0:
                raise ErrorReply(400, "-4003", "Quantity less than or equal to zero.")
            if order_fields.too_fine(quantity, self._rules(params).quantity_step):
                raise errors.of_reason(RefusalReason.QUANTITY_STEP)
            return quantity
        if kind not in ("STOP_MARKET", "TAKE_PROFIT_MARKET"):
            raise ErrorReply(400, "-4136", f"Target strategy invalid for orderType {kind},closePosition true.")
        if params.get("quantity"):
            raise ErrorReply(400, "-4137", "Quantity must be zero with closePosition equals true.")
        if reduce_only:
            raise errors.not_required("reduceonly")
        return decimals.ZERO

    def _price(self, params: Params, kind: str, side: Side, rules: SymbolSettings) -> Decimal | None:
        if kind not in _LIMITS:
            if params.get("price"):
                raise errors.not_required("price")
            return None
        price = order_fields.limit_price(params, side, rules, self._engine)
        if order_fields.too_fine(price, rules.price_step):
            raise errors.of_reason(RefusalReason.QUANTITY_STEP)
        return price

    def _trigger(self, params: Params, kind: str, side: Side, price: Decimal | None) -> Trigger:
        working = params.get("workingType", "CONTRACT_PRICE").upper()
        if working not in _WORKING_TYPES:
            raise errors.bad_value("workingType")
        by = _WORKING_TYPES[working]
        rises = (side is Side.BUY) is (kind not in _PROFITS)
        crossing = Crossing.UP if rises else Crossing.DOWN
        if kind == _TRAILING:
            rate = parameters.decimal(params, "callbackRate")
            if not _RATES[0] <= rate <= _RATES[1]:
                raise ErrorReply(400, "-2007", "CallBack rate is invalid.")
            start = parameters.decimal(params, "activatePrice") if params.get("activatePrice") else None
            return Trigger(crossing=crossing, by=by, trail=Trail(rate=rate / 100, activation_price=start))
        stop = parameters.decimal(params, "triggerPrice")
        if stop <= 0:
            raise ErrorReply(400, "-4006", "Stop price less than zero.")
        return Trigger(crossing=crossing, by=by, price=stop, order_price=price)

    def _check_position(self, account: str, symbol: str, side: Side, position_side: PositionSide) -> None:
        held = next(
            (one for one in self._engine.positions(account, symbol) if one.position_side is position_side), None
        )
        if held is None or held.quantity * side.sign >= 0:
            message = "TIF GTE can only be used with open positions. Please ensure that positions are available."
            raise ErrorReply(400, "-4509", message)

    def _check_only_one(self, account: str, wanted: NewConditional) -> None:
        def same(one: NewConditional) -> tuple[Side, PositionSide, bool]:
            return one.side, one.position_side, one.kind in _STOPS

        for other in self._engine.conditional.waiting(account, wanted.symbol):
            if other.wanted.close_position and same(other.wanted) == same(wanted):
                message = "An open stop or take profit order with GTE and closePosition in the direction is existing."
                raise ErrorReply(400, "-4130", message)

    def _rules(self, params: Params) -> SymbolSettings:
        return self._engine.symbol(parameters.text(params, "symbol").upper())


def client_id(found: SimConditional) -> str:
    """Return the client's id, or the one that the venue made."""
    return found.client_id or f"auto{found.conditional_id}"


def status_of(engine: SimEngine, found: SimConditional) -> str:
    """Return the venue's status: one that has triggered is FINISHED once its order is closed."""
    if found.status is ConditionalStatus.TRIGGERED:
        order = engine.find(found.account, found.symbol, order_id=found.order_id)
        return "TRIGGERED" if order.status.is_open else "FINISHED"
    return _STATUS.get(found.status, found.status.value)


def placed(found: SimConditional, rules: SymbolSettings, status: str = "NEW") -> dict[str, Any]:
    """Write a conditional order as the reply to its placement does."""
    wanted, trigger = found.wanted, found.wanted.triggers[0]
    trails = {}
    if trigger.trail is not None:
        trails = {"activatePrice": wanted.details["activatePrice"], "callbackRate": wanted.details["callbackRate"]}
    return {
        "algoId": int(found.conditional_id),
        "clientAlgoId": client_id(found),
        "algoType": "CONDITIONAL",
        "orderType": wanted.kind,
        "symbol": found.symbol,
        "side": wanted.side.value,
        "positionSide": wanted.position_side.value,
        "timeInForce": wanted.details["timeInForce"],
        "quantity": decimals.quantity(wanted.quantity, rules),
        "algoStatus": status,
        "triggerPrice": decimals.price(trigger.price, rules),
        "price": decimals.price(trigger.order_price, rules),
        "icebergQuantity": None,
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": wanted.details["workingType"],
        "priceMatch": "NONE",
        "closePosition": wanted.close_position,
        "priceProtect": False,
        "reduceOnly": wanted.reduce_only,
        **trails,
        "createTime": found.created_ms,
        "updateTime": found.updated_ms,
        "triggerTime": found.triggered_ms,
        "goodTillDate": int(wanted.details["goodTillDate"]),
    }


def queried(found: SimConditional, rules: SymbolSettings, status: str) -> dict[str, Any]:
    """Write a conditional order as queries do, with the order that it placed."""
    zero = decimals.price(None, rules)
    return placed(found, rules, status) | {
        "actualOrderId": found.order_id,
        "actualPrice": decimals.price(found.trigger.order_price, rules) if found.order_id else "0.00000",
        "actualType": found.order_type.value if found.order_id else "",
        "actualQty": decimals.quantity(found.wanted.quantity, rules) if found.order_id else "0",
        "tpTriggerPrice": zero,
        "tpPrice": zero,
        "slTriggerPrice": zero,
        "slPrice": zero,
        "tpOrderType": "",
    }


def _named(params: Params) -> dict[str, str]:
    algo_id, name = parameters.integer(params, "algoId"), params.get("clientAlgoId", "")
    if algo_id is None and not name:
        message = "Param 'clientAlgoId' or 'algoId' must be sent, but both were empty/null!"
        raise ErrorReply(400, "-1102", message)
    return {"conditional_id": str(algo_id)} if algo_id is not None else {"client_id": name}


def _open_weight(params: Params) -> int:
    return 1 if params.get("symbol") else 40
