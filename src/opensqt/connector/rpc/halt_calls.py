"""The methods of GatewayService that halt and resume trading."""

from __future__ import annotations

from opensqt.connector.auth.limits import OrderLimits
from opensqt.connector.orders.halt_keeper import HaltKeeper
from opensqt.connector.orders.journal import HaltRecord
from opensqt.connector.orders.manager import OrderManager
from opensqt.connector.rpc.dispatch import Context, Handler
from opensqt.model.client_context import current_client
from opensqt.model.venue import HaltedOrders
from opensqt.proto import gateway_service_pb2 as pb
from opensqt.wire import gateway_codec, requests


class HaltCalls:
    """HaltTrading and ResumeTrading.

    Args:
        halts: The connector's halts.
        orders: Knows what is in flight and what is open.
        limits: Whom each client may halt.
    """

    def __init__(self, halts: HaltKeeper, orders: OrderManager, limits: OrderLimits) -> None:
        self._halts = halts
        self._orders = orders
        self._limits = limits
        self.trading: dict[str, Handler] = {
            "HaltTrading": self._halt_trading,
            "ResumeTrading": self._resume_trading,
        }
        """Both change who may trade."""

    async def _halt_trading(self, request: pb.HaltTradingRequest, _context: Context) -> pb.HaltTradingResponse:
        symbol = requests.decode_symbol(request.symbol, required=False)
        self._limits.check_halt(symbol)
        asked = HaltRecord(
            halt_id=request.halt_id,
            client=current_client(),
            symbol=symbol,
            reason=request.reason,
            ttl_ms=request.ttl_ms,
        )
        halt = await self._halts.halt(asked)
        in_flight = tuple(one.ref for one in self._orders.in_flight(symbol))
        known_open = tuple(self._orders.own.known_open(symbol))
        return gateway_codec.encode_halted(HaltedOrders(halt=halt, in_flight=in_flight, open=known_open))

    async def _resume_trading(self, request: pb.ResumeTradingRequest, _context: Context) -> pb.ResumeTradingResponse:
        symbol = requests.decode_symbol(request.symbol, required=False)
        if request.halt_id:
            known = self._halts.find(request.halt_id)
            self._limits.check_halt(symbol if known is None else known.symbol)
            lifting = [] if known is None else [known]
        else:
            self._limits.check_halt(symbol)
            lifting = self._halts.held(symbol)
        lifted = await self._halts.lift(lifting)
        return pb.ResumeTradingResponse(
            lifted=map(gateway_codec.encode_halt, lifted),
            standing=map(gateway_codec.encode_halt, self._halts.standing()),
        )
