"""OKX's algo orders: stop-loss and take-profit, one or both of them, trigger orders, and trailing ones.

https://www.okx.com/docs-v5/en/#order-book-trading-algo-trading-post-place-algo-order
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from opensqt.model.account import PositionMode
from opensqt.model.order import PositionSide, Side, TimeInForce
from opensqt.simulator.dialects.base import Call, ErrorReply, Route
from opensqt.simulator.dialects.okx import conditional_formats, errors, order_fields, parameters, replies
from opensqt.simulator.dialects.okx.conditional_formats import KINDS, MARKET_PRICE
from opensqt.simulator.dialects.okx.instruments import Instruments, OkxInstrument
from opensqt.simulator.dialects.okx.parameters import Row
from opensqt.simulator.engine.account import closes
from opensqt.simulator.engine.conditional import (
    ZERO,
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
from opensqt.simulator.engine.triggers import crossing_to

_BY = {"last": TriggerBy.LAST, "mark": TriggerBy.MARK, "index": TriggerBy.INDEX}
_MOST_CANCELED = 10
_RATIOS = (Decimal("0.001"), Decimal(1))
_ADVANCED = {"": TimeInForce.GTC, "fok": TimeInForce.FOK, "ioc": TimeInForce.IOC}
_WRONG_SIDE = {
    ("tp", Side.BUY): ("51277", "TP trigger price can not be higher than the last price"),
    ("sl", Side.BUY): ("51278", "SL trigger price can not be lower than the last price"),
    ("tp", Side.SELL): ("51279", "TP trigger price can not be lower than the last price"),
    ("sl", Side.SELL): ("51280", "SL trigger price can not be higher than the last price"),
}
_WRONG_SIDE_OF_PARENT = {
    ("tp", Side.SELL): ("51046", "The take profit trigger price must be higher than the order price"),
    ("sl", Side.SELL): ("51047", "The stop loss trigger price must be lower than the order price"),
    ("tp", Side.BUY): ("51048", "The take profit trigger price should be lower than the order price"),
    ("sl", Side.BUY): ("51049", "The stop loss trigger price should be higher than the order price"),
}
_ACTIVATION = {
    Side.SELL: ("51258", "Trail order placement failed. The trigger price of a sell order should be higher"),
    Side.BUY: ("51259", "Trail order placement failed. The trigger price of a buy order should be lower"),
}
_AMENDABLE = ("newTpTriggerPx", "newTpOrdPx", "newSlTriggerPx", "newSlOrdPx", "newTriggerPx", "newOrdPx", "newSz")


class ConditionalTrading:
    """Algo orders of the account that signed the call. Limits are calls in two seconds."""

    def __init__(self, engine: SimEngine, instruments: Instruments) -> None:
        self._engine = engine
        self._instruments = instruments

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        trade = "/api/v5/trade"
        return [
            Route("POST", f"{trade}/order-algo", "place_order", self._place, 20),
            Route("POST", f"{trade}/cancel-algos", "batch_cancel", self._cancel, 20),
            Route("POST", f"{trade}/amend-algos", "amend_order", self._amend, 20),
            Route("GET", f"{trade}/order-algo", "get_order", self._query, 20),
            Route("GET", f"{trade}/orders-algo-pending", "open_orders", self._pending, 20),
            Route("GET", f"{trade}/orders-algo-history", "open_orders", self._history, 20),
        ]

    def write(self, found: SimConditional) -> dict[str, Any]:
        """Write an algo order as the endpoints and the orders-algo channel do."""
        swap = self._instruments.by_symbol[found.symbol]
        order = None
        if found.order_id and found.status is ConditionalStatus.TRIGGERED:
            order = self._engine.find(found.account, found.symbol, order_id=found.order_id)
        leverage = self._engine.leverage(found.account, found.symbol)
        return conditional_formats.algo(found, swap, leverage, order, self._engine.last_price(found.symbol))

    def attached(self, row: Row) -> tuple[Row, ...]:
        """Read the stop-loss and take-profit orders that an order carries, as it lists them or in the old way."""
        listed = row.get("attachAlgoOrds") or []
        if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
            raise errors.bad("attachAlgoOrds")
        old = {name: row[name] for name in order_fields.OLD_ATTACHED if row.get(name) not in (None, "")}
        return (*listed, *((old,) if old else ()))

    def children(
        self,
        items: tuple[Row, ...],
        swap: OkxInstrument,
        side: Side,
        position_side: PositionSide,
        price: Decimal | None,
    ) -> tuple[NewConditional, ...]:
        """Make the algo orders that begin when an order is filled.

        Args:
            items: What the order carries.
            swap: Its instrument.
            side: Side of the order.
            position_side: Position side of the order.
            price: Its price; None compares the triggers with the last one.
        """
        made = []
        for item in items:
            for name, given in item.items():
                if name not in order_fields.ATTACHED and given not in (None, "", "0", False):
                    raise errors.not_simulated(f"attachAlgoOrds.{name}")
            triggers = self._stops(item, side.opposite)
            if not triggers:
                raise ErrorReply(200, "51500", "You must enter a price, quantity, or TP/SL.")
            self._check_side(triggers, side.opposite, swap, price)
            name = parameters.text(item, "attachAlgoClOrdId") or parameters.text(item, "algoClOrdId")
            order_fields.check_client_id("attachAlgoClOrdId", name)
            made.append(
                NewConditional(
                    symbol=swap.symbol,
                    side=side.opposite,
                    position_side=position_side,
                    triggers=triggers,
                    quantity=swap.coins(parameters.decimal(item, "sz")) if item.get("sz") else ZERO,
                    reduce_only=position_side is PositionSide.BOTH,
                    client_id=name,
                    order_client_id="",
                    kind="oco" if len(triggers) > 1 else "conditional",
                    details={"source": "7", "algoClOrdId": name},
                )
            )
        return tuple(made)

    def _place(self, call: Call) -> Any:
        row = parameters.body(call)
        named = {"algoId": "", "algoClOrdId": parameters.text(row, "algoClOrdId"), "clOrdId": ""}
        named["tag"] = parameters.text(row, "tag")
        try:
            wanted = self._read(call, row)
            algo_id = "0"
            if not call.ignored:
                algo_id = self._engine.conditional.place(call.account, wanted).conditional_id
        except (ErrorReply, Refused) as problem:
            raise _row_refused(problem, named) from problem
        return [named | {"algoId": algo_id, "sCode": "0", "sMsg": ""}]

    def _read(self, call: Call, row: Row) -> NewConditional:
        swap = self._instruments.get(parameters.text(row, "instId"))
        order_fields.check_mode(row)
        kind = parameters.required(row, "ordType")
        if kind not in KINDS:
            raise (
                errors.not_simulated(f"ordType {kind}")
                if kind in conditional_formats.ABSENT_KINDS
                else errors.bad("ordType")
            )
        side, position_side = parameters.choice(row, "side", order_fields.SIDES), order_fields.position_side(row)
        hedge = self._engine.position_mode(call.account) is PositionMode.HEDGE
        reduce_only = parameters.boolean(row, "reduceOnly") and not hedge
        triggers = self._triggers(row, kind, side, swap)
        whole = self._is_whole_position(row, kind, triggers, reduce_only or hedge)
        if not whole and not row.get("sz"):
            raise errors.either("sz", "closeFraction")
        name = parameters.text(row, "algoClOrdId")
        order_fields.check_client_id("algoClOrdId", name)
        advanced = parameters.text(row, "advanceOrdType")
        if advanced not in _ADVANCED:
            raise errors.bad("advanceOrdType")
        bound = parameters.boolean(row, "cxlOnClosePos")
        if bound and not (closes(side, position_side, reduce_only)):
            raise errors.bad("cxlOnClosePos")
        return NewConditional(
            symbol=swap.symbol,
            side=side,
            position_side=position_side,
            triggers=triggers,
            quantity=ZERO if whole else swap.coins(parameters.decimal(row, "sz")),
            close_position=whole,
            time_in_force=_ADVANCED[advanced],
            reduce_only=reduce_only,
            client_id=name,
            order_client_id="",
            bound=bound or whole,
            tag=order_fields.tag(row),
            kind=kind,
            details={
                "algoClOrdId": name,
                "source": {"trigger": "6", "move_order_stop": "25"}.get(kind, "7"),
                "closeFraction": "1" if whole else "",
                "advanceOrdType": advanced,
                "cxlOnClosePos": str(bound).lower(),
            },
        )

    def _triggers(self, row: Row, kind: str, side: Side, swap: OkxInstrument) -> tuple[Trigger, ...]:
        if kind == "trigger":
            return (self._plain(row, swap),)
        if kind == "move_order_stop":
            return (self._trailing(row, side, swap),)
        triggers = self._stops(row, side)
        if not triggers or (kind == "oco" and len(triggers) < 2):
            raise errors.either("tpTriggerPx", "slTriggerPx")
        if kind == "conditional":
            # Of both, only the stop-loss is performed, as documented.
            triggers = triggers[:1]
        self._check_side(triggers, side, swap, None)
        return triggers

    def _plain(self, row: Row, swap: OkxInstrument) -> Trigger:
        by, price = _by(row, "triggerPxType"), parameters.decimal(row, "triggerPx")
        now = self._engine.conditional.price(swap.symbol, by)
        return Trigger(crossing=crossing_to(price, now), by=by, price=price, order_price=_order_price(row, "orderPx"))

    def _trailing(self, row: Row, side: Side, swap: OkxInstrument) -> Trigger:
        ratio, spread = (
            parameters.decimal(row, name) if row.get(name) else None for name in ("callbackRatio", "callbackSpread")
        )
        if (ratio is None) is (spread is None):
            raise errors.either("callbackRatio", "callbackSpread")
        if ratio is not None and not _RATIOS[0] <= ratio <= _RATIOS[1]:
            raise errors.bad("callbackRatio")
        start = parameters.decimal(row, "activePx") if row.get("activePx") else None
        now = self._engine.last_price(swap.symbol)
        if start is not None and (start <= now if side is Side.SELL else start >= now):
            raise ErrorReply(200, *_ACTIVATION[side])
        crossing = Crossing.DOWN if side is Side.SELL else Crossing.UP
        return Trigger(crossing=crossing, trail=Trail(rate=ratio, distance=spread, activation_price=start))

    def _stops(self, row: Row, side: Side) -> tuple[Trigger, ...]:
        """Read stop-loss and take-profit, the stop-loss first."""
        triggers = []
        for name in ("sl", "tp"):
            given = parameters.text(row, f"{name}TriggerPx")
            if not given or given == "0":
                continue
            if name == "tp" and parameters.text(row, "tpOrdKind") == "limit":
                raise errors.not_simulated("tpOrdKind limit")
            falls = (side is Side.SELL) is (name == "sl")
            triggers.append(
                Trigger(
                    crossing=Crossing.DOWN if falls else Crossing.UP,
                    by=_by(row, f"{name}TriggerPxType"),
                    price=parameters.decimal(row, f"{name}TriggerPx"),
                    order_price=_order_price(row, f"{name}OrdPx"),
                    name=name,
                )
            )
        return tuple(triggers)

    def _check_side(
        self, triggers: tuple[Trigger, ...], side: Side, swap: OkxInstrument, parent_price: Decimal | None
    ) -> None:
        """Check that no trigger is met: as the price is now, or, of an attached one, at the order's price."""
        codes = _WRONG_SIDE if parent_price is None else _WRONG_SIDE_OF_PARENT
        for trigger in triggers:
            price = (
                parent_price if parent_price is not None else self._engine.conditional.price(swap.symbol, trigger.by)
            )
            if trigger.price is not None and (
                price >= trigger.price if trigger.crossing is Crossing.UP else price <= trigger.price
            ):
                raise ErrorReply(200, *codes[trigger.name, side])

    def _is_whole_position(self, row: Row, kind: str, triggers: tuple[Trigger, ...], closing: bool) -> bool:
        fraction = parameters.text(row, "closeFraction")
        if not fraction:
            return False
        at_market = all(trigger.order_price is None for trigger in triggers)
        if fraction != "1" or row.get("sz") or kind not in ("conditional", "oco") or not at_market or not closing:
            raise errors.bad("closeFraction")
        return True

    def _cancel(self, call: Call) -> Any:
        rows = parameters.rows(call)
        if len(rows) > _MOST_CANCELED:
            raise ErrorReply(400, "51111", f"Maximum {_MOST_CANCELED} orders can be placed in bulk.")
        done = []
        for row in rows:
            named = {"algoId": parameters.text(row, "algoId"), "algoClOrdId": parameters.text(row, "algoClOrdId")}
            try:
                self._instruments.get(parameters.text(row, "instId"))
                found = self._find(call, row)
                if not call.ignored:
                    self._engine.conditional.cancel(call.account, conditional_id=found.conditional_id)
                done.append(named | {"algoId": found.conditional_id, "sCode": "0", "sMsg": "", "tag": ""})
            except (ErrorReply, Refused) as problem:
                gone = errors.cannot_cancel()
                error = problem if isinstance(problem, ErrorReply) else ErrorReply(200, gone.code, gone.message)
                done.append(named | {"sCode": error.code, "sMsg": error.message, "tag": ""})
        return replies.of_batch(done)

    def _amend(self, call: Call) -> Any:
        row = parameters.body(call)
        named = {name: parameters.text(row, name) for name in ("algoId", "algoClOrdId", "reqId")}
        try:
            if parameters.boolean(row, "cxlOnFail"):
                raise errors.not_simulated("cxlOnFail")
            if not any(row.get(name) for name in _AMENDABLE):
                raise ErrorReply(200, "51500", "You must enter a price, quantity, or TP/SL.")
            swap = self._instruments.get(parameters.text(row, "instId"))
            found = self._find(call, row)
            wanted = self._amended(row, found.wanted, swap)
            if not call.ignored:
                self._engine.conditional.amend(call.account, found.conditional_id, wanted)
        except (ErrorReply, Refused) as problem:
            if isinstance(problem, Refused) and problem.reason is RefusalReason.UNKNOWN_ORDER:
                problem = errors.cannot_amend(None)
            elif isinstance(problem, Refused) and problem.reason is RefusalReason.ORDER_CLOSED:
                problem = ErrorReply(200, "51509", "Modification failed as the order has been canceled.")
            raise _row_refused(problem, named) from problem
        return [named | {"algoId": found.conditional_id, "sCode": "0", "sMsg": ""}]

    def _amended(self, row: Row, old: NewConditional, swap: OkxInstrument) -> NewConditional:
        triggers = []
        for trigger in old.triggers:
            prefix = {"tp": "newTp", "sl": "newSl"}.get(trigger.name, "new")
            price_name, order_name = f"{prefix}TriggerPx", f"{prefix}OrdPx"
            if trigger.trail is not None:
                raise errors.bad("ordType")
            triggers.append(
                replace(
                    trigger,
                    price=parameters.decimal(row, price_name) if row.get(price_name) else trigger.price,
                    order_price=_order_price(row, order_name) if row.get(order_name) else trigger.order_price,
                    by=_by(row, f"{price_name}Type", trigger.by),
                )
            )
        if old.kind in ("conditional", "oco"):
            self._check_side(tuple(triggers), old.side, swap, None)
        size = swap.coins(parameters.decimal(row, "newSz")) if row.get("newSz") else old.quantity
        return replace(old, triggers=tuple(triggers), quantity=size)

    def _query(self, call: Call) -> Any:
        return [self.write(self._find(call, call.params))]

    def _pending(self, call: Call) -> Any:
        return self._page(call, [one for one in self._listed(call) if one.status.is_open])

    def _history(self, call: Call) -> Any:
        state, algo_id = call.params.get("state", ""), call.params.get("algoId", "")
        if not state and not algo_id:
            raise errors.either("state", "algoId")
        rows = self._page(call, [one for one in self._listed(call) if not one.status.is_open])
        return [row for row in rows if state in ("", row["state"])]

    def _listed(self, call: Call) -> list[SimConditional]:
        kinds = parameters.required(call.params, "ordType").split(",")
        for kind in kinds:
            if kind not in KINDS and kind not in conditional_formats.ABSENT_KINDS:
                raise errors.bad("ordType")
        if not self._instruments.check_type(call.params.get("instType", "")):
            return []
        inst_id = call.params.get("instId", "")
        symbol = self._instruments.get(inst_id).symbol if inst_id else None
        algo_id = call.params.get("algoId", "")
        return [
            one
            for one in self._engine.conditional.listed(call.account, symbol)
            if one.wanted.kind in kinds and algo_id in ("", one.conditional_id)
        ]

    def _page(self, call: Call, oldest_first: list[SimConditional]) -> list[dict[str, Any]]:
        found = oldest_first[::-1]
        return [
            self.write(one) for one in parameters.page(found, [int(one.conditional_id) for one in found], call.params)
        ]

    def _find(self, call: Call, row: Row) -> SimConditional:
        algo_id, name = parameters.text(row, "algoId"), parameters.text(row, "algoClOrdId")
        if not algo_id and not name:
            raise errors.either("algoId", "algoClOrdId")
        return self._engine.conditional.find(call.account, conditional_id=algo_id, client_id=name)


def _by(row: Row, name: str, default: TriggerBy = TriggerBy.LAST) -> TriggerBy:
    given = parameters.text(row, name)
    if given and given not in _BY:
        raise errors.bad(name)
    return _BY[given] if given else default


def _order_price(row: Row, name: str) -> Decimal | None:
    given = parameters.required(row, name)
    return None if given == MARKET_PRICE else parameters.decimal(row, name)


def _row_refused(problem: ErrorReply | Refused, named: dict[str, str]) -> errors.RowRefused:
    error = problem if isinstance(problem, ErrorReply) else errors.of_reason(problem.reason)
    return errors.RowRefused(error.code, error.message, named)
