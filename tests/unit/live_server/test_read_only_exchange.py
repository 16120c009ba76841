"""The live server can read, and only read."""

from __future__ import annotations

from opensqt.live_server.read_only_exchange import ReadOnlyExchange
from opensqt.model.exchange import Exchange


def test_it_knows_no_call_that_could_place_or_cancel():
    """REQ-GRPC-022: mypy holds the rest of the package to this protocol."""
    known = {name for name in vars(ReadOnlyExchange) if not name.startswith("_")}
    assert known <= set(vars(Exchange))
    assert not [name for name in known if "place" in name or "cancel" in name]
