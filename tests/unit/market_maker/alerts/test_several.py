"""Alerts, day counts and metrics of several symbols in one process."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from decimal import Decimal

from opensqt.config.alerts import AlertsSettings
from opensqt.market_maker.alerts.catalogue import condition
from opensqt.market_maker.alerts.day import DayCounts
from opensqt.market_maker.alerts.message import AlertLevel
from opensqt.market_maker.alerts.policy import AlertPolicy
from opensqt.market_maker.alerts.service import Alerts
from opensqt.market_maker.alerts.summary import DaySummary, summaries_text, total_of
from opensqt.market_maker.metrics import merged_text


def test_a_problem_of_one_symbol_has_its_key_and_the_advice_of_its_kind() -> None:
    """Two symbols with one problem are two alerts."""
    found = [condition(f"{symbol}: halted: the venue holds 2") for symbol in ("BTCUSDT", "1000PEPEUSDT")]
    assert [one.key for one in found] == ["BTCUSDT: halted", "1000PEPEUSDT: halted"]
    assert {one.level for one in found} == {AlertLevel.CRITICAL}
    assert found[0].advice == condition("halted: the venue holds 2").advice


def test_a_symbol_that_stands_still_is_counted_for_that_symbol_only() -> None:
    alerts = Alerts(AlertsSettings(after_seconds=Decimal(0)), "several")
    alerts.watch(lambda: ["ETHUSDT: does not trade: an error", "XRPUSDT: paused: exits only"])
    alerts.counts = {symbol: DayCounts() for symbol in ("BTCUSDT", "ETHUSDT", "XRPUSDT")}
    now = time.monotonic()
    alerts.look(now)
    alerts.look(now + 10)
    today = datetime.now(UTC).date()
    found = {symbol: counts.of(today) for symbol, counts in alerts.counts.items()}
    assert {symbol: (one.paused_s, one.halted_s, one.alerts) for symbol, one in found.items() if one} == {
        "BTCUSDT": (0, 0, 0),
        "ETHUSDT": (0, 10, 1),
        "XRPUSDT": (10, 0, 1),
    }


def test_one_symbol_does_not_use_up_the_messages_of_the_others() -> None:
    """A symbol whose problems come and go fills the limit of an hour; what is critical of another one is sent."""
    policy = AlertPolicy(AlertsSettings(after_seconds=0), "several")
    sent = []
    for now in range(200):
        flapping = [
            f"XRPUSDT: {kind}: it comes and goes" for kind in ("halted", "does not trade", "database", "reconcile")
        ]
        problems = flapping if now % 2 else []
        sent += policy.update([condition(problem) for problem in problems], float(now))
    assert 0 < len(sent) <= policy.settings.per_hour // 2
    later = policy.update([condition("BTCUSDT: halted: the venue holds 2")], 300.0)
    assert [alert.key for alert in later] == ["BTCUSDT: halted"]


def test_counts_that_are_damaged_begin_anew() -> None:
    """F44: the row of one symbol can't be read; the days of the others are kept."""
    for text in ("", "{", "[]", "{}", '{"today": 1, "before": 2, "summary_sent": ""}', '{"today": {"day": ""}}'):
        assert DayCounts.decode(text) == DayCounts()


def summary(symbol: str, total: str) -> DaySummary:
    names = ("round_trips", "realized", "venue_made", "by_hand", "fees", "funding", "volume", "drawdown", "open")
    return DaySummary(
        symbol=symbol,
        day=date(2026, 11, 28),
        fills=3,
        exits=1,
        total=Decimal(total),
        position=Decimal(1),
        mark=Decimal(100),
        account_equity=Decimal(5000),
        paused_s=None,
        halted_s=None,
        alerts=None,
        **dict.fromkeys(names, Decimal(2)),
    )


def test_the_sum_of_a_day_adds_what_can_be_added() -> None:
    """The equity is the account's, so that it is not added."""
    total = total_of([summary("BTCUSDT", "1.5"), summary("ETHUSDT", "-0.25")])
    assert (total.total, total.fills, total.fees, total.account_equity) == (Decimal("1.25"), 6, 4, 5000)


def test_the_message_of_several_symbols_has_the_sum_and_each_one() -> None:
    one, two = summary("BTCUSDT", "1.5"), summary("ETHUSDT", "-0.25")
    assert summaries_text([one]) == one.text()
    text = summaries_text([one, two])
    names = ["all", "BTCUSDT", "ETHUSDT"]
    assert [line for line in text.splitlines() if line in names] == names
    assert "total 1.25:" in text


def test_the_metrics_of_the_alerts_are_the_process_s() -> None:
    """Once, and not for each symbol: a sum over the symbols must not multiply them."""
    text = merged_text([], lambda: {"hook": (3, 1)}).decode()
    assert 'market_maker_alerts_delivered_total{symbol="",target="hook"} 3.0' in text
    assert 'market_maker_alerts_failed_total{symbol="",target="hook"} 1.0' in text
