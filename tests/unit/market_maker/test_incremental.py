"""A decision that follows what changed is the decision that looks at everything again."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.market_maker.engine import GridEngine
from opensqt.market_maker.engine_settings import EngineSettings
from opensqt.market_maker.orders.events import AccountUpdate, CallTimed, Cancel, Command, Event, PriceUpdate
from opensqt.market_maker.orders.stored import Stored
from opensqt.market_maker.risk.controls import RiskControls
from opensqt.market_maker.risk.settings import BreakerLimits, ExposureLimits, LossSettings, RiskLimits
from opensqt.market_maker.strategy.grid.settings import GridMode
from opensqt.market_maker.strategy.inputs import MarkUpdate
from opensqt.market_maker.strategy.price_inputs import InputName
from opensqt.market_maker.strategy.reference import ReferenceSettings
from opensqt.model.account import Account
from opensqt.model.market import MarkPrice, Price
from tests.unit.market_maker.test_engine_properties import ACTIONS, QUOTERS, Chaos, Step
from tests.unit.market_maker.venue import RULES, SYMBOL, Bench, price
from tests.unit.market_maker.venue import settings as engine_settings

steps = st.lists(
    st.tuples(
        st.sampled_from((*ACTIONS, *("drift",) * 4, "mark", "account", "latency", "look")),
        st.integers(0, 99),
        st.integers(0, 99),
    ),
    min_size=30,
    max_size=120,
)
LIMITS = {
    "none": RiskLimits(),
    "levels": RiskLimits(exposure=ExposureLimits(levels=4)),
    "losses": RiskLimits(
        losses=LossSettings(peak=Decimal("0.01")),
        breaker=BreakerLimits(losses_in_a_row=2, latency_ms=50, least_orders=3, cool_down_s=5),
    ),
}


class Compared(Bench):
    """Hands everything to a second engine too, which plans anew each time, and compares what the two decide."""

    def __init__(self, *, limits: RiskLimits, **changes: object) -> None:
        super().__init__(risk=_controls(limits), **changes)
        self.again = GridEngine(_settings(changes), RULES, Stored(), now=self.now, risk=_controls(limits))

    def tell(self, event: Event) -> None:
        self.again.handle(event, self.now)
        super().tell(event)

    def wait(self, seconds: float) -> None:
        if isinstance(newest := self.engine.prices.data.newest, Price):
            self.again.handle(PriceUpdate(newest), self.now + seconds)
        super().wait(seconds)

    def think(self) -> None:
        self.again.planner, self.again.orders.plan_dirty = None, True
        afresh = self.again.decide(self.now)
        seen = len(self.commands)
        super().think()
        assert _comparable(self.commands[seen:]) == _comparable(afresh)
        changes, expected = self.changes[-1], self.again.state.take_changes()
        assert (changes.header, changes.slots, changes.fills) == (expected.header, expected.slots, expected.fills)
        assert changes.accounting == expected.accounting
        assert _by_id(changes.orders) == _by_id(expected.orders)


class ComparedChaos(Chaos):
    """Chaos with news of price, account and calls in between."""

    bench_type = Compared

    def check(self) -> None:
        """Do nothing: the bench compares at each decision."""

    def drift(self, a: int, b: int) -> None:
        """The price moves by less than a level, and some time passes."""
        self.at = max(Decimal(800), min(Decimal(1200), self.at + Decimal(a - 50) / 20))
        self.bench.now += b / 50
        self.bench.tell(PriceUpdate(price(self.at)))

    def mark(self, a: int, b: int) -> None:
        mark = self.at * (1 + Decimal(a - 50) / 8000)
        self.bench.tell(MarkUpdate(MarkPrice(symbol=SYMBOL, mark=mark, funding_rate=Decimal(b) / 10_000)))

    def account(self, a: int, b: int) -> None:
        equity = Decimal(1000 + a)
        update = Account(asset="USDT", wallet_balance=equity, unrealized_pnl=Decimal(0), available_balance=equity)
        self.bench.tell(AccountUpdate(update, int(self.bench.now * 1000)))

    def latency(self, a: int, b: int) -> None:
        self.bench.tell(CallTimed(float(a)))

    def look(self, a: int, b: int) -> None:
        """Time passes, and nothing happens."""
        self.bench.now += a / 20
        self.bench.think()


def _controls(limits: RiskLimits) -> RiskControls:
    return RiskControls(limits, symbol=SYMBOL)


def _settings(changes: dict[str, object]) -> EngineSettings:
    return engine_settings(**changes)


def _comparable(commands: list[Command]) -> list[object]:
    """Return the commands; the order of the cancels in one request does not matter."""
    return [frozenset(one.refs) if isinstance(one, Cancel) else one for one in commands]


def _by_id(orders: tuple[object, ...]) -> dict[str, object]:
    return {order.client_order_id: order for order in orders}  # type: ignore[attr-defined]


def _run(script: list[Step], **changes: object) -> None:
    chaos = ComparedChaos(**changes)
    for action, a, b in script:
        chaos.step(action, a, b)
    chaos.calm()


@pytest.mark.parametrize("limits", LIMITS)
@settings(max_examples=20, report_multiple_bugs=False)
@given(script=steps)
def test_a_step_decides_as_a_plan_of_everything(limits: str, script: list[Step]) -> None:
    """F5: whatever follows only what changed: the same orders as of a plan made from nothing, limits included."""
    _run(script, limits=LIMITS[limits], mode=GridMode.NEUTRAL)


@pytest.mark.parametrize("quoter", QUOTERS)
@settings(max_examples=8, report_multiple_bugs=False)
@given(script=steps)
def test_a_step_of_each_quoter_decides_as_a_plan_of_everything(quoter: str, script: list[Step]) -> None:
    """F5: the same for each strategy, with the limits of the price on."""
    inputs = frozenset(InputName)
    _run(script, limits=RiskLimits(), reference=ReferenceSettings(), price_inputs=inputs, **QUOTERS[quoter])
