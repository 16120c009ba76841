"""The private frames of a unified account, each field changed, over a whole adapter: what can't be read is reported."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import structlog

from opensqt.model.account import PositionMode
from opensqt.venues.bitget.unified.adapter import UnifiedAccount
from opensqt.venues.events import FillsPending
from tests.unit.venues.bitget import test_unified as unified
from tests.unit.venues.test_frames import Rig, changes

ROWS = {"order": unified.ORDER, "fill": unified.TRADE, "position": unified.POSITION, "account": unified.ACCOUNT}


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Log nothing: to write thousands of lines takes longer than to read the frames."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.fixture
def rig() -> Rig:
    made = Rig("bitget")
    venue: Any = made.exchange.venue
    vars(venue)["_unified"] = UnifiedAccount(venue)
    venue.position_mode = PositionMode.HEDGE
    return made


@pytest.mark.parametrize("topic", ROWS)
async def test_a_changed_frame_is_read_or_reported_and_is_no_error_of_ours(rig: Rig, topic: str) -> None:
    """F25, F44: each field removed, null, of another type or with a new word, the category of the product too."""
    good = unified.frame(topic, ROWS[topic])
    assert rig.feed(good)
    assert len(rig.events) == 1, "the frame can be read"
    for change in changes(good):
        before = rig.noted()
        assert rig.feed(change.frame), change.what
        assert not rig.metrics.own_errors, change.what
        # A fill without its fee is queried. An empty list has nothing that could be lost.
        assert rig.events or rig.noted() > before or change.value == [], change.what
        rig.clear()


@pytest.mark.parametrize("topic", ROWS)
async def test_a_bad_row_hides_no_other_of_its_frame(rig: Rig, topic: str) -> None:
    """F25, F44: the good row is read whatever stands before it."""
    for change in changes(ROWS[topic]):
        rig.feed(unified.frame(topic, change.frame, ROWS[topic]))
        assert [event for event in rig.events if not isinstance(event, FillsPending)], change.what
        rig.clear()


@pytest.mark.parametrize("category", ["spot", "MARGIN", "coin-futures", "usdc-futures"])
async def test_a_row_of_another_product_is_neither_read_nor_reported(rig: Rig, category: str) -> None:
    for topic in ("order", "fill", "position"):
        assert rig.feed(unified.frame(topic, ROWS[topic] | {"category": category}))
        assert not rig.events
    assert not rig.noted()
