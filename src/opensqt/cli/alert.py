"""`opensqt alert test`: sends one alert to each target of the market maker's settings and says what happened."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket

from rich.console import Console

from opensqt.cli import options as shared
from opensqt.config.market_maker import MarketMakerSettings, load_settings
from opensqt.market_maker.alerts.delivery import Delivery
from opensqt.market_maker.alerts.message import Alert, AlertKind, AlertLevel
from opensqt.model.errors import ConfigError

_EXAMPLES = """examples:
  opensqt alert test --config configs/config.yaml
  ALERT_SLACK_FILE=/run/secrets/slack opensqt alert test --config configs/config.yaml --json

Exit code 0: every target took it; 1: at least one did not, and the line says why.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    test = actions.add_parser(
        "test",
        help="send one alert to each target",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shared.add_config(test)
    shared.add_json(test)


async def run(options: argparse.Namespace) -> int:
    """Send to every target, print a line for each, and return the exit code.

    Raises:
        ConfigError: The settings can't be used, or name no target.
    """
    settings = load_settings(options.config, environ=os.environ)
    delivery = Delivery(settings.alerts)
    targets = delivery.targets
    if not targets:
        raise ConfigError(f"alerts.targets: {options.config or 'the settings'} names none, or its variable is empty")
    failures = await send_tests(settings, delivery)
    if options.json:
        rows = [
            {"target": target.name, "level": target.level.name.lower(), "delivered": not failure, "reason": failure}
            for target, failure in zip(targets, failures, strict=True)
        ]
        print(json.dumps({"targets": rows}, indent=2))
    else:
        console = Console(soft_wrap=True, highlight=False)
        for target, failure in zip(targets, failures, strict=True):
            what = f"see alerts.targets.{target.name}, and whether this machine reaches it"
            result = f"NOT delivered: {failure.rstrip('.')}; {what}" if failure else "delivered"
            console.print(f"{target.name} (level {target.level.name.lower()}): {result}", markup=False)
    return 1 if any(failures) else 0


async def send_tests(settings: MarketMakerSettings, delivery: Delivery) -> list[str]:
    """Send one alert to each target, and return why each was not delivered; an empty text where it was."""
    alert = Alert(
        key="test",
        kind=AlertKind.NOTE,
        level=AlertLevel.CRITICAL,
        title=f"{', '.join(settings.symbols)}: a test of the alerts",
        body=f"Sent by `opensqt alert test` on {socket.gethostname()}.\nWhat to do: nothing.",
    )
    return list(await asyncio.gather(*(target.send(alert) for target in delivery.targets)))
