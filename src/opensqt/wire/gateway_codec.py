"""The model as messages of GatewayService and back: status, rate budget, lease."""

from __future__ import annotations

from opensqt.model.venue import Channel, Check, ExchangeStatus, Lease, RateBudget, RateLimit
from opensqt.proto import gateway_service_pb2 as pb


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
        client=lease.client, expires_ms=lease.expires_ms, lapsed=lease.lapsed, open_orders=lease.open_orders
    )


def decode_lease(message: pb.HeartbeatResponse) -> Lease:
    """Decode a client's lease."""
    return Lease(
        client=message.client, expires_ms=message.expires_ms, lapsed=message.lapsed, open_orders=message.open_orders
    )
