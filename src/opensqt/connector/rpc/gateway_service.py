"""The methods of GatewayService: what the gateway itself reports and does, beyond the exchange account."""

from __future__ import annotations

from dataclasses import replace

from opensqt.connector.auth.limits import OrderLimits
from opensqt.connector.health import HealthMonitor
from opensqt.connector.orders.claim_keeper import ClaimKeeper
from opensqt.connector.orders.dead_machine import DeadMachineSwitch
from opensqt.connector.orders.halt_keeper import HaltKeeper
from opensqt.connector.orders.lease_keeper import LeaseKeeper
from opensqt.connector.orders.manager import OrderManager
from opensqt.connector.rpc.dispatch import Context, Handler
from opensqt.connector.rpc.fill_pages import FillPages
from opensqt.connector.rpc.funding_pages import FundingPages
from opensqt.model.client_context import current_client
from opensqt.model.errors import InvalidRequest
from opensqt.model.exchange import Exchange
from opensqt.proto import gateway_service_pb2 as pb
from opensqt.version import __version__
from opensqt.wire import gateway_codec, requests


class GatewayCalls:
    """The methods of GatewayService."""

    def __init__(
        self,
        exchange: Exchange,
        manager: OrderManager,
        health: HealthMonitor,
        leases: LeaseKeeper,
        halts: HaltKeeper,
        claims: ClaimKeeper,
        dead_machine: DeadMachineSwitch,
        limits: OrderLimits,
    ) -> None:
        self._exchange = exchange
        self._manager = manager
        self._health = health
        self._leases = leases
        self._halts = halts
        self._claims = claims
        self._dead_machine = dead_machine
        self._limits = limits
        self._fills = FillPages(exchange)
        self._funding = FundingPages(exchange)
        self.reading: dict[str, Handler] = {
            "GetStatus": self._get_status,
            "ListFills": self._list_fills,
            "ListFundingPayments": self._list_funding_payments,
            "GetRateBudget": self._get_rate_budget,
        }
        """What only looks."""
        self.trading: dict[str, Handler] = {"Heartbeat": self._heartbeat}
        """What is for those who trade."""

    async def _get_status(self, _request: pb.GetStatusRequest, _context: Context) -> pb.GetStatusResponse:
        now = replace(
            self._health.status,
            unresolved_orders=self._manager.unresolved,
            halts=self._halts.standing(),
            claims=self._claims.standing(),
            dead_machine=self._dead_machine.status(),
        )
        return gateway_codec.encode_status(now, version=__version__, started_ms=self._health.started_ms)

    async def _get_rate_budget(self, _request: pb.GetRateBudgetRequest, _context: Context) -> pb.GetRateBudgetResponse:
        return gateway_codec.encode_budget(await self._exchange.get_rate_budget())

    async def _heartbeat(self, request: pb.HeartbeatRequest, _context: Context) -> pb.HeartbeatResponse:
        client, claim = current_client(), None
        if request.HasField("claim"):
            # Before the lease: a second program of the same name must not renew the lease of the first.
            asked = gateway_codec.decode_claim_request(request.claim)
            self._limits.check_trade(asked.symbol)
            claim = await self._claims.beat(asked, client, request.ttl_ms)
        lease = await self._leases.beat(client, request.ttl_ms, request.number)
        return gateway_codec.encode_lease(replace(lease, claim=claim))

    async def _list_fills(self, request: pb.ListFillsRequest, _context: Context) -> pb.ListFillsResponse:
        symbol = requests.decode_symbol(request.symbol)
        if request.since_ms < 0:
            raise InvalidRequest(f"since_ms {request.since_ms}: expected UTC epoch milliseconds", symbol=symbol)
        return await self._fills.answer(request)

    async def _list_funding_payments(
        self, request: pb.ListFundingPaymentsRequest, _context: Context
    ) -> pb.ListFundingPaymentsResponse:
        symbol = requests.decode_symbol(request.symbol, required=False)
        if request.since_ms < 0:
            raise InvalidRequest(f"since_ms {request.since_ms}: expected UTC epoch milliseconds", symbol=symbol)
        return await self._funding.answer(request)
