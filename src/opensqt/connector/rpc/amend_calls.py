"""The method of GatewayService that amends an order."""

from __future__ import annotations

from opensqt.connector.auth.limits import OrderLimits
from opensqt.connector.orders.amending import Amendments
from opensqt.connector.orders.claims import Claims
from opensqt.connector.rpc.dispatch import Context, Handler
from opensqt.connector.rpc.exchange_service import note_call, order_wait_s
from opensqt.model.client_context import current_client
from opensqt.model.errors import ExchangeError
from opensqt.model.order import Order
from opensqt.proto import gateway_service_pb2 as pb
from opensqt.wire import codec
from opensqt.wire.amendments import decode_amend_request


class AmendCalls:
    """AmendOrder.

    Args:
        amendments: Takes the amendments.
        limits: What each client's orders are held to.
        claims: Who may trade what.
        order_wait_s: How long a call waits for a proven outcome, unless its own deadline is sooner.
    """

    def __init__(self, amendments: Amendments, limits: OrderLimits, claims: Claims, *, order_wait_s: float) -> None:
        self._amendments = amendments
        self._limits = limits
        self._claims = claims
        self._order_wait_s = order_wait_s
        self.trading: dict[str, Handler] = {"AmendOrder": self._amend_order}

    async def _amend_order(self, request: pb.AmendOrderRequest, context: Context) -> pb.AmendOrderResponse:
        asked = decode_amend_request(request)
        note_call(asked.order.symbol, asked.order.client_order_id or asked.order.order_id)

        def barrier(order: Order) -> ExchangeError | None:
            return self._claims.refusal(order.symbol, order.client_order_id, request.claim_number, current_client())

        order = await self._amendments.amend(
            asked,
            wait_s=order_wait_s(context, self._order_wait_s),
            denial=self._limits.to_amend,
            barrier=barrier,
        )
        return pb.AmendOrderResponse(order=codec.encode_order(order))
