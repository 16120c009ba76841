"""The connector's own settings."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from opensqt.config.connector import ConnectorServerSettings, ConnectorSettings
from opensqt.config.venue import VenueSettings

ACCOUNT = VenueSettings(name="binance")


@pytest.mark.parametrize("seconds", [0, 10, 60, 120])
def test_the_dead_machine_switch_is_off_or_long_enough_to_be_renewed(seconds: int) -> None:
    assert ConnectorServerSettings(dead_machine_s=seconds).dead_machine_s == seconds


@pytest.mark.parametrize("seconds", [-1, 1, 9, 121])
def test_another_time_of_the_dead_machine_switch_is_refused(seconds: int) -> None:
    with pytest.raises(ValidationError, match="dead_machine_s"):
        ConnectorServerSettings(dead_machine_s=seconds)


def test_the_adapter_keeps_as_many_order_updates_as_a_client_may_be_behind() -> None:
    """It kept 65,536, of which no client could read more than 8,192: 25 MB after a day of trading."""
    kept = ConnectorSettings(exchange=ACCOUNT).venue.order_buffer
    assert kept == ConnectorServerSettings().stream_buffer
    wide = ConnectorSettings(exchange=ACCOUNT, server=ConnectorServerSettings(stream_buffer=50_000))
    assert wide.venue.order_buffer == 50_000


def test_a_small_buffer_of_the_clients_leaves_the_connector_itself_room() -> None:
    narrow = ConnectorSettings(exchange=ACCOUNT, server=ConnectorServerSettings(stream_buffer=16))
    assert narrow.venue.order_buffer == VenueSettings(name="binance").order_buffer


def test_the_account_may_name_what_its_adapter_keeps() -> None:
    account = VenueSettings(name="binance", order_buffer=20_000, linger_s=3)
    venue = ConnectorSettings(exchange=account).venue
    assert (venue.order_buffer, venue.linger_s) == (20_000, 3)


def test_the_dead_machine_switch_is_off_unless_asked_for() -> None:
    """F30: the countdown of most venues reaches orders that are not ours."""
    assert ConnectorServerSettings().dead_machine_s == 0
