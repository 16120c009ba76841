"""The `exchanges.remote` section."""

from __future__ import annotations

from pathlib import Path

import pytest

from opensqt.config.remote import RemoteSettings, from_environment
from opensqt.model.errors import ConfigError


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
    """F33: no secret shows in a log, an error or a page."""
    assert "canary" not in f"{RemoteSettings(token='canary-token')!r}"


@pytest.mark.parametrize("field", ["deadline_s", "retry_scale"])
def test_a_time_below_zero_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        RemoteSettings(**{field: -1})


@pytest.mark.parametrize("address", ["10.0.0.5:50051", "exchange_connector:50051", "[2001:db8::1]:50051"])
def test_a_token_does_not_travel_in_plain_text_beyond_this_machine(address: str) -> None:
    """F33: no secret shows in a log, an error or a page."""
    with pytest.raises(ConfigError, match=r"exchanges\.remote\.token: .*plain text; set tls_ca_file") as caught:
        from_environment({"base_url": address, "token": "canary-token"}, environ={})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("protection", [{"tls": True}, {"tls_ca_file": "ca.pem"}, {"insecure": True}])
def test_a_token_may_travel_where_it_is_protected_or_that_is_asked_for(protection: dict[str, object]) -> None:
    settings = from_environment({"base_url": "gateway:50051", "token": "t", **protection}, environ={})
    assert settings.token.get_secret_value() == "t"


@pytest.mark.parametrize("address", ["localhost:1", "127.0.0.9:1", "[::1]:1"])
def test_a_token_may_travel_within_this_machine(address: str) -> None:
    assert RemoteSettings(base_url=address, token="t").token.get_secret_value() == "t"


def test_no_token_needs_no_protection() -> None:
    assert not RemoteSettings(base_url="exchange_connector:50051").uses_tls


@pytest.mark.parametrize("half", ["tls_cert_file", "tls_key_file"])
def test_a_client_certificate_is_given_with_its_key(half: str) -> None:
    with pytest.raises(ConfigError, match="expected tls_cert_file and tls_key_file together"):
        from_environment({half: "some.pem", "tls": True}, environ={})


def test_a_client_certificate_needs_tls() -> None:
    with pytest.raises(ConfigError, match="a client certificate needs TLS"):
        from_environment({"tls_cert_file": "a.pem", "tls_key_file": "a.key"}, environ={})


@pytest.mark.parametrize("name", ["two words", "x" * 65, "naïve", "a\nb"])
def test_a_name_is_plain(name: str) -> None:
    with pytest.raises(ConfigError, match=r"exchanges\.remote\.name: .*expected 1 to 64 letters"):
        from_environment({"name": name}, environ={})


def test_a_token_of_two_lines_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected plain characters on one line"):
        from_environment({"token": "one\ntwo"}, environ={})


def test_the_environment_is_read_and_an_argument_wins(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("from-a-file\n")
    environ = {
        "EXCHANGE_GRPC_ADDRESS": "127.0.0.1:1",
        "CONNECTOR_TOKEN_FILE": str(token),
        "OPENSQT__EXCHANGES__REMOTE__DEADLINE_S": "3",
        "OPENSQT__TRADING__SYMBOL": "the market maker's",
    }
    settings = from_environment({"base_url": "127.0.0.1:2"}, environ=environ)
    assert (settings.base_url, settings.token.get_secret_value(), settings.deadline_s) == (
        "127.0.0.1:2",
        "from-a-file",
        3,
    )


def test_a_service_has_its_own_name_unless_another_is_set() -> None:
    assert RemoteSettings().with_name("live-server").name == "live-server"
    assert RemoteSettings(name="page").with_name("live-server").name == "page"
