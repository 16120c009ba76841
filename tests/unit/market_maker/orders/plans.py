"""What a plan has to be: the same as that of a planner that has just looked at everything."""

from __future__ import annotations

from opensqt.market_maker.orders.planner import Plan, Planner
from opensqt.market_maker.strategy.quoter import Permission
from tests.unit.market_maker.venue import RULES, Bench

PERMISSIONS = (
    Permission(buys=99, sells=99),
    Permission(buys=1, sells=0, exits=False),
    Permission(buys=0, sells=0, pull_buys=True, pull_sells=True),
    Permission(buys=99, sells=99, backed_off={-1, 0, 1}, requoted={-2, 2}),
    Permission(buys=99, sells=99, hold=True),
)


def plans_as_from_nothing(bench: Bench) -> None:
    """Compare the plan that follows from changes with one that is made of the whole state."""
    engine = bench.engine
    if engine.planner is None or engine.market is None:
        return
    frame = engine.planner.quoter.frame(engine.market, engine.state)
    for permission in PERMISSIONS:
        changed = engine.planner.plan(frame, permission)
        fresh = Planner(engine.planner.quoter, engine.state, RULES, max_open_orders=12, cleanup_batch=3)
        assert _content(changed) == _content(fresh.plan(frame, permission))


def _content(plan: Plan) -> tuple[object, ...]:
    return plan.places, {order.client_order_id: order for order in plan.cancels}
