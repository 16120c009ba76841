"""Alerts reach a real webhook and a real mail server, and a target that fails harms nothing but itself."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from opensqt.cli.alert import send_tests
from opensqt.config.alerts import AlertsSettings
from opensqt.config.market_maker import MarketMakerSettings, load_settings
from opensqt.market_maker.alerts.delivery import Delivery
from opensqt.market_maker.alerts.message import Alert, AlertKind, AlertLevel
from opensqt.market_maker.alerts.service import Alerts, alerting
from opensqt.market_maker.alerts.target import Target
from opensqt.model.errors import ConfigError
from tests.support import eventually, start
from tests.support.alert_targets import mail_server, webhook

CANARY = "Canary7f3a9d2e51"
DEAD = f"json://127.0.0.1:9/{CANARY}"
"""Nothing listens there."""


def settings(**targets: str) -> AlertsSettings:
    return AlertsSettings.model_validate({"targets": targets, "after_seconds": 0, "timeout_seconds": 5})


async def test_a_problem_is_raised_and_resolved_by_webhook_and_by_mail() -> None:
    problems = ["halted: the venue holds 1 BTC, the levels explain 0"]
    async with (
        webhook() as hook,
        mail_server() as mail,
        alerting(settings(hook=hook.url, mail=mail.url), "BTCUSDT") as alerts,
    ):
        alerts.watch(lambda: problems)
        await eventually(lambda: hook.messages and mail.messages)
        problems.clear()
        await eventually(lambda: len(hook.messages) == 2 and len(mail.messages) == 2)
    for received in (hook, mail):
        assert received.titles == ["BTCUSDT: halted", "BTCUSDT: resolved: halted"]
        assert "the venue holds 1 BTC" in received.messages[0]["message"]
        assert "What to do: " in received.messages[0]["message"]
    assert hook.messages[0]["type"] == "failure"
    assert mail.messages[0]["to"] == "trader@example.com"


async def test_a_target_below_whose_level_an_alert_is_gets_none() -> None:
    async with webhook() as hook:
        given = {"targets": {"phone": {"url": hook.url, "level": "critical"}}, "after_seconds": 0}
        problems = ["stale price: none received yet"]
        async with alerting(AlertsSettings.model_validate(given), "BTCUSDT") as alerts:
            alerts.watch(lambda: problems)
            await eventually(lambda: alerts.raised == 1)
            problems.append("halted: position")
            await eventually(lambda: hook.messages)
    assert hook.titles == ["BTCUSDT: halted"]


async def test_a_target_that_fails_is_a_problem_and_gets_the_alert_when_it_is_back() -> None:
    """The other target gets it at once, and hears of the one that fails."""
    async with webhook() as broken, webhook() as well:
        broken.status = 500
        async with alerting(settings(broken=broken.url, well=well.url), "BTCUSDT") as alerts:
            alerts.watch(lambda: ["halted: position", *alerts.problems()])
            await eventually(lambda: "BTCUSDT: alerts" in well.titles)
            assert well.titles[0] == "BTCUSDT: halted"
            assert any("broken takes none" in problem for problem in alerts.problems())
            assert alerts.delivery.counts()["broken"][1] > 0
            broken.status = 200
            await eventually(lambda: "BTCUSDT: halted" in broken.titles)
            await eventually(lambda: alerts.problems() == [])


async def test_a_target_that_never_answers_is_left_at_its_deadline() -> None:
    """Nothing waits for it: neither the loop that trades nor the end of the process."""
    async with webhook() as mute:
        mute.hold.clear()
        given = AlertsSettings.model_validate({"targets": {"mute": mute.url}, "timeout_seconds": 0.2})
        alert = Alert(key="k", kind=AlertKind.NOTE, level=AlertLevel.CRITICAL, title="t", body="b")
        target = Target("mute", given.targets["mute"], timeout_s=given.timeout_seconds)
        assert await target.send(alert) == "no answer within 0.2 s"
        assert await target.send(alert) == "the delivery before this one has not ended yet"
        assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("alert "))
        mute.hold.set()
        await eventually(lambda: [thread for thread in threading.enumerate() if thread.name.startswith("alert ")] == [])


async def test_an_error_that_ends_the_process_is_the_last_alert() -> None:
    async with webhook() as hook:
        with pytest.raises(ConfigError):
            async with alerting(settings(hook=hook.url), "BTCUSDT"):
                raise ConfigError("trading.symbol: NOPE is not traded")
    (message,) = hook.messages
    assert message["title"] == "BTCUSDT: ended"
    assert "NOPE is not traded" in message["message"]


async def test_a_fault_of_the_alerts_is_reported_and_ends_nothing() -> None:
    def broken() -> list[str]:
        raise RuntimeError("a fault")

    async with alerting(settings(), "BTCUSDT") as alerts:
        alerts.watch(broken)
        await eventually(alerts.problems)
        alerts.watch(list)
        await eventually(lambda: not alerts.problems())


def config(folder: Path, **targets: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(json.dumps({"alerts": {"targets": targets}}))
    return file


async def run(*arguments: str | Path, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    async with start("opensqt.cli", *map(str, arguments), env={"COLUMNS": "160", **(env or {})}) as process:
        code = await process.wait()
    return code, process.stdout.decode(), process.stderr.decode()


async def test_the_command_sends_one_to_each_target_and_says_which_failed(tmp_path: Path) -> None:
    """The URLs come from the environment and from a file."""
    secret = tmp_path / "secret"
    secret.write_text(DEAD)
    file = config(tmp_path, hook="${HOOK}", dead="${DEAD_URL}", unset="${NOT_SET:-}")
    async with webhook() as hook:
        env = {"HOOK": hook.url, "DEAD_URL_FILE": str(secret)}
        code, out, error = await run("alert", "test", "--config", file, env=env)
        assert code == 1, error
        assert "hook (level warning): delivered" in out
        (line,) = [line for line in out.splitlines() if "NOT delivered" in line]
        assert line.startswith("dead (level warning): NOT delivered: A Connection error occurred")
        assert "see alerts.targets.dead" in line
        assert "unset" not in out
        code, out, _ = await run(
            "alert", "test", "--config", file, "--json", env={**env, "DEAD_URL_FILE": "", "DEAD_URL": hook.url}
        )
        assert (code, [row["delivered"] for row in json.loads(out)["targets"]]) == (0, [True, True])
    assert len(hook.messages) == 3


async def test_the_test_alert_names_the_symbols_that_are_traded() -> None:
    """A person with several market makers sees whose alerts reach the target."""
    async with webhook() as hook:
        made = MarketMakerSettings.model_validate(
            {
                "trading": {"symbols": [{"symbol": "BTCUSDT"}, {"symbol": "SOLUSDT"}]},
                "alerts": {"targets": {"hook": hook.url}},
            }
        )
        assert await send_tests(made, Delivery(made.alerts)) == [""]
    assert hook.titles == ["BTCUSDT, SOLUSDT: a test of the alerts"]


async def test_no_target_is_an_error_that_names_the_key(tmp_path: Path) -> None:
    code, _, error = await run("alert", "test", "--config", config(tmp_path))
    assert (code, "alerts.targets" in error) == (2, True)


@pytest.mark.parametrize("url", [f"nosuch://{CANARY}/x", f"not a url {CANARY}"])
async def test_a_url_of_no_service_is_refused_without_showing_it(tmp_path: Path, url: str) -> None:
    """F33: no log, no error and no text shows a target's URL."""
    code, out, error = await run("alert", "test", "--config", config(tmp_path, ops="${URL}"), env={"URL": url})
    assert code == 2
    assert "alerts.targets.ops" in error
    assert CANARY not in out + error


async def test_no_log_line_no_problem_and_no_text_shows_a_target_s_url(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """F33: through each way to fail."""
    async with webhook(CANARY) as refusing:
        refusing.status = 403
        urls = {
            "dead": DEAD,
            "refusing": refusing.url,
            "slack": f"slack://T1JJ3T3L2/A1BRTD4JD/{CANARY}TIiajkd7FQ?cto=0.1",
        }
        alerts = Alerts(settings(dead=urls["dead"], refusing=refusing.url), "BTCUSDT")
        task = asyncio.create_task(alerts.run())
        alerts.watch(lambda: [f"halted: see {urls['dead']}"])
        await eventually(lambda: len(alerts.problems()) == 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        shown = "\n".join([*alerts.problems(), *(record.getMessage() for record in caplog.records)])
        file = config(tmp_path, dead="${DEAD}", refusing="${REFUSING}")
        env = {"DEAD": urls["dead"], "REFUSING": urls["refusing"], "LOG_LEVEL": "DEBUG"}
        code, out, error = await run("alert", "test", "--config", file, env=env)
    assert code == 1
    assert CANARY not in shown + out + error


BAD: list[tuple[dict[str, object], str]] = [
    ({"targets": {"bad name": "json://h"}}, "letters, digits"),
    ({"daily_summary_at": "25:00"}, "HH:MM"),
    ({"targets": {"a": {"url": "json://h", "level": "loud"}}}, "'info', 'warning' or 'critical'"),
    ({"per_hour": 1}, "greater than or equal to 4"),
]


@pytest.mark.parametrize(("given", "expected"), BAD)
def test_a_wrong_setting_says_what_is_expected(given: dict[str, object], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        AlertsSettings.model_validate(given)


def test_an_error_of_a_target_does_not_show_its_value(tmp_path: Path) -> None:
    """F33: no log, no error and no text shows a target's URL."""
    file = tmp_path / "config.yaml"
    file.write_text(f"alerts: {{targets: {{ops: [{CANARY}]}}}}\n")
    with pytest.raises(ConfigError) as refused:
        load_settings(file, environ={})
    assert "alerts.targets.ops" in str(refused.value)
    assert CANARY not in str(refused.value)
