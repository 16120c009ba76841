"""Settings of the alerts: where they are sent, from which level on, and how often."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from opensqt.config.load import Section

_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


class AlertTarget(Section):
    """One place that alerts are sent to."""

    url: SecretStr
    """An Apprise URL; it holds the credentials, so it comes from the environment and is never logged."""
    level: Literal["info", "warning", "critical"] = "warning"
    """Alerts below this level are not sent to it. A resolved problem has the level that it had; the summary is info."""

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: SecretStr) -> SecretStr:
        text = url.get_secret_value()
        if "://" not in text or not text.isprintable() or " " in text:
            raise ValueError("expected one Apprise URL, such as json://HOST/PATH or slack://A/B/C")
        return url


class AlertsSettings(Section):
    """The alerts of the market maker."""

    targets: Annotated[dict[str, AlertTarget], Field(max_length=10)] = Field(default_factory=dict)
    """By a name of yours, which logs and /health show. One without a URL (an empty variable) is left out."""
    after_seconds: float = Field(default=10, ge=0, le=3600)
    """Seconds that a problem has to last, and to be gone, before that is sent."""
    repeat_seconds: float = Field(default=3600, ge=60)
    """Seconds after which a problem that lasts is sent again."""
    per_problem_per_hour: int = Field(default=6, ge=2)
    """Messages about one problem in an hour at most."""
    per_hour: int = Field(default=30, ge=4)
    """Messages in an hour at most. A quarter is kept for critical ones."""
    timeout_seconds: float = Field(default=10, gt=0, le=60)
    """Seconds that one delivery may take. Trading never waits for it."""
    daily_summary_at: str = ""
    """HH:MM in UTC at which the day's summary is sent to the targets of level `info`; empty: never."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, tree: Any) -> Any:
        """Take `NAME: URL` for `NAME: {url: URL}`, and leave targets without a URL out."""
        if not isinstance(tree, dict) or not isinstance(tree.get("targets"), dict):
            return tree
        targets = {}
        for name, given in tree["targets"].items():
            target = {"url": given} if given is None or isinstance(given, str) else given
            if not (isinstance(target, dict) and target.get("url", "absent") in (None, "")):
                targets[name] = target
        return {**tree, "targets": targets}

    @field_validator("targets")
    @classmethod
    def _plain_names(cls, targets: dict[str, AlertTarget]) -> dict[str, AlertTarget]:
        if any(not _NAME.fullmatch(name) for name in targets):
            raise ValueError("expected names of 1 to 32 letters, digits and _ -")
        return targets

    @field_validator("daily_summary_at")
    @classmethod
    def _is_time(cls, text: str) -> str:
        if text and not _TIME.fullmatch(text):
            raise ValueError("expected HH:MM in UTC, such as 00:05, in quotes; or an empty text for never")
        return text
