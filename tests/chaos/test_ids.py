"""Client order ids against each venue's own rule: every id that we make fits, and tells what it was made of."""

from __future__ import annotations

import random

from opensqt.market_maker.orders.ids import OrderIds
from opensqt.model import client_order_id
from opensqt.model.client_order_id import is_valid
from opensqt.model.order import Side
from opensqt.venues.factory import venue_type


def test_every_id_that_is_made_fits_the_venue(venue: str, large: bool) -> None:
    """F22: a million of the connector's, made in the same seconds, and not one twice."""
    longest = venue_type(venue).capabilities.client_order_id_length
    count = 1_000_000 if large else 10_000
    made = {client_order_id.new("sq") for _ in range(count)}
    assert len(made) == count
    assert [one for one in made if not is_valid(one, max_length=longest)] == []


def test_every_id_of_a_slot_fits_the_venue_and_names_its_slot(venue: str, large: bool) -> None:
    """F22: a million of the grid's, over all its levels and two centuries of sequences."""
    longest = venue_type(venue).capabilities.client_order_id_length
    chance, ids = random.Random(22), OrderIds("SQ1", "1000SHIBUSDT")
    for _ in range(1_000_000 if large else 10_000):
        slot = (chance.randint(-100_000, 100_000), chance.choice(list(Side)), chance.randrange(8_000_000_000_000))
        made = ids.make(*slot)
        assert is_valid(made, max_length=longest)
        name = ids.read(made)
        assert name is not None
        assert (name.level, name.side, name.sequence) == slot
