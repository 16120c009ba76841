"""The checks of GetStatus that say that something is wrong with the comparison or with the adapter itself."""

from __future__ import annotations

from typing import Any

from opensqt.model.errors import OrderRejected
from opensqt.model.order import OrderType, Side
from opensqt.model.venue import Check
from tests.chaos.adapter_rig import Adapter, Rig, code_of, on_simulator
from tests.support import eventually


async def red(rig: Rig, name: str) -> Check | None:
    """The check while it fails."""
    status = await rig.exchange.get_status()
    return next((check for check in status.checks if check.name == name and not check.ok), None)


async def known(rig: Rig, name: str) -> bool:
    return any(check.name == name for check in (await rig.exchange.get_status()).checks)


async def test_a_comparison_that_is_refused_for_good_turns_its_check_red(adapter: Adapter, venue: str) -> None:
    """F31, F44: no outage, so no other check shows it; a comparison that succeeds takes the check away."""
    async with adapter(reconcile_interval_s=0.2) as rig:
        assert not await known(rig, "reconciliation")
        rig.fault(kind="refuse", on="positions", code=code_of(venue, OrderRejected), times=50)
        check = await eventually(lambda: red(rig, "reconciliation"))
        assert "OrderRejected" in check.reason
        assert not (await rig.exchange.get_status()).healthy
        rig.simulator.faults.clear()
        await eventually(lambda: _gone(rig, "reconciliation"))
        await rig.trade(1)
        await rig.agrees()
        assert (await rig.exchange.get_status()).healthy


async def test_an_outage_is_no_failure_of_the_comparison(adapter: Adapter) -> None:
    """F31: the check `venue` shows it, and one cause turns one check red."""
    async with adapter(reconcile_interval_s=0.2) as rig:
        rig.fault(kind="error_before", on="any", status=503, for_ms=60_000)
        await eventually(lambda: red(rig, "venue"))
        assert not await known(rig, "reconciliation")
        rig.simulator.faults.clear()
        await eventually(lambda: _is_healthy(rig))


async def test_an_error_of_ours_in_a_comparison_turns_its_check_red() -> None:
    """F25, F31: it is named, and the comparison after it repairs what it left."""
    async with on_simulator("binance", reconcile_interval_s=0.2) as rig:
        positions = rig.exchange.venue.positions

        async def fails(symbol: str = "") -> Any:
            raise TypeError("our slip")

        rig.exchange.venue.positions = fails  # type: ignore[method-assign]
        check = await eventually(lambda: red(rig, "reconciliation"))
        assert check.reason == "TypeError('our slip')"
        rig.exchange.venue.positions = positions  # type: ignore[method-assign]
        await eventually(lambda: _gone(rig, "reconciliation"))


async def test_an_error_of_ours_in_a_frame_turns_its_check_red_until_a_comparison_repairs_it(adapter: Adapter) -> None:
    """F25, F31, F44: the frames of the fault are lost, and nothing that they said."""
    async with adapter(reconcile_interval_s=0.5) as rig:
        venue = rig.exchange.venue
        parse = venue.parse

        def fails(frame: Any) -> Any:
            raise AttributeError("our slip")

        venue.parse = fails  # type: ignore[method-assign]
        await rig.exchange.place_order(rig.request(Side.BUY, order_type=OrderType.MARKET))
        check = await eventually(lambda: red(rig, "frames"))
        assert "our slip" in check.reason
        assert rig.exchange.malformed_frames == 0
        venue.parse = parse  # type: ignore[method-assign]
        await eventually(lambda: _gone(rig, "frames"))
        await rig.agrees()
        assert rig.exchange.venue_metrics.own_errors["private"] >= 1


async def _gone(rig: Rig, name: str) -> bool:
    return not await known(rig, name)


async def _is_healthy(rig: Rig) -> bool:
    return (await rig.exchange.get_status()).healthy
