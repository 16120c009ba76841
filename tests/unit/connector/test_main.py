"""The command's settings: flags over environment over file, and every mistake told in one line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from opensqt.config.connector import ConnectorSettings
from opensqt.connector.__main__ import SHORTCUTS, argument_parser, main, read_settings
from opensqt.model.errors import ConfigError
from opensqt.venues.factory import KNOWN

NAMES = ", ".join(KNOWN)
KEY, SECRET = "canaryKeyAbc123Def456", "canarySecretGhi789Jkl012"
KEYS = {"API_KEY": KEY, "API_SECRET": SECRET}
SHIPPED = Path(__file__).parents[3] / "configs" / "connector.yaml"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in SHORTCUTS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    monkeypatch.chdir(tmp_path)


def settings(*arguments: str) -> ConnectorSettings:
    return read_settings(argument_parser().parse_args(arguments))


def give(monkeypatch: pytest.MonkeyPatch, env: Mapping[str, str]) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert not [secret for secret in (KEY, SECRET) if secret[:8] in line]
    return line


def test_flags_win_over_the_environment_and_the_environment_over_the_file(monkeypatch) -> None:
    Path("c.yaml").write_text("exchange: {name: file}\nserver: {port: 1, linger_s: 1, drain_s: 1}\nsimulated: true\n")
    give(monkeypatch, {"PORT": "2", "OPENSQT__SERVER__LINGER_S": "2", "EXCHANGE": "environment"})
    read = settings("--config", "c.yaml", "--port", "3")
    assert (read.exchange.name, read.server.port) == ("environment", 3)
    assert (read.server.linger_s, read.server.drain_s) == (2, 1)


def test_a_stream_has_one_grace_period_and_the_more_exact_setting_gives_it() -> None:
    Path("c.yaml").write_text("exchange: {name: binance}\nserver: {linger_s: 7}\nsimulated: true\n")
    assert settings("--config", "c.yaml").venue.linger_s == 7
    Path("c.yaml").write_text("exchange: {name: binance, linger_s: 1}\nserver: {linger_s: 7}\nsimulated: true\n")
    assert settings("--config", "c.yaml").venue.linger_s == 1


def test_a_secret_can_be_read_from_a_file(monkeypatch) -> None:
    Path("secret").write_text(f"{SECRET}\n")
    give(monkeypatch, {"EXCHANGE": "binance", "API_KEY": KEY, "API_SECRET_FILE": "secret"})
    assert settings().exchange.secret.get_secret_value() == SECRET


def test_the_shipped_file_holds_the_defaults() -> None:
    assert settings("--config", str(SHIPPED), "--simulated") == settings("--simulated")


def test_the_journal_is_a_file_for_real_money_and_memory_without(monkeypatch) -> None:
    give(monkeypatch, {"EXCHANGE": "binance", **KEYS})
    assert settings().journal_path == "data/connector-binance.db"
    assert settings("--testnet").journal_path == "data/connector-binance-testnet.db"
    assert settings("--journal", "mine.db").journal_path == "mine.db"
    assert [settings(flag).journal_path for flag in ("--simulated", "--public-only")] == [":memory:"] * 2


@pytest.mark.parametrize("flags", [("--simulated",), ("--exchange", "binance", "--public-only")])
def test_no_key_is_needed_where_none_is_used(flags) -> None:
    assert settings(*flags).exchange.name == "binance"


def test_listening_beyond_loopback_has_to_be_said(monkeypatch) -> None:
    with pytest.raises(
        ConfigError, match=r"server\.host: '0\.0\.0\.0': every host that can connect to this port may trade"
    ):
        settings("--simulated", "--host", "0.0.0.0")
    assert settings("--simulated", "--host", "0.0.0.0", "--insecure").server.host == "0.0.0.0"
    assert {settings("--simulated", "--host", host).server.host for host in ("localhost", "::1", "127.0.0.2")}


TLS = ("--tls-cert", "server.pem", "--tls-key", "server.key")


@pytest.mark.parametrize(
    ("flags", "protected"),
    [
        ((), False),
        (("--clients", "clients.yaml"), False),
        (TLS, False),
        ((*TLS, "--clients", "clients.yaml"), True),
        ((*TLS, "--tls-client-ca", "ca.pem"), True),
    ],
)
def test_beyond_loopback_needs_tls_and_known_clients(flags, protected) -> None:
    arguments = ("--simulated", "--host", "0.0.0.0", *flags)
    if protected:
        assert settings(*arguments).server.host == "0.0.0.0"
    else:
        # A token in plain text is anybody's on the way.
        with pytest.raises(ConfigError, match=r"server\.host: '0\.0\.0\.0': .* without TLS .* and either clients_file"):
            settings(*arguments)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--tls-cert", "server.pem"), r"server\.tls_key_file: not set: expected together with tls_cert_file"),
        (("--tls-key", "server.key"), r"server\.tls_key_file: 'server\.key': expected together with tls_cert_file"),
        (("--tls-client-ca", "ca.pem"), r"server\.tls_client_ca_file: 'ca\.pem': expected tls_cert_file and"),
    ],
)
def test_half_of_tls_is_a_mistake(flags, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        settings("--simulated", *flags)


def test_the_metrics_page_stays_on_loopback_unless_told_otherwise() -> None:
    assert settings("--simulated", "--host", "0.0.0.0", "--insecure").server.metrics_host == "127.0.0.1"
    assert settings("--simulated", "--metrics-host", "0.0.0.0").server.metrics_host == "0.0.0.0"


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        ((), {}, f"exchange: none is named; set EXCHANGE or --exchange to one of {NAMES}, or run with --simulated"),
        (("--exchange", "binance"), {}, "API_KEY and API_SECRET: not set; set"),
        (("--exchange", "binance"), {"API_KEY": KEY}, "API_SECRET: not set; set"),
        (("--exchange", "binance"), {"API_KEY_FILE": "/none/key", "API_SECRET": SECRET}, "API_KEY_FILE: '/none/key'"),
        (("--config", "none.yaml"), {}, "none.yaml: can't be read"),
        (("--simulated", "--port", "70000"), {}, "server.port: 70000: "),
        (("--simulated", "--base-url", "http://127.0.0.1:1"), {}, "simulated: brings its own exchange"),
        (("--simulated",), {"LOG_LEVEL": "LOUD"}, "log_level: 'LOUD': expected DEBUG, INFO, WARNING or ERROR"),
        (("--simulated",), {"OPENSQT__SERVER__PROT": "1"}, "server.prot: no such key; did you mean port?"),
    ],
)
def test_a_mistake_ends_with_2_and_one_plain_sentence(monkeypatch, capsys, arguments, env, said: str) -> None:
    """F33: no secret shows in a log, an error or a page."""
    give(monkeypatch, env)
    assert main(arguments) == 2
    assert said in one_line(capsys)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exchange: {name: binance, api_kee: x}", "exchange.api_kee: no such key; did you mean api_key?"),
        ("exchnage: {name: binance}\nsimulated: true", "exchnage: no such key; did you mean exchange?"),
        ("simulated: true\nserver: {port: many}", "server.port: 'many':"),
        ("exchange: {name: binance, api_key: '${NOT_SET_HERE}'}", "the variable NOT_SET_HERE is not set"),
        (f"exchange: {{name: binance, api_key: {KEY}, secret: [{SECRET}]}}", "exchange.secret:"),
        ("exchange: binance", "exchange:"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_file_and_key(capsys, text: str, said: str) -> None:
    """F33: no secret shows in a log, an error or a page."""
    Path("connector.yaml").write_text(text)
    assert main(["--config", "connector.yaml"]) == 2
    line = one_line(capsys)
    assert line.startswith("error: connector.yaml: ")
    assert said in line


def test_an_unknown_flag_ends_with_2(capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--simulate-nothing"])
    assert ended.value.code == 2
    assert "unrecognized arguments: --simulate-nothing" in capsys.readouterr().err
