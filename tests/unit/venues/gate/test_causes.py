"""What Gate's terms say of an order."""

from __future__ import annotations

import pytest

from opensqt.venues.gate.causes import close_text


@pytest.mark.parametrize("open_as", ["_new", "_update"])
def test_an_open_order_has_not_finished(open_as: str) -> None:
    """The stream names these in `finish_as`, so each order was told a second time, with a reason for its end."""
    assert close_text(open_as) == ""


def test_an_end_that_the_status_does_not_show_has_its_words() -> None:
    assert close_text("liquidated") == "finished as liquidated"
