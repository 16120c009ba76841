"""Bitget's modify-order: the order is canceled and another one is placed, under another id.

https://www.bitget.com/api-doc/contract/trade/Modify-Order
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from opensqt.model.order import OrderType
from opensqt.simulator.dialects.base import Call, ErrorReply, Route
from opensqt.simulator.dialects.bitget import errors, parameters
from opensqt.simulator.dialects.bitget.trading import CLIENT_ID, Trading, ids, names, with_limits
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.engine.order import NewOrder, RefusalReason

_PRESETS = ("newPresetStopSurplusPrice", "newPresetStopLossPrice")


class Amending:
    """Amendments of the account that signed the call."""

    def __init__(self, engine: SimEngine, trading: Trading) -> None:
        self._engine = engine
        self._trading = trading

    def routes(self) -> list[Route]:
        """Return the endpoint."""
        return [Route("POST", "/api/v2/mix/order/modify-order", "amend_order", self._modify, 10)]

    def _modify(self, call: Call) -> Any:
        """Place the order anew with another price and quantity, which are sent together with a new client id.

        When the engine refuses the new order the old one is gone all the same, as at the venue, which cancels first.
        """
        params = call.params
        rules = self._trading.rules(params)
        if given := [name for name in _PRESETS if params.get(name)]:
            raise ErrorReply(400, "40053", f"The parameter {given[0]} is not supported")
        price, quantity = parameters.decimal(params, "newPrice"), parameters.decimal(params, "newSize")
        new_id = parameters.text(params, "newClientOid")
        if not CLIENT_ID.fullmatch(new_id):
            raise errors.bad_client_order_id()
        if quantity % rules.quantity_step or quantity < rules.min_quantity:
            raise errors.of_reason(RefusalReason.QUANTITY_STEP)
        order_id, client_order_id = ids(params)
        found = self._engine.find(call.account, rules.symbol, order_id=order_id, client_order_id=client_order_id)
        if not found.status.is_open:
            raise errors.of_reason(RefusalReason.ORDER_CLOSED)
        if call.ignored:
            return names(replace(found, client_order_id=new_id))
        wanted = NewOrder(
            symbol=rules.symbol,
            side=found.side,
            quantity=quantity,
            order_type=OrderType.LIMIT,
            price=price,
            time_in_force=found.time_in_force,
            reduce_only=found.reduce_only,
            position_side=found.position_side,
            client_order_id=new_id,
            details=found.details,
        )
        wanted = replace(wanted, attached=self._trading.attached(dict(found.details), wanted))
        self._engine.cancel(call.account, rules.symbol, order_id=found.order_id)
        with with_limits(wanted, rules):
            return names(self._engine.place(call.account, wanted))
