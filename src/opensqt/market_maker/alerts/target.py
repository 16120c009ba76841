"""One target of alerts: an Apprise URL, called in a thread with a deadline, and the reason when it takes none."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import ModuleType
from urllib.parse import parse_qsl, unquote, urlsplit

from opensqt.config.alerts import AlertTarget
from opensqt.market_maker.alerts.message import Alert, AlertKind, AlertLevel
from opensqt.model.errors import ConfigError
from opensqt.telemetry.logging import redact, register_secrets

_SECRET_PART = re.compile(r"(?=.*[A-Z0-9]).{8,}")
"""Path segments and parameters of an Apprise URL that may be a token: long, with a digit or a capital letter."""


class Target:
    """A place that alerts are sent to.

    Args:
        name: Of the settings; it is shown, the URL never is.
        settings: URL and level.
        timeout_s: Seconds that one delivery may take.

    Raises:
        ConfigError: Apprise does not know such a URL.
    """

    def __init__(self, name: str, settings: AlertTarget, *, timeout_s: float) -> None:
        url = settings.url.get_secret_value()
        register_secrets(*secret_parts(url))
        self.name = name
        self.level = AlertLevel[settings.level.upper()]
        self._timeout_s = timeout_s
        self._notify = _notifier(name, url)
        self._stuck: threading.Thread | None = None

    async def send(self, alert: Alert) -> str:
        """Send one alert; return why it was not delivered, or an empty text."""
        if self._stuck is not None and self._stuck.is_alive():
            return "the delivery before this one has not ended yet"
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[str] = loop.create_future()

        def finish(reason: str) -> None:
            if not ended.done():
                ended.set_result(reason)

        def work() -> None:
            reason = self._notify(alert)
            try:
                loop.call_soon_threadsafe(finish, reason)
            except RuntimeError:
                return  # the loop has ended: nobody waits for the result

        # A daemon: a target that never ends its answer must not keep the process from ending.
        self._stuck = threading.Thread(target=work, name=f"alert {self.name}", daemon=True)
        self._stuck.start()
        try:
            async with asyncio.timeout(self._timeout_s):
                reason = await ended
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        self._stuck = None
        return reason


def secret_parts(url: str) -> set[str]:
    """Return what of an Apprise URL must not be shown: the whole, passwords, and what may be a token."""
    parts = urlsplit(url)
    host, _, path = url.partition("://")[2].partition("?")[0].rpartition("@")[2].partition("/")
    found = {url, parts.password or ""}
    candidates = [*path.split("/"), *(value for _, value in parse_qsl(parts.query)), parts.username or ""]
    if "." not in host and not host.startswith("localhost"):
        candidates += [host, *host.split(":")]
    found |= {part for part in candidates if _SECRET_PART.fullmatch(part) and "@" not in unquote(part)}
    return {form for part in found if part for form in (part, unquote(part))}


def _notifier(name: str, url: str) -> Callable[[Alert], str]:
    apprise = _apprise()
    sender = apprise.Apprise()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its modules for mail import what Python drops later
        added = sender.add(url)
    if not added:
        scheme = url.partition("://")[0]
        raise ConfigError(
            f"alerts.targets.{name}: not a URL that Apprise knows ({scheme}://...); expected one of"
            " https://github.com/caronc/apprise/wiki, such as slack://A/B/C, tgram://TOKEN/CHAT,"
            " json://HOST/PATH or mailtos://USER:PASSWORD@HOST"
        )
    reasons = _Reasons()
    for service in sender:
        # Apprise calls a service in a thread of its own, so that only its logger says whose reason it is.
        service.logger = reasons.logger
    types = {
        AlertLevel.INFO: apprise.NotifyType.INFO,
        AlertLevel.WARNING: apprise.NotifyType.WARNING,
        AlertLevel.CRITICAL: apprise.NotifyType.FAILURE,
    }

    def notify(alert: Alert) -> str:
        kind = apprise.NotifyType.SUCCESS if alert.kind is AlertKind.RESOLVED else types[alert.level]
        reasons.lines.clear()
        try:
            done = sender.notify(
                body=alert.body, title=alert.title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT
            )
        except Exception as error:  # noqa: BLE001 - a plugin's fault must not end the alerts
            return redact(f"{type(error).__name__}: {error}")
        return "" if done else redact("; ".join(reasons.lines) or "the service did not say why")

    return notify


@cache
def _apprise() -> ModuleType:
    # A fifth of a second to import, and only who has alerts needs it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = import_module("apprise")
    logger = logging.getLogger("apprise")
    # At DEBUG it logs whole URLs.
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    return found


class _Reasons(logging.Handler):
    """Keeps what a service of Apprise logs as the reason of a failure; only there does it say one."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.logger = logging.Logger("apprise", logging.WARNING)
        """For the service; it hands nothing on."""
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        if len(self.lines) < 5:
            self.lines.append(" ".join(record.getMessage().split())[:200])
