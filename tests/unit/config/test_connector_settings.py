"""The connector's own settings."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from opensqt.config.connector import ConnectorServerSettings


@pytest.mark.parametrize("seconds", [0, 10, 60, 120])
def test_the_dead_machine_switch_is_off_or_long_enough_to_be_renewed(seconds: int) -> None:
    assert ConnectorServerSettings(dead_machine_s=seconds).dead_machine_s == seconds


@pytest.mark.parametrize("seconds", [-1, 1, 9, 121])
def test_another_time_of_the_dead_machine_switch_is_refused(seconds: int) -> None:
    with pytest.raises(ValidationError, match="dead_machine_s"):
        ConnectorServerSettings(dead_machine_s=seconds)


def test_the_dead_machine_switch_is_off_unless_asked_for() -> None:
    """F30: the countdown of most venues reaches orders that are not ours."""
    assert ConnectorServerSettings().dead_machine_s == 0
