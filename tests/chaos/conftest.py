"""The fault proofs run on every venue: `venue` names it, `adapter` opens its adapter on its simulator."""

from __future__ import annotations

from functools import partial

import pytest

from opensqt.venues.factory import VENUES
from tests.chaos.adapter_rig import Adapter, on_simulator


@pytest.fixture(params=sorted(VENUES))
def venue(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def adapter(venue: str) -> Adapter:
    return partial(on_simulator, venue)
