"""`opensqt doctor`: looks at everything that a market maker needs, and says of each what to do."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import socket
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.text import Text

from opensqt.cli import doctor_findings as judge
from opensqt.cli import options as shared
from opensqt.cli.as_json import print_json
from opensqt.cli.connection import RETRY_SCALE_VARIABLE
from opensqt.cli.control import ControlClient
from opensqt.cli.doctor_findings import Finding, FindingResult
from opensqt.client.exchange import RemoteExchange
from opensqt.config.market_maker import MarketMakerSettings, load_settings
from opensqt.model.errors import ConfigError, ExchangeError
from opensqt.version import __version__

_EXAMPLES = """examples:
  opensqt doctor --config configs/config.yaml
  opensqt doctor --config configs/config.yaml --alerts     sends a test to each target of the alerts, too

Exit code 0: nothing fails; 1: at least one line says FAIL; 2: the settings can't be read. It changes nothing and places
no order.
"""
_PACKAGES = ("grpcio", "protobuf", "aiohttp", "sqlalchemy", "ccxt", "apprise")
_STYLES = {FindingResult.OK: "green", FindingResult.WARN: "bold yellow", FindingResult.FAIL: "bold red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = "Looks at machine, files, connector, account and alerts of a market maker."
    parser.epilog = _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    shared.add_config(parser)
    parser.add_argument("--alerts", action="store_true", help="send a test to each target of the alerts")
    shared.add_json(parser)


async def run(options: argparse.Namespace, console: Console) -> int:
    """Print a line for each finding and return the exit code.

    Raises:
        ConfigError: The settings can't be read.
    """
    settings = load_settings(options.config, environ={RETRY_SCALE_VARIABLE: "0.02", **os.environ})
    findings = []
    async for finding in _examine(settings, options):
        findings.append(finding)
        if not options.json:
            console.print(_line(finding), soft_wrap=True)
    if options.json:
        print_json({"ok": not judge.worst(findings), "findings": findings})
    return judge.worst(findings)


def _line(finding: Finding) -> Text:
    line = Text.assemble((f"{finding.result.upper():5}", _STYLES[finding.result]), f"{finding.name}: {finding.text}")
    if finding.advice:
        line.append(f"\n     -> {finding.advice}")
    return line


async def _examine(settings: MarketMakerSettings, options: argparse.Namespace) -> AsyncIterator[Finding]:
    yield _python()
    async for finding in _database(settings.app.database_url):
        yield finding
    for finding in _files(options.config):
        yield finding
    running = await _is_running(settings)
    yield running
    yield _port(settings, ours=running.text.startswith("running"))
    if settings.app.current_exchange == "remote":
        async for finding in _connector(settings):
            yield finding
    else:
        text = f"development mode: this process would hold the keys of {settings.app.current_exchange}"
        yield judge.warn("connector", text, "use app.current_exchange: remote with money in the account")
    async for finding in _alerts(settings, send=options.alerts):
        yield finding


def _python() -> Finding:
    found = [f"Python {platform.python_version()}", f"opensqt {__version__}"]
    for package in _PACKAGES:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            return judge.fail("packages", f"{package} is not installed", "install opensqt again, with its dependencies")
    return judge.ok("packages", ", ".join(found))


async def _database(url: str) -> AsyncIterator[Finding]:
    if url.startswith("postgresql://"):
        yield await _postgres(url)
        return
    for finding in await asyncio.to_thread(lambda: list(_sqlite_file(Path(url.removeprefix("sqlite:///"))))):
        yield finding


def _sqlite_file(path: Path) -> Iterator[Finding]:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    yield judge.disk(folder, shutil.disk_usage(folder).free)
    if not path.exists():
        if os.access(folder, os.W_OK):
            yield judge.ok("database", f"{path} is not there yet; the first start makes it")
        else:
            yield judge.fail("database", f"{folder} can't be written", "give its folder to this user, or another URL")
        return
    yield _sqlite(path)
    yield judge.file_mode("database mode", path, path.stat().st_mode)


def _sqlite(path: Path) -> Finding:
    try:
        connection = sqlite3.connect(path, timeout=2, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            result = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error as error:
        return judge.fail("database", f"{path}: {error}", "is it a database, and its folder this user's?")
    if result != "ok":
        return judge.fail("database", f"{path}: {result}", "stop, keep a copy, and restore the last backup")
    return judge.ok("database", f"{path} can be written and is sound")


async def _postgres(url: str) -> Finding:
    from sqlalchemy import text
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.ext.asyncio import create_async_engine

    shown = make_url(url).render_as_string(hide_password=True)
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    try:
        async with asyncio.timeout(10), engine.connect() as connection:
            standby = await connection.scalar(text("SELECT pg_is_in_recovery()"))
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        return judge.fail("database", f"{shown}: {error or type(error).__name__}", "is the server up?")
    finally:
        await engine.dispose()
    if standby:
        return judge.fail("database", f"{shown} is a standby: it can't be written", "give the address of the primary")
    return judge.ok("database", f"{shown} can be written")


def _files(config: Path) -> Iterator[Finding]:
    secrets = [(name, Path(value)) for name, value in os.environ.items() if name.endswith("_FILE") and _is_secret(name)]
    for name, path in sorted(secrets):
        try:
            yield judge.file_mode(f"mode of {name}", path, path.stat().st_mode)
        except OSError as error:
            yield judge.fail(f"mode of {name}", f"{path}: {error.strerror}", "give a file that can be read")
    mode = config.stat().st_mode
    if mode & stat.S_IWOTH:
        yield judge.fail("settings", f"every user can write {config}", f"chmod 644 {config}")
    else:
        yield judge.ok("settings", f"{config} is valid")


def _is_secret(name: str) -> bool:
    return any(part in name for part in ("TOKEN", "KEY", "SECRET", "PASSPHRASE", "ALERT", "PASSWORD"))


async def _is_running(settings: MarketMakerSettings) -> Finding:
    client = ControlClient(settings)
    try:
        status = await client.status()
    except (ExchangeError, ConfigError):
        return judge.ok("market maker", f"not running (no commands are taken at {client.path})")
    problems = status.get("problems") or []
    if problems:
        return judge.warn("market maker", f"running, not healthy: {'; '.join(problems)}", "`opensqt status --config`")
    what = status.get("phase") or f"{len(status.get('grids', ()))} symbols"
    return judge.ok("market maker", f"running, {what}, healthy")


def _port(settings: MarketMakerSettings, *, ours: bool) -> Finding:
    host, port = settings.telemetry.metrics_host, settings.telemetry.metrics_port
    if not port or ours:
        return judge.ok("port", f"{host}:{port}" if port else "any free one is taken")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            text = f"{host}:{port}: {os.strerror(error.errno) if error.errno else error}"
            return judge.fail("port", text, "stop what listens there, or change telemetry.metrics_port")
    return judge.ok("port", f"{host}:{port} is free")


async def _connector(settings: MarketMakerSettings) -> AsyncIterator[Finding]:
    exchange = RemoteExchange(settings.exchanges.remote.with_name("opensqt-doctor"))
    try:
        await exchange.start(serving=False)
        status, info, budget = (
            await exchange.get_status(),
            await exchange.get_exchange_info(),
            await exchange.get_rate_budget(),
        )
        yield judge.ok("connector", f"answers at {settings.exchanges.remote.base_url}")
        yield judge.versions(__version__, status.version)
        yield judge.clock(status.clock_offset_ms)
        for finding in (*judge.health(status), *judge.trading(info, settings.symbols, status)):
            yield finding
        yield judge.budget(budget)
        if info.capabilities.trading:
            yield judge.account(await exchange.get_account())
            for symbol in settings.symbols:
                yield judge.position(symbol, await exchange.get_positions(symbol))
    except ExchangeError as error:
        advice = "start it, or set exchanges.remote; `opensqt status` shows its health"
        yield judge.fail("connector", f"{settings.exchanges.remote.base_url}: {error.message}", advice)
    finally:
        await exchange.close()


async def _alerts(settings: MarketMakerSettings, *, send: bool) -> AsyncIterator[Finding]:
    from opensqt.cli.alert import send_tests
    from opensqt.market_maker.alerts.delivery import Delivery

    try:
        delivery = Delivery(settings.alerts)
    except ConfigError as error:
        yield judge.fail("alerts", str(error), "correct the URL")
        return
    names = [target.name for target in delivery.targets]
    if not names:
        yield judge.warn("alerts", "no target: nobody is called when it halts", "set alerts.targets")
    elif not send:
        yield judge.ok("alerts", f"{', '.join(names)}; not tried (--alerts sends a test to each)")
    else:
        for name, failure in zip(names, await send_tests(settings, delivery), strict=True):
            if failure:
                yield judge.fail(f"alerts to {name}", failure, "is the URL right, and the service reachable from here?")
            else:
                yield judge.ok(f"alerts to {name}", "delivered")
