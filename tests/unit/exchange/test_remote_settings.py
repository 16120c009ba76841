"""The `exchanges.remote` section."""

from __future__ import annotations

import pytest

from opensqt.config.remote import RemoteSettings


def test_the_defaults_reach_a_connector_on_this_machine() -> None:
    settings = RemoteSettings()
    assert (settings.base_url, settings.tls_ca_file, settings.token.get_secret_value()) == ("localhost:50051", None, "")


@pytest.mark.parametrize("address", ["localhost:1", "127.0.0.1:50051", "exchange_connector:50051", "[::1]:50051"])
def test_an_address_is_host_and_port(address: str) -> None:
    assert RemoteSettings(base_url=address).base_url == address


def test_what_is_left_empty_in_the_file_is_none() -> None:
    settings = RemoteSettings.model_validate({"tls_ca_file": "", "token": None})
    assert (settings.tls_ca_file, settings.token.get_secret_value()) == (None, "")


def test_the_token_is_not_shown() -> None:
    """F33."""
    assert "canary" not in f"{RemoteSettings(token='canary-token')!r}"


@pytest.mark.parametrize("field", ["deadline_s", "retry_scale"])
def test_a_time_below_zero_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        RemoteSettings(**{field: -1})
