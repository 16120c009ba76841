"""The market maker's Prometheus metrics, read from the engine when they are requested."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Histogram, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from opensqt.market_maker.engine import GridEngine
from opensqt.market_maker.orders.slots import SlotState
from opensqt.market_maker.profit.markout import HORIZONS_S
from opensqt.market_maker.profit.report import profit_parts
from opensqt.market_maker.risk import report
from opensqt.market_maker.status import fees_value, realized, unrealized

_MILLISECONDS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


Deliveries = Callable[[], Mapping[str, tuple[int, int]]]
"""Returns delivered alerts and failed attempts by target."""


class _Merged(Collector):
    """The metrics of several market makers: one family by name, as the text format wants it."""

    def __init__(self, makers: Sequence[MarketMakerMetrics], deliveries: Deliveries) -> None:
        self._makers = makers
        self._deliveries = deliveries

    def collect(self) -> Iterator[Metric]:
        merged: dict[str, Metric] = {family.name: family for family in _alerts("", self._deliveries)}
        for maker in self._makers:
            for family in maker.families():
                known = merged.setdefault(family.name, family)
                if known is not family:
                    known.samples.extend(family.samples)
        return iter(merged.values())


def merged_text(makers: Sequence[MarketMakerMetrics], deliveries: Deliveries = dict) -> bytes:
    """Return the metrics of several market makers in Prometheus' text format.

    Args:
        makers: One for each symbol.
        deliveries: Of the process; the symbol of its metrics is empty.
    """
    registry = CollectorRegistry()
    registry.register(_Merged(makers, deliveries))
    return generate_latest(registry)


def _alerts(symbol: str, deliveries: Deliveries) -> Iterator[Metric]:
    labels = ["symbol", "target"]
    delivered = CounterMetricFamily("market_maker_alerts_delivered", "Alerts that a target took", labels=labels)
    failed = CounterMetricFamily(
        "market_maker_alerts_failed", "Attempts to deliver an alert that failed", labels=labels
    )
    for target, (taken, attempts) in deliveries().items():
        delivered.add_metric([symbol, target], taken)
        failed.add_metric([symbol, target], attempts)
    yield from (delivered, failed)


class MarketMakerMetrics(Collector):
    """The metrics of one market maker, in a registry of their own.

    Args:
        engine: The grid.
    """

    def __init__(self, engine: GridEngine) -> None:
        self._engine = engine
        self.deliveries: Deliveries = dict
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self.exchange_ms = Histogram(
            "market_maker_latency_exchange_ms",
            "Milliseconds from sending orders to their result",
            labelnames=["symbol"],
            buckets=_MILLISECONDS,
            registry=self._registry,
        ).labels(engine.settings.symbol)
        self.tick_to_trade_ms = Histogram(
            "market_maker_latency_tick_to_trade_ms",
            "Milliseconds from receiving a price to handing over the orders that it led to",
            labelnames=["symbol"],
            buckets=_MILLISECONDS,
            registry=self._registry,
        ).labels(engine.settings.symbol)

    def _triggered(self) -> Metric:
        engine = self._engine
        active = {
            "position": bool(engine.halt_reason),
            "margin": engine.orders.margin_backoff.until > time.monotonic(),
            **report.active(engine.risk),
        }
        gauge = GaugeMetricFamily(
            "market_maker_risk_triggered", "1 while the rule stops or limits entries", labels=["symbol", "rule"]
        )
        for rule, on in active.items():
            gauge.add_metric([engine.settings.symbol, rule], int(on))
        return gauge

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def families(self) -> Iterator[Metric]:
        """Return all metrics, the histograms among them."""
        return iter(self._registry.collect())

    def collect(self) -> Iterator[Metric]:
        """Return the metrics of the engine; called by the registry."""
        engine, state = self._engine, self._engine.state
        now = time.monotonic()
        totals, labels = state.totals, [self._engine.settings.symbol]
        net = realized(engine) - fees_value(engine)
        active = sum(1 for order in state.live_orders() if order.status.is_open)
        gauges = (
            ("market_maker_pnl_realized_total", "Realized profit after fees, quote", net),
            ("market_maker_pnl_unrealized", "Open profit, quote", unrealized(engine)),
            ("market_maker_orders_active", "Orders that the venue works", active),
            ("market_maker_position_size", "Position, base coins, signed", state.position),
            (
                "market_maker_entries_refused",
                "Reasons for which the exchange refuses entries for good",
                engine.orders.refusals.lasting(now, closes=False),
            ),
            (
                "market_maker_exits_refused",
                "Reasons for which the exchange refuses exits for good",
                engine.orders.refusals.lasting(now, closes=True),
            ),
            ("market_maker_store_failing", "1 while the database is not writable", int(bool(engine.store_problem))),
            ("market_maker_standby", "1 while it waits to take over", 0),
            ("market_maker_circuit_breaker_open", "1 while it stops entries", int(engine.risk.breaker.is_open)),
        )
        for name, text, value in gauges:
            gauge = GaugeMetricFamily(name, text, labels=["symbol"])
            gauge.add_metric(labels, float(value))
            yield gauge
        yield self._triggered()
        yield from self._reference(labels)
        fees = GaugeMetricFamily(
            "market_maker_fees",
            "Fees paid, in units of the asset",
            labels=["symbol", "asset"],
        )
        for asset, paid in totals.fees.items():
            fees.add_metric([*labels, asset], float(paid))
        yield fees
        yield from self._profit()
        counters = (
            ("market_maker_orders_placed", "Orders that the venue accepted", totals.orders_placed),
            ("market_maker_orders_filled", "Fills counted", totals.fills),
            ("market_maker_volume", "Traded, quote", totals.volume),
        )
        for name, text, value in counters:
            counter = CounterMetricFamily(name, text, labels=["symbol"])
            counter.add_metric(labels, float(value))
            yield counter
        yield from _alerts(self._engine.settings.symbol, self.deliveries)
        slots = GaugeMetricFamily("market_maker_slots", "Slots with an order or a holding", labels=["symbol", "state"])
        for slot_state in SlotState:
            count = sum(1 for slot in state.slots.values() if slot.state is slot_state)
            slots.add_metric([*labels, slot_state.value], count)
        yield slots

    def _profit(self) -> Iterator[Metric]:
        accounting, symbol = self._engine.state.accounting, self._engine.settings.symbol
        ledger, mark = accounting.ledger, accounting.valuation_price
        if ledger is None:
            return
        parts = GaugeMetricFamily("market_maker_profit", "Parts of the profit, quote", labels=["symbol", "part"])
        if mark is not None:
            for part, amount in profit_parts(ledger, mark=mark, round_trips=self._engine.state.totals.profit).items():
                parts.add_metric([symbol, part], float(amount))
        yield parts
        unpriced = GaugeMetricFamily(
            "market_maker_fees_unpriced",
            "Fees without a price, in units of the asset; no part of the profit",
            labels=["symbol", "asset"],
        )
        for asset, amount in ledger.unpriced_fees.items():
            unpriced.add_metric([symbol, asset], float(amount))
        yield unpriced
        payments = CounterMetricFamily("market_maker_funding_payments", "Funding payments counted", labels=["symbol"])
        payments.add_metric([symbol], ledger.funding_payments)
        yield payments
        markout = GaugeMetricFamily(
            "market_maker_markout_ratio",
            "Gain of fills from their price to the middle of the book so many seconds later, as a fraction",
            labels=["symbol", "side", "seconds"],
        )
        for (side, horizon), found in accounting.markouts.by_side.items():
            if found.ratio is not None:
                markout.add_metric([symbol, side.value, str(HORIZONS_S[horizon])], float(found.ratio))
        yield markout

    def _reference(self, labels: list[str]) -> Iterator[Metric]:
        prices = self._engine.prices
        held = GaugeMetricFamily(
            "market_maker_price_held", "1 while the price inputs disagree and the quotes stay", labels=["symbol"]
        )
        held.add_metric(labels, int(prices.hold is not None))
        yield held
        holds = CounterMetricFamily(
            "market_maker_price_holds", "Times that the price inputs began to disagree", labels=["symbol"]
        )
        holds.add_metric(labels, prices.holds)
        yield holds
        if prices.market is not None:
            price = GaugeMetricFamily("market_maker_reference_price", "The trusted price, quote", labels=["symbol"])
            price.add_metric(labels, float(prices.market.reference))
            yield price
        refused = CounterMetricFamily(
            "market_maker_price_inputs_refused", "Price inputs that were not used", labels=["symbol", "reason"]
        )
        for reason, count in prices.data.refused.items():
            refused.add_metric([*labels, reason], count)
        yield refused
