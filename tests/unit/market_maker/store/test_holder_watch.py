"""When a grid may be taken from the one that holds it."""

from __future__ import annotations

from dataclasses import replace

from opensqt.market_maker.store.holder_watch import STALE_S, HolderWatch
from opensqt.market_maker.store.holders import Holder

ROW = Holder(symbol="BTCUSDT", holder="one", description="maker on a", number=3, renewed_ms=1_000, age_s=0.2)


def test_a_row_that_nobody_has_or_that_was_given_up_is_free() -> None:
    """At once, without waiting for it to become stale."""
    watch = HolderWatch()
    assert watch.is_free(None, 100)
    assert watch.is_free(replace(ROW, holder=""), 100)
    assert not watch.is_free(ROW, 100)


def test_a_row_that_is_not_renewed_becomes_free() -> None:
    """Its age counts from its renewal: 0.2 s had passed when it was seen first."""
    watch = HolderWatch()
    watch.is_free(ROW, 100)
    assert not watch.is_free(replace(ROW, age_s=5.0), 104.7)
    assert watch.is_free(replace(ROW, age_s=5.1), 104.9)
    assert not watch.renewed


def test_each_renewal_begins_anew_and_shows_that_the_holder_lives() -> None:
    """Also a change of the number alone, for that is another holder."""
    watch = HolderWatch()
    watch.is_free(ROW, 100)
    assert not watch.is_free(replace(ROW, renewed_ms=2_500), 104.9)
    assert not watch.is_free(replace(ROW, renewed_ms=2_500, number=4), 109)
    assert not watch.is_free(replace(ROW, renewed_ms=2_500, number=4), 113.9)
    assert watch.renewed == {"BTCUSDT"}


def test_a_step_of_the_databases_clock_takes_the_grid_from_nobody() -> None:
    """An hour ahead, the row looks old to that clock; an hour back, it looks renewed in the future."""
    watch = HolderWatch()
    watch.is_free(ROW, 100)
    assert not watch.is_free(replace(ROW, age_s=3_600.0), 101)
    assert not watch.is_free(replace(ROW, age_s=-3_600.0), 102)
    assert watch.is_free(replace(ROW, age_s=-3_595.0), 105)


def test_a_row_that_is_old_when_it_is_seen_first_is_free_at_once() -> None:
    """The first start after a machine was away for an hour need not wait."""
    assert HolderWatch().is_free(replace(ROW, age_s=3_600.0), 100)


def test_after_the_database_was_away_its_holder_gets_the_whole_time_to_renew() -> None:
    """Neither of them could reach it: that is no sign that the holder is dead."""
    watch = HolderWatch()
    watch.is_free(ROW, 100)
    watch.interrupt()
    assert not watch.is_free(replace(ROW, age_s=60.0), 160)
    assert not watch.is_free(replace(ROW, age_s=64.9), 160 + STALE_S - 0.1)
    assert watch.is_free(replace(ROW, age_s=65.0), 160 + STALE_S)
