"""Logs: every line whole, structured, on stderr, and without a secret (F33)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from opensqt.model.errors import ConfigError
from opensqt.telemetry.logging import configure, redact, register_secrets

CANARY = "CanaryKey7f3a91b2"

SCRIPT = """
import logging, sys
from opensqt.telemetry import logging as ours
ours.configure({level!r}, service="connector", style={style!r})
ours.register_secrets({canary!r})
log = ours.get_logger("part")
{body}
"""


def said(body: str, *, level: str = "INFO", style: str = "json") -> subprocess.CompletedProcess[str]:
    """Run a small process that logs, as the real ones do."""
    script = SCRIPT.format(body=body, level=level, style=style, canary=CANARY)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)


@pytest.mark.parametrize(
    "text",
    [
        "GET /fapi/v1/order?symbol=BTCUSDT&timestamp=1&signature=SECRETSECRET0123",
        '{"apiKey": "SECRETSECRET0123"}',
        "{'api_key': 'SECRETSECRET0123'}",
        "api-key: SECRETSECRET0123",
        "X-MBX-APIKEY: SECRETSECRET0123",
        "{'X-MBX-APIKEY': 'SECRETSECRET0123', 'a': 'b'}",
        "Authorization: Bearer SECRETSECRET0123",
        "'authorization': 'bearer SECRETSECRET0123'",
        "ACCESS-SIGN=SECRETSECRET0123",
        "OK-ACCESS-PASSPHRASE: SECRETSECRET0123",
        '{"secret":"SECRETSECRET0123"}',
        "passphrase = SECRETSECRET0123",
        "listenKey=SECRETSECRET0123",
        "wss://host/ws?listenKey=SECRETSECRET0123&events=x",
        '{"op":"login","args":[{"apiKey":"SECRETSECRET0123","sign":"SECRETSECRET0123="}]}',
        "token=SECRETSECRET0123",
        "ToKeN=SECRETSECRET0123",
        "\N{LATIN SMALL LETTER LONG S}ecret=SECRETSECRET0123",
        "api_\N{KELVIN SIGN}ey=SECRETSECRET0123",
    ],
)
def test_a_secret_is_known_by_where_it_stands(text: str) -> None:
    """F33: no secret shows in a log, an error or a page."""
    assert "SECRET0123" not in redact(text)


@pytest.mark.parametrize(
    "text", ["order BTCUSDT 0.001 at 45000.1", "the secret of the grid is patience", "signature refused", "token"]
)
def test_plain_words_are_left_alone(text: str) -> None:
    assert redact(text) == text


def test_a_protected_value_is_taken_out_wherever_it_stands() -> None:
    """F33: no secret shows in a log, an error or a page."""
    register_secrets("ZebraCanary55")
    assert redact("x ZebraCanary55y") == "x ***y"


def test_a_value_too_short_to_be_a_secret_does_not_tear_words_apart() -> None:
    register_secrets("abc")
    assert redact("abcdef") == "abcdef"


def test_a_protected_value_inside_another_leaves_no_rest() -> None:
    """F33: the longer one goes first."""
    register_secrets("WalrusKey", "WalrusKeyAndMore")
    assert redact("WalrusKeyAndMore") == "***"


WAYS = (
    f"log.info('key {CANARY}')",
    f"log.info('x', key='{CANARY}')",
    f"log.info('x', deep={{'a': ['{CANARY}', ('{CANARY}',)]}})",
    f"log.info('x', **{{'{CANARY}': 1}})",
    f"log.info('x', deep={{'{CANARY}': 1}})",
    f"log.info('x', error=ValueError('{CANARY}'))",
    f"log.info('x', raw=b'{CANARY}')",
    f"log.info('x %s', '{CANARY}')",
    f"logging.getLogger('ccxt').warning('x %s', '{CANARY}')",
    f"logging.getLogger('other').warning('x', extra={{'key': '{CANARY}'}})",
    f"try:\n    raise ValueError('{CANARY}')\nexcept ValueError:\n    log.exception('x')",
    f"try:\n    raise ValueError('{CANARY}')\nexcept ValueError:\n    logging.getLogger('aiohttp').exception('x')",
    f"import warnings; logging.captureWarnings(True); warnings.warn('{CANARY}')",
)


@pytest.mark.parametrize("style", ["json", "console"])
def test_no_way_of_logging_shows_a_secret(style: str) -> None:
    """F33: no secret shows in a log, an error or a page; one process logs in each way, and the output tells which."""
    mark = "--- after this way"
    result = said(f"\nprint({mark!r}, file=sys.stderr)\n".join((*WAYS, "")), style=style)
    *told, rest = result.stderr.split(f"{mark}\n")
    assert len(told) == len(WAYS)
    assert not rest + result.stdout
    for way, lines in zip(WAYS, told, strict=True):
        assert lines.strip(), f"nothing was logged by: {way}"
        assert CANARY not in lines, way


def test_a_line_is_one_json_object_with_service_level_and_time() -> None:
    result = said("log.info('order placed', symbol='BTCUSDT', count=3)")
    line = json.loads(result.stderr)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "order placed",
        "symbol": "BTCUSDT",
        "count": 3,
        "service": "connector",
        "level": "info",
        "logger": "part",
    }


def test_a_libraries_line_looks_like_ours() -> None:
    line = json.loads(said("logging.getLogger('aiohttp').warning('odd %s', 1)").stderr)
    assert (line["event"], line["service"], line["logger"]) == ("odd 1", "connector", "aiohttp")


def test_stdout_stays_free() -> None:
    assert said("log.error('x')").stdout == ""


def test_a_level_hides_what_is_below_it() -> None:
    assert said("log.info('below'); log.warning('above')", level="warning").stderr.count("\n") == 1


def test_an_exception_is_told_with_its_trace() -> None:
    result = said("try:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception('x')")
    assert "ZeroDivisionError" in json.loads(result.stderr)["exception"]


def test_redacting_twice_changes_nothing_more() -> None:
    once = redact("signature=SECRETSECRET0123&x=1")
    assert redact(once) == once == "signature=***&x=1"


def test_a_level_that_is_none_is_told_with_what_was_expected() -> None:
    with pytest.raises(ConfigError, match="LOG_LEVEL 'LOUD': expected DEBUG, INFO, WARNING or ERROR"):
        configure("LOUD", service="connector")


def test_a_number_that_json_libraries_refuse_is_no_lost_line() -> None:
    (line,) = said("log.info('large', number=2**70)").stderr.splitlines()
    assert json.loads(line)["number"] == 2**70


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_line_is_the_same_whether_one_handler_or_several_receive_it(style: str) -> None:
    log_it = "log.warning('a %s', 'b', number=3, deep={'token': [1, 'x']})"
    again = f"import io; logging.getLogger().addHandler(logging.StreamHandler(io.StringIO())); {log_it}"
    alone, among_others = (
        re.sub(r"[\d:.T-]{20,}Z", "TIME", said(body, style=style).stderr) for body in (log_it, again)
    )
    assert "TIME" in alone
    assert alone == among_others


def test_an_added_handler_receives_every_line() -> None:
    body = "import io; text = io.StringIO(); logging.getLogger().addHandler(logging.StreamHandler(text))"
    assert "'event': 'seen'" in said(f"{body}; log.info('seen'); print(text.getvalue())").stdout


def test_a_line_that_cannot_be_written_stops_nobody() -> None:
    body = "import os; os.close(2); os.open('/dev/full', os.O_WRONLY); log.info('x'); log.info('y'); print('went on')"
    assert said(body).stdout == "went on\n"


def test_the_time_of_a_line_is_in_utc_with_microseconds() -> None:
    stamp = json.loads(said("log.info('x')").stderr)["timestamp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", stamp)
    assert abs(datetime.fromisoformat(stamp) - datetime.now(UTC)) < timedelta(minutes=5)
