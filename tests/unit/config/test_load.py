"""Settings: what a user may write, and the sentence that he reads when he wrote something else."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from opensqt.config.load import Section, load, read_variable
from opensqt.model.errors import ConfigError
from opensqt.telemetry.logging import redact

CANARY = "CanaryKey7f3a91"


class Venue(Section):
    api_key: SecretStr = SecretStr("")
    fee_rate: Decimal = Decimal("0.0002")


class Trading(Section):
    symbol: str = "ETHUSDT"
    symbols: tuple[str, ...] = ()
    order_quantity: Decimal = Field(default=Decimal(30), gt=0)
    buy_window_size: int = 10
    enabled: bool = True


class Settings(Section):
    levels: tuple[Trading, ...] = ()
    trading: Trading = Trading()
    extra: Venue | None = None
    """A section that may be left out."""
    exchanges: dict[str, Venue] = Field(default_factory=dict)
    database_url: str = "sqlite:///data/x.db"


class Strict(Section):
    name: str


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def read(tmp_path: Path, text: str, **environ: str) -> Settings:
    return load(Settings, written(tmp_path, text), environ=environ, shortcuts={"SYMBOL": "trading.symbol"})


def refusal(tmp_path: Path, text: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, **environ)
    return str(caught.value).replace(str(tmp_path), "")


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Settings()


def test_no_file_means_the_defaults_and_the_environment() -> None:
    settings = load(Settings, None, environ={"OPENSQT__TRADING__SYMBOL": "BTCUSDT"})
    assert settings == Settings(trading=Trading(symbol="BTCUSDT"))


def test_a_price_never_passes_through_a_float(tmp_path: Path) -> None:
    settings = read(tmp_path, "trading: {order_quantity: 0.1000000000000000055511151231257827}")
    assert str(settings.trading.order_quantity) == "0.1000000000000000055511151231257827"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("tradng: {}", "tradng: no such key; did you mean trading?"),
        ("trading: {symbl: X}", "trading.symbl: no such key; did you mean symbol?"),
        ("exchanges: {binance: {fee_rat: 1}}", "exchanges.binance.fee_rat: no such key; did you mean fee_rate?"),
        ("levels: [{}, {symbl: X}]", "levels.1.symbl: no such key; did you mean symbol?"),
        ("extra: {fee_rat: 1}", "extra.fee_rat: no such key; did you mean fee_rate?"),
        ("zzz: 1", "zzz: no such key; expected one of database_url, exchanges, extra, levels, trading"),
    ],
)
def test_an_unknown_key_is_named_and_the_nearest_known_one_told(tmp_path: Path, text: str, hint: str) -> None:
    assert refusal(tmp_path, text) == f"/config.yaml: {hint}"


def test_a_missing_variable_is_named_with_the_key_that_wants_it(tmp_path: Path) -> None:
    told = refusal(tmp_path, "exchanges: {binance: {api_key: '${NOT_SET}'}}")
    assert "exchanges.binance.api_key: the variable NOT_SET is not set" in told


def test_a_variable_in_a_list_is_expanded(tmp_path: Path) -> None:
    settings = read(tmp_path, "trading: {symbols: ['${FIRST}', '${SECOND:-ETHUSDT}']}", FIRST="BTCUSDT")
    assert settings.trading.symbols == ("BTCUSDT", "ETHUSDT")


def test_a_default_may_be_empty(tmp_path: Path) -> None:
    assert read(tmp_path, 'trading: {symbol: "x${NOT_SET:-}y"}').trading.symbol == "xy"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("trading: {buy_window_size: ten}", ("trading.buy_window_size: 'ten'", "integer")),
        ("trading: {order_quantity: -1}", ("trading.order_quantity: '-1'", "greater than 0")),
        ("trading: {enabled: perhaps}", ("trading.enabled: 'perhaps'", "boolean")),
        ("trading: 7", ("trading: str:", "expected", "Trading")),
        ("trading: {symbols: BTCUSDT}", ("trading.symbols: 'BTCUSDT'", "expected a list")),
    ],
)
def test_a_wrong_type_names_key_value_and_what_was_expected(tmp_path: Path, text: str, parts: tuple[str, ...]) -> None:
    told = refusal(tmp_path, text)
    assert all(part in told for part in parts), told


def test_a_key_without_a_default_is_named_as_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name: is missing"):
        load(Strict, written(tmp_path, "{}"), environ={})


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    told = refusal(tmp_path, "trading: {symbl: X, buy_window_size: ten}")
    assert "symbl" in told
    assert "buy_window_size" in told


def test_a_key_given_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    told = refusal(tmp_path, "trading:\n  symbol: BTCUSDT\n  symbol: ETHUSDT\n")
    assert told == "/config.yaml: line 3: not valid YAML: key 'symbol' is given twice"


def test_the_environment_wins_over_the_file_and_the_shortcut(tmp_path: Path) -> None:
    text = "trading: {symbol: FROMFILE}"
    assert read(tmp_path, text).trading.symbol == "FROMFILE"
    assert read(tmp_path, text, SYMBOL="SHORT").trading.symbol == "SHORT"
    assert read(tmp_path, text, SYMBOL="SHORT", OPENSQT__TRADING__SYMBOL="LONG").trading.symbol == "LONG"


def test_a_variable_can_make_a_section_that_the_file_lacks(tmp_path: Path) -> None:
    settings = read(tmp_path, "", OPENSQT__EXCHANGES__GATE__FEE_RATE="0.0005")
    assert settings.exchanges["gate"].fee_rate == Decimal("0.0005")


def test_a_variable_can_give_a_list(tmp_path: Path) -> None:
    settings = read(tmp_path, "", OPENSQT__TRADING__SYMBOLS="[BTCUSDT, ETHUSDT]")
    assert settings.trading.symbols == ("BTCUSDT", "ETHUSDT")


def test_a_variable_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    assert "trading.symbl: no such key" in refusal(tmp_path, "", OPENSQT__TRADING__SYMBL="X")


@pytest.mark.parametrize("secret", ["0123", "1e5", "yes", "null", "2021-01-08", "#x: y", "[x"])
def test_a_secret_is_taken_letter_by_letter(tmp_path: Path, secret: str) -> None:
    settings = read(tmp_path, "", OPENSQT__EXCHANGES__BINANCE__API_KEY=secret)
    assert settings.exchanges["binance"].api_key.get_secret_value() == secret


def test_a_passphrase_of_digits_keeps_its_zeros(tmp_path: Path) -> None:
    settings = read(tmp_path, "exchanges: {okx: {api_key: 0123}}")
    assert settings.exchanges["okx"].api_key.get_secret_value() == "0123"


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text(f"{CANARY}\n", encoding="utf-8")
    settings = read(tmp_path, "exchanges: {binance: {api_key: '${API_KEY}'}}", API_KEY_FILE=str(secret))
    assert settings.exchanges["binance"].api_key.get_secret_value() == CANARY


def test_a_secret_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ConfigError, match=r"API_KEY_FILE: '/no/such' can't be read"):
        read_variable("API_KEY", {"API_KEY_FILE": "/no/such"})


@pytest.mark.parametrize(
    "text",
    [
        f"exchanges: {{binance: {{api_key: [{CANARY}]}}}}",
        f"exchanges: {{binance: {{api_key: {CANARY}, fee_rate: x}}}}",
        f"exchanges: {{binance: {{api_key: {CANARY}, unknown: 1}}}}",
        f"database_url: [{CANARY}]",
        f"exchanges: {{binance: {CANARY}}}",
        f"exchanges: {CANARY}",
    ],
)
def test_a_refused_setting_never_shows_a_secret(tmp_path: Path, text: str) -> None:
    """F33: no secret shows in a log, an error or a page."""
    assert CANARY not in refusal(tmp_path, text)


def test_settings_printed_do_not_show_a_secret(tmp_path: Path) -> None:
    """F33: no secret shows in a log, an error or a page."""
    settings = read(tmp_path, f"exchanges: {{binance: {{api_key: {CANARY}}}}}")
    assert CANARY not in f"{settings!r} {settings} {settings.model_dump()}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- a\n- b\n", "/config.yaml: expected keys and values at the top, found list"),
        ("trading: {symbol: [}\n", "/config.yaml: line 1: not valid YAML"),
    ],
)
def test_a_file_that_is_no_settings_file_is_told_apart(tmp_path: Path, text: str, told: str) -> None:
    assert refusal(tmp_path, text).startswith(told)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: can't be read: No such file"):
        load(Settings, tmp_path / "absent.yaml", environ={})


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="expected UTF-8 text"):
        load(Settings, path, environ={})


def test_each_file_that_something_was_read_from_is_told(tmp_path: Path) -> None:
    path, word = written(tmp_path, "name: ${WORD}"), tmp_path / "word"
    word.write_text("x\n")
    opened: list[Path] = []
    load(Strict, path, environ={"WORD_FILE": str(word), "OTHER_FILE": "absent"}, opened=opened.append)
    assert opened == [path, word]


def test_what_is_said_of_a_secret_key_survives_the_redaction(tmp_path: Path) -> None:
    told = refusal(tmp_path, "{token: sqt_0123456789, api_key: 0123456789}")
    assert "token: no such key;" in redact(told)
    assert "api_key: no such key;" in redact(told)
    assert "0123456789" not in told


def test_a_flag_wins_over_the_environment_and_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "trading: {symbol: FILEUSDT, buy_window_size: 1}")
    settings = load(
        Settings,
        path,
        environ={"OPENSQT__TRADING__SYMBOL": "ENVUSDT", "OPENSQT__TRADING__BUY_WINDOW_SIZE": "2"},
        flags={"trading.symbol": "FLAGUSDT", "trading.buy_window_size": None},
    )
    assert (settings.trading.symbol, settings.trading.buy_window_size) == ("FLAGUSDT", 2)


def test_a_flag_of_no_or_zero_was_given(tmp_path: Path) -> None:
    settings = load(Settings, None, environ={}, flags={"trading.enabled": False, "trading.buy_window_size": 0})
    assert (settings.trading.enabled, settings.trading.buy_window_size) == (False, 0)


def test_a_flag_fills_a_section_that_the_file_leaves_empty(tmp_path: Path) -> None:
    assert (
        load(Settings, written(tmp_path, "trading:"), environ={}, flags={"trading.symbol": "A"}).trading.symbol == "A"
    )


def test_a_flag_with_a_wrong_value_is_refused_by_its_key() -> None:
    with pytest.raises(ConfigError, match=r"settings: trading\.order_quantity: 0: expected greater than 0"):
        load(Settings, None, environ={}, flags={"trading.order_quantity": 0})
