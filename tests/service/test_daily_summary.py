"""The summary of a day is sent once, also over a restart, and the time that the grid stood still is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from opensqt.config.alerts import AlertsSettings
from opensqt.market_maker.alerts.daily import keeping_days, read_summary
from opensqt.market_maker.alerts.service import alerting
from opensqt.market_maker.store.store import Store
from tests.support import eventually
from tests.support.alert_targets import Received, webhook


async def run_once(database: Path, hook: Received, *problems: str) -> None:
    """Run the alerts of a process whose summary is due at any time of the day, until its counts are read."""
    target = {"url": hook.url, "level": "info"}
    given = {"targets": {"hook": target}, "after_seconds": 0, "daily_summary_at": "00:00"}
    store = await Store.open(f"sqlite:///{database}")
    try:
        async with alerting(AlertsSettings.model_validate(given), "BTCUSDT") as alerts:
            alerts.watch(lambda: problems)
            async with keeping_days(store, ["BTCUSDT"], alerts):
                await eventually(lambda: alerts.counts and alerts.counts["BTCUSDT"].summary_sent)
                if problems:
                    await eventually(lambda: alerts.counts["BTCUSDT"].today.paused_s > 0)
    finally:
        await store.close()


async def test_the_summary_is_sent_once_a_day_over_a_restart(tmp_path: Path) -> None:
    async with webhook() as hook:
        await run_once(tmp_path / "grid.db", hook)
        await eventually(lambda: hook.messages)
        await run_once(tmp_path / "grid.db", hook)
    (message,) = hook.messages
    assert message["title"].startswith("BTCUSDT: summary of 20")
    assert "round trips 0 (0)" in message["message"]


async def test_the_time_of_a_pause_is_kept_over_a_restart(tmp_path: Path) -> None:
    async with webhook() as hook:
        await run_once(tmp_path / "grid.db", hook, "paused: exits only")
    store = await Store.open(f"sqlite:///{tmp_path}/grid.db")
    try:
        summary = await read_summary(store, "BTCUSDT", datetime.now(UTC).date())
    finally:
        await store.close()
    assert summary.paused_s is not None
    assert summary.paused_s > 0
    assert (summary.halted_s, summary.alerts) == (0, 1)
