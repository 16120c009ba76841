"""The model as messages of GatewayService and back: status, rate budget, lease, halts of trading."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opensqt.model.countdown import ArmedCountdown, DeadMachineStatus, ElapsedCountdown
from opensqt.model.order import OrderRef
from opensqt.model.venue import (
    Channel,
    Check,
    ClaimRequest,
    ExchangeStatus,
    Halt,
    HaltedOrders,
    Lease,
    RateBudget,
    RateLimit,
    TradingClaim,
)
from opensqt.proto import gateway_service_pb2 as pb
from opensqt.proto import types_pb2
from opensqt.wire.codec import decode_notices, encode_notice
from opensqt.wire.requests import decode_symbol


def encode_status(status: ExchangeStatus, *, version: str, started_ms: int) -> pb.GetStatusResponse:
    """Encode what health depends on."""
    return pb.GetStatusResponse(
        healthy=status.healthy,
        checks=[
            pb.Check(name=check.name, ok=check.ok, reason=check.reason, since_ms=check.since_ms)
            for check in status.checks
        ],
        version=version,
        started_ms=started_ms,
        channels=[
            pb.Channel(name=channel.name, connected=channel.connected, data_age_ms=channel.data_age_ms)
            for channel in status.channels
        ],
        clock_offset_ms=status.clock_offset_ms,
        unresolved_orders=status.unresolved_orders,
        halts=map(encode_halt, status.halts),
        claims=map(encode_claim, status.claims),
        dead_machine=None if status.dead_machine is None else encode_dead_machine(status.dead_machine),
        account_mode=status.account_mode,
        notices=map(encode_notice, status.notices),
    )


def decode_status(message: pb.GetStatusResponse) -> ExchangeStatus:
    """Decode a connector's status."""
    return ExchangeStatus(
        checks=tuple(
            Check(name=check.name, ok=check.ok, reason=check.reason, since_ms=check.since_ms)
            for check in message.checks
        ),
        channels=tuple(
            Channel(
                name=channel.name,
                connected=channel.connected,
                data_age_ms=channel.data_age_ms if channel.HasField("data_age_ms") else None,
            )
            for channel in message.channels
        ),
        clock_offset_ms=message.clock_offset_ms if message.HasField("clock_offset_ms") else None,
        unresolved_orders=message.unresolved_orders,
        halts=tuple(map(decode_halt, message.halts)),
        claims=tuple(map(decode_claim, message.claims)),
        dead_machine=decode_dead_machine(message.dead_machine) if message.HasField("dead_machine") else None,
        account_mode=message.account_mode,
        notices=decode_notices(message.notices),
        version=message.version,
    )


def encode_budget(budget: RateBudget) -> pb.GetRateBudgetResponse:
    """Encode what is left of the venue's limits."""
    return pb.GetRateBudgetResponse(
        client=budget.client,
        limits=[
            pb.RateLimit(
                name=limit.name,
                limit=limit.limit,
                left=limit.left,
                window_ms=round(limit.window_s * 1000),
                used_by_client=limit.used_by_client,
            )
            for limit in budget.limits
        ],
        silent_ms=round(budget.silent_s * 1000),
        waiting=budget.waiting,
    )


def decode_budget(message: pb.GetRateBudgetResponse) -> RateBudget:
    """Decode what is left of the venue's limits."""
    return RateBudget(
        limits=tuple(
            RateLimit(
                name=limit.name,
                limit=limit.limit,
                left=limit.left,
                window_s=limit.window_ms / 1000,
                used_by_client=limit.used_by_client,
            )
            for limit in message.limits
        ),
        silent_s=message.silent_ms / 1000,
        client=message.client,
        waiting=message.waiting,
    )


def encode_lease(lease: Lease) -> pb.HeartbeatResponse:
    """Encode a client's lease."""
    return pb.HeartbeatResponse(
        client=lease.client,
        expires_ms=lease.expires_ms,
        lapsed=lease.lapsed,
        open_orders=lease.open_orders,
        claim=None if lease.claim is None else encode_claim(lease.claim),
        number=lease.number,
    )


def decode_lease(message: pb.HeartbeatResponse) -> Lease:
    """Decode a client's lease."""
    return Lease(
        client=message.client,
        expires_ms=message.expires_ms,
        lapsed=message.lapsed,
        open_orders=message.open_orders,
        claim=decode_claim(message.claim) if message.HasField("claim") else None,
        number=message.number,
    )


def encode_claim_request(asked: ClaimRequest) -> pb.TradingClaimRequest:
    """Encode what is asked for."""
    return pb.TradingClaimRequest(
        symbol=asked.symbol,
        strategy=asked.strategy,
        holder=asked.holder,
        description=asked.description,
        number=asked.number,
        take_over=asked.take_over,
    )


def decode_claim_request(message: pb.TradingClaimRequest) -> ClaimRequest:
    """Decode what is asked for.

    Raises:
        InvalidRequest: The symbol is none.
    """
    return ClaimRequest(
        symbol=decode_symbol(message.symbol),
        strategy=message.strategy,
        holder=message.holder,
        description=message.description,
        number=message.number,
        take_over=message.take_over,
    )


def encode_claim(claim: TradingClaim) -> pb.TradingClaim:
    """Encode a claim of trading."""
    return pb.TradingClaim(
        symbol=claim.symbol,
        strategy=claim.strategy,
        client=claim.client,
        description=claim.description,
        number=claim.number,
        since_ms=claim.since_ms,
        expires_ms=claim.expires_ms,
    )


def decode_claim(message: pb.TradingClaim) -> TradingClaim:
    """Decode a claim of trading."""
    return TradingClaim(
        symbol=message.symbol,
        strategy=message.strategy,
        client=message.client,
        description=message.description,
        number=message.number,
        since_ms=message.since_ms,
        expires_ms=message.expires_ms,
    )


def encode_dead_machine(status: DeadMachineStatus) -> pb.DeadMachine:
    """Encode how the venue's countdowns stand."""
    return pb.DeadMachine(
        timeout_ms=status.timeout_s * 1000,
        cancels=status.cancels,
        countdowns=[
            pb.Countdown(symbol=one.symbol, armed_until_ms=one.armed_until_ms, clients=one.clients, trouble=one.trouble)
            for one in status.countdowns
        ],
        elapsed=[
            pb.ElapsedCountdown(symbol=one.symbol, ended_ms=one.ended_ms, canceled_orders=one.canceled_orders)
            for one in status.elapsed
        ],
    )


def decode_dead_machine(message: pb.DeadMachine) -> DeadMachineStatus:
    """Decode how the venue's countdowns stand."""
    return DeadMachineStatus(
        timeout_s=message.timeout_ms // 1000,
        cancels=message.cancels,
        countdowns=tuple(
            ArmedCountdown(
                symbol=one.symbol,
                armed_until_ms=one.armed_until_ms,
                clients=tuple(one.clients),
                trouble=one.trouble,
            )
            for one in message.countdowns
        ),
        elapsed=tuple(
            ElapsedCountdown(symbol=one.symbol, ended_ms=one.ended_ms, canceled_orders=one.canceled_orders)
            for one in message.elapsed
        ),
    )


def encode_halt(halt: Halt) -> pb.Halt:
    """Encode a halt of trading."""
    return pb.Halt(
        halt_id=halt.halt_id,
        symbol=halt.symbol,
        client=halt.client,
        reason=halt.reason,
        since_ms=halt.since_ms,
        expires_ms=halt.expires_ms,
    )


def decode_halt(message: pb.Halt) -> Halt:
    """Decode a halt of trading."""
    return Halt(
        halt_id=message.halt_id,
        symbol=message.symbol,
        client=message.client,
        reason=message.reason,
        since_ms=message.since_ms,
        expires_ms=message.expires_ms,
    )


def encode_halted(halted: HaltedOrders) -> pb.HaltTradingResponse:
    """Encode a halt with the orders that it concerns."""
    return pb.HaltTradingResponse(
        halt=encode_halt(halted.halt), in_flight=_encode_refs(halted.in_flight), open=_encode_refs(halted.open)
    )


def decode_halted(message: pb.HaltTradingResponse) -> HaltedOrders:
    """Decode a halt with the orders that it concerns."""
    return HaltedOrders(
        halt=decode_halt(message.halt), in_flight=_decode_refs(message.in_flight), open=_decode_refs(message.open)
    )


def _encode_refs(refs: Iterable[OrderRef]) -> list[types_pb2.OrderRef]:
    return [
        types_pb2.OrderRef(symbol=ref.symbol, client_order_id=ref.client_order_id, order_id=ref.order_id)
        for ref in refs
    ]


def _decode_refs(messages: Iterable[Any]) -> tuple[OrderRef, ...]:
    return tuple(
        OrderRef(symbol=one.symbol, client_order_id=one.client_order_id, order_id=one.order_id) for one in messages
    )
