"""A second client of a class is made quicker than the first, and is the same."""

from __future__ import annotations

import types
from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.venues.factory import KNOWN, create_exchange


def client_of(venue: str) -> Any:
    settings = VenueSettings(name=venue, base_url="http://127.0.0.1:1", public_only=True)
    adapter: Any = create_exchange(settings)
    return adapter.client


@pytest.mark.parametrize("venue", KNOWN)
class TestSecondClient:
    def test_has_every_name_of_the_first(self, venue: str) -> None:
        first, second = client_of(venue), client_of(venue)
        assert set(dir(second)) == set(dir(first))
        assert vars(second).keys() == vars(first).keys()
        assert {"fetch_ohlcv", "fetchOHLCV", "load_markets", "loadMarkets"} <= set(dir(second))

    def test_has_the_values_of_the_first_and_shares_none_that_can_change(self, venue: str) -> None:
        first, second = vars(client_of(venue)), vars(client_of(venue))
        # Each has an id of its own, and a ping that is its own method.
        plain = [
            name
            for name, value in first.items()
            if isinstance(value, str | int | float | bool | dict | list) and name not in ("origin", "streaming")
        ]
        assert {name: second[name] for name in plain} == {name: first[name] for name in plain}
        assert second["options"] is not first["options"]

    def test_writes_no_method_on_its_class_again(self, venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
        kind = type(client_of(venue))
        written = kind.fetchOHLCV
        assert isinstance(written, types.FunctionType)
        monkeypatch.delattr(kind, "fetchOHLCV", raising=True)
        assert "fetchOHLCV" not in vars(type(client_of(venue)))
