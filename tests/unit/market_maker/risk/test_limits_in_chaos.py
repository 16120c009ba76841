"""The limits on what is held, under lost replies, late requests, late fills and everything else at once."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings

from opensqt.market_maker.risk.controls import RiskControls
from opensqt.market_maker.risk.settings import ExposureLimits, ReduceLimits, RiskLimits
from opensqt.market_maker.strategy.grid.settings import GridMode
from tests.unit.market_maker.test_engine_properties import Chaos, Step, steps
from tests.unit.market_maker.venue import SYMBOL

CAP = 3
LIMITS = {
    "levels": RiskLimits(exposure=ExposureLimits(levels=CAP)),
    "levels, with reduction": RiskLimits(
        exposure=ExposureLimits(levels=CAP), reduce=ReduceLimits(share=Decimal("0.3"), every_s=10)
    ),
}


class LimitedChaos(Chaos):
    """At each step, if everything fills that the venue has or may still receive, no more levels hold something."""

    def check(self) -> None:
        super().check()
        ids = self.bench.engine.state.ids
        self.held(0)
        levels = {level for level, quantity in self.holdings.items() if quantity}
        waiting = [order.client_order_id for order in self.venue.open_orders]
        waiting += [request.client_order_id for _, request in self.late]
        levels |= {name.level for client_order_id in waiting if (name := ids.read(client_order_id))}
        assert len(levels) <= CAP, f"levels that hold something or may come to: {sorted(levels)}"


@pytest.mark.parametrize("mode", [GridMode.LONG, GridMode.NEUTRAL])
@pytest.mark.parametrize("limits", LIMITS)
@settings(max_examples=20, report_multiple_bugs=False)
@given(script=steps)
def test_no_chaos_breaks_the_cap_on_levels(limits: str, mode: GridMode, script: list[Step]) -> None:
    """F5: neither fills that are counted late nor orders that come to be late bring the grid over its limit."""
    chaos = LimitedChaos(risk=RiskControls(LIMITS[limits], symbol=SYMBOL), mode=mode)
    for action, a, b in script:
        chaos.step(action, a, b)
    chaos.is_exact_when_calm()
