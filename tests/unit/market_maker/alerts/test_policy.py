"""Which alerts are sent: a function of the problems and the time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from opensqt.config.alerts import AlertsSettings
from opensqt.market_maker.alerts.catalogue import PROBLEM_KINDS, condition
from opensqt.market_maker.alerts.message import Alert, AlertKind, AlertLevel
from opensqt.market_maker.alerts.policy import AlertPolicy, duration
from opensqt.market_maker.alerts.target import secret_parts

ROOT = Path(__file__).resolve().parents[4]
STALE = "stale price: the last one is 35 s old"


def policy(**settings: float) -> AlertPolicy:
    return AlertPolicy(AlertsSettings.model_validate({"after_seconds": 10, **settings}), "BTCUSDT")


def look(policy: AlertPolicy, now: float, *problems: str) -> list[Alert]:
    return policy.update(map(condition, problems), now)


def kinds(alerts: list[Alert]) -> list[AlertKind]:
    return [alert.kind for alert in alerts]


def test_a_problem_is_sent_once_when_it_lasts_and_once_when_it_is_gone() -> None:
    made = policy()
    sent = [look(made, float(now), STALE.replace("35", str(now))) for now in range(60)]
    (raised,) = [alert for alerts in sent for alert in alerts]
    assert (raised.kind, raised.title) == (AlertKind.RAISED, "BTCUSDT: stale price")
    assert "What to do: " in raised.body
    gone = [look(made, float(now)) for now in range(60, 90)]
    (resolved,) = [alert for alerts in gone for alert in alerts]
    assert resolved.kind is AlertKind.RESOLVED
    assert "lasted 1 min 0 s" in resolved.body


def test_a_problem_that_is_gone_in_time_is_not_sent() -> None:
    made = policy()
    assert [look(made, 0, STALE), look(made, 9, STALE), look(made, 9.5), look(made, 30)] == [[], [], [], []]


def test_a_gap_in_a_problem_does_not_resolve_it() -> None:
    """A check that flaps is one problem: neither resolved nor raised again within the delay."""
    made = policy()
    look(made, 0, STALE)
    assert kinds(look(made, 10, STALE)) == [AlertKind.RAISED]
    assert [look(made, 15), look(made, 20, STALE), look(made, 25), look(made, 34, STALE)] == [[], [], [], []]


def test_a_problem_that_lasts_is_sent_again_after_the_repeat_time() -> None:
    made = policy(repeat_seconds=600)
    sent = [alert for now in range(1300) for alert in look(made, float(now), STALE)]
    assert kinds(sent) == [AlertKind.RAISED, AlertKind.REPEATED, AlertKind.REPEATED]
    assert sent[1].title == "BTCUSDT: stale price, for 10 min 10 s"


def test_one_problem_that_comes_and_goes_is_limited_and_the_rest_is_counted() -> None:
    """A problem that comes and goes every minute sends six messages in an hour; the next one says how many were held
    back."""
    made = policy(per_problem_per_hour=6, repeat_seconds=36000)
    sent = [
        (now, alert)
        for now in range(7300)
        for alert in look(made, float(now), *([STALE] if now // 60 % 2 == 0 else []))
    ]
    assert len([now for now, _ in sent if now < 3600]) == 6
    assert len([now for now, _ in sent if now >= 3600]) <= 13
    held = [alert.body for _, alert in sent if "Held back" in alert.body]
    assert held
    assert re.search(r"Held back before this one .*: \d\d\.", held[0])


def test_many_problems_are_limited_together_and_a_critical_one_still_passes() -> None:
    made = policy(per_hour=20)
    flood = [f"check_{number}: broken" for number in range(100)]
    look(made, 0, *flood)
    assert len(look(made, 10, *flood)) == 15
    look(made, 11, *flood, "halted: position")
    (critical,) = look(made, 21, *flood, "halted: position")
    assert critical.level is AlertLevel.CRITICAL
    assert "Held back before this one by the limits on messages in an hour: 85." in critical.body
    assert len(look(made, 3700, *flood)) == 15


def test_what_was_never_sent_is_not_resolved_either() -> None:
    made = policy(per_hour=4)
    problems = [f"check_{number}: broken" for number in range(10)]
    look(made, 0, *problems)
    raised = look(made, 10, *problems)
    look(made, 3700)
    resolved = look(made, 3710)
    assert len(raised) == 3
    assert {alert.key for alert in resolved} == {alert.key for alert in raised}


def test_a_problem_that_becomes_worse_is_sent_at_once() -> None:
    made = policy()
    look(made, 0, "venue: away")
    look(made, 10, "venue: away")
    worse = condition("venue: away")
    (alert,) = made.update([type(worse)(key="venue", level=AlertLevel.CRITICAL, text="gone", advice="call")], 11)
    assert (alert.kind, alert.level) == (AlertKind.REPEATED, AlertLevel.CRITICAL)


@pytest.mark.parametrize(
    ("problem", "key", "level"),
    [
        ("halted: the venue holds 1 BTC", "halted", AlertLevel.CRITICAL),
        ("market_data:price:BTCUSDT: no data for 13 s", "market_data:price:BTCUSDT", AlertLevel.WARNING),
        ("connector: no answer", "connector", AlertLevel.CRITICAL),
        ("something new", "something new", AlertLevel.WARNING),
    ],
)
def test_each_problem_has_a_key_that_its_numbers_do_not_change(problem: str, key: str, level: AlertLevel) -> None:
    found = condition(problem)
    assert (found.key, found.level) == (key, level)
    assert found.advice


def test_every_kind_of_problem_is_in_the_runbook() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    assert [entry.begins for entry in PROBLEM_KINDS if f"| `{entry.begins}` |" not in page] == []


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        (
            "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
            {"T1JJ3T3L2", "A1BRTD4JD", "TIiajkdnlazkcOXrIdevi7FQ"},
        ),
        ("tgram://123456789:AbcDefGhi_Jkl/12315544", {"123456789", "AbcDefGhi_Jkl"}),
        ("mailtos://trader:Hunter22@smtp.example.com?to=me@example.com", {"Hunter22"}),
        ("json://127.0.0.1:8000/Canary1234", {"Canary1234"}),
    ],
)
def test_the_secret_parts_of_a_url_are_found(url: str, secrets: set[str]) -> None:
    """F33: no log, no error and no text shows a target's URL."""
    found = secret_parts(url)
    assert secrets <= found
    assert url in found
    assert not found & {"127.0.0.1:8000", "smtp.example.com", "me@example.com", "json", "hook"}


def test_durations_have_two_units() -> None:
    assert [duration(seconds) for seconds in (5, 65, 3600, 90000)] == ["5 s", "1 min 5 s", "1 h 0 min", "25 h 0 min"]
