"""The market-maker command: flags, settings, the safety check, and then the grid."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

from rich.console import Console

from opensqt.config.market_maker import MarketMakerSettings, load_settings
from opensqt.market_maker.alerts.daily import keeping_days
from opensqt.market_maker.alerts.message import AlertLevel
from opensqt.market_maker.alerts.service import Alerts, alerting
from opensqt.market_maker.app import Setup, assemble_at_start, assemble_on, make_exchange, make_maker, settings_for
from opensqt.market_maker.control.path import control_path
from opensqt.market_maker.control.service import Load, grid_commands, ignore_hangup, stored_commands, taking_commands
from opensqt.market_maker.control.state import ControlState
from opensqt.market_maker.http import Endpoints
from opensqt.market_maker.lease import trading_lease
from opensqt.market_maker.portfolio import Portfolio
from opensqt.market_maker.report import show
from opensqt.market_maker.service import started
from opensqt.market_maker.standby import Standby, answering_status, check_settings, replaced
from opensqt.market_maker.store.store import Store
from opensqt.model.errors import ConfigError, TradingClaimed
from opensqt.model.exchange import Exchange
from opensqt.model.venue import ClaimRequest
from opensqt.service import program
from opensqt.service.http import HttpServer
from opensqt.service.listen import ListenAddress
from opensqt.service.stop import Stopped, unless_stopped
from opensqt.telemetry import logging, tracing
from opensqt.telemetry.logging import redact
from opensqt.version import __version__

_EXAMPLES = """\
examples:
  market-maker --config configs/config.yaml --check      print the safety check and the ladder, trade nothing
  market-maker --config configs/config.yaml              trade until Ctrl-C
  market-maker --config configs/config.yaml --take-over  trade in place of the one that trades the symbol now
  market-maker --config configs/config.yaml --standby    wait while another one trades with this database; take over
  market-maker --config configs/config.yaml --take-venue show how the levels would follow a position changed by hand
  SYMBOL=BTCUSDT OPENSQT__TRADING__PRICE_INTERVAL=10 market-maker --config configs/config.yaml

environment (wins over the file):
  SYMBOL, EXCHANGE_GRPC_ADDRESS, LOG_LEVEL, and OPENSQT__SECTION__KEY for any other setting

signals: SIGTERM and SIGINT stop it in good order; SIGHUP reads the settings file again. The end of its terminal, which
  sends SIGHUP too, does not end it.

exit codes: 0 stopped, 1 unexpected failure or orders whose cancel was not confirmed,
            2 configuration, usage or a broken safety rule (--check as well), 3 credentials refused,
            4 connector unreachable after the last retry,
            5 another market maker has taken over, and the orders are its own now
"""


_END_WITHIN_S = 9.5
"""Seconds from the signal to the end of the process, whatever hangs."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the market maker until SIGTERM or SIGINT and return the exit code."""
    arguments = _parser().parse_args(argv)
    if not arguments.check:
        ignore_hangup()
    load = partial(_load, arguments)
    try:
        settings = load({})
    except ConfigError as error:
        return program.report_failure(error)
    logging.configure(settings.system.log_level, service="market-maker")
    try:
        work, settings = _work(arguments, settings, load)
    except ConfigError as error:
        return program.report_failure(error)
    return program.run(
        partial(_run, work, settings), within=tracing.exporting("market-maker"), end_within_s=_END_WITHIN_S
    )


Work = Callable[[MarketMakerSettings, asyncio.Event], Awaitable[int]]


def _work(arguments: argparse.Namespace, settings: MarketMakerSettings, load: Load) -> tuple[Work, MarketMakerSettings]:
    """Return what the arguments ask for, and the settings that it is for."""
    take_venue, symbol = _take_venue(arguments), arguments.symbol
    if settings.system.standby and not arguments.check:
        check_settings(settings)
    if symbol and not (arguments.check or take_venue):
        raise ConfigError("--symbol: only with --check or --take-venue; trading.symbols says what is traded")
    if arguments.check:
        return _check, settings.grid(symbol) if symbol else settings
    if not settings.trading.symbols:
        if symbol:
            settings.grid(symbol)
        return partial(_trade, load=load, take_over=arguments.take_over, take_venue=take_venue), settings
    if take_venue and not symbol:
        raise ConfigError(f"--take-venue: name one symbol with --symbol: {', '.join(settings.symbols)}")
    if take_venue == "preview":
        # Nothing is traded, so that the others are left alone.
        one = settings.grid(symbol)
        work = partial(_trade, load=lambda changes: load({}).grid(symbol, changes), take_over=arguments.take_over)
        return partial(work, take_venue=take_venue), one
    taken = (symbol,) if take_venue else ()
    return partial(_trade_many, load=load, take_over=arguments.take_over, take_venue=taken), settings


def _load(arguments: argparse.Namespace, overrides: Mapping[str, str]) -> MarketMakerSettings:
    flags = {**overrides, "telemetry.metrics_port": arguments.port, "system.standby": arguments.standby}
    return load_settings(arguments.config, environ=os.environ, flags=flags)


def _take_venue(arguments: argparse.Namespace) -> str:
    if not arguments.take_venue:
        return ""
    return "apply" if arguments.yes else "preview"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="market-maker",
        description="Trades a grid of price levels through the exchange connector.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file, e.g. configs/config.yaml")
    parser.add_argument("--check", action="store_true", help="print the safety check and the ladder, then end")
    parser.add_argument(
        "--take-over", action="store_true", help="trade although another market maker does: its orders are refused then"
    )
    parser.add_argument(
        "--standby",
        action="store_const",
        const=True,
        help="wait while another market maker trades with this database, and take over when it ends or is not heard",
    )
    parser.add_argument(
        "--take-venue",
        action="store_true",
        help="drop or lay levels until they explain the position at the exchange; without --yes only say which",
    )
    parser.add_argument(
        "--symbol", type=str.upper, default="", help="with --check or --take-venue: one of trading.symbols"
    )
    parser.add_argument("--yes", action="store_true", help="with --take-venue: do it, and trade")
    parser.add_argument("--port", type=int, help="port of health, status and metrics (8080); 0 takes any free one")
    parser.add_argument("--version", action="version", version=f"market-maker {__version__}")
    return parser


async def _run(
    work: Callable[[MarketMakerSettings, asyncio.Event], Awaitable[int]],
    settings: MarketMakerSettings,
    stop: asyncio.Event,
) -> int:
    try:
        return await work(settings, stop)
    except Stopped:
        # Before the grid began: connecting may take minutes.
        return program.EXIT_OK
    except TradingClaimed as error:
        return _report_replaced(error.message)


async def _check(settings: MarketMakerSettings, stop: asyncio.Event) -> int:
    async with AsyncExitStack() as stack:
        store = await unless_stopped(stop, Store.open(settings.app.database_url))
        stack.push_async_callback(store.close)
        exchange = await unless_stopped(stop, stack.enter_async_context(started(make_exchange(settings))))
        console = Console(width=None if sys.stdout.isatty() else 140)
        safe = True
        for grid in settings.grids():
            setup = await unless_stopped(stop, assemble_on(exchange, grid, store))
            safe = safe and setup.safe
            show(
                console,
                setup.inputs,
                setup.requirements,
                setup.rules,
                setup.rule_results,
                setup.ladder_levels,
            )
        return program.EXIT_OK if safe else program.EXIT_USAGE


async def _trade(
    settings: MarketMakerSettings, stop: asyncio.Event, *, load: Load, take_over: bool, take_venue: str = ""
) -> int:
    async with AsyncExitStack() as stack:
        store, stored = await unless_stopped(stop, _held_store(settings, stack, load))
        settings = stored[1]
        endpoints, server = await _served(settings, stack)
        alerts = await stack.enter_async_context(alerting(settings.alerts, settings.trading.symbol))
        exchange = await unless_stopped(stop, stack.enter_async_context(started(make_exchange(settings))))
        if settings.system.standby:
            take_over |= await unless_stopped(stop, _taken_over(settings, store, exchange, (endpoints, server), alerts))
            stored = await unless_stopped(stop, stored_commands(settings, store, load))
            settings = stored[1]
            alerts.change(settings.alerts)
        claim = await unless_stopped(stop, _claim(settings, store=store, take_over=take_over))
        # Before anything is read: what a market maker before this one has on its way is settled then.
        async with trading_lease(exchange, settings.system.lease_seconds, claim) as lease_exit:
            setup = await unless_stopped(stop, assemble_at_start(exchange, settings, store, take_venue=take_venue))
            lease_exit.keep_until_expiry = bool(setup.engine.state.live_orders())
            if not _may_start(setup, alerts):
                return program.EXIT_USAGE
            endpoints.maker = maker = make_maker(setup, settings, store, lease_exit.ask)
            maker.problem_sources.append(alerts.problems)
            maker.metrics.deliveries = alerts.delivery.counts
            alerts.watch(maker.problems)
            commands = grid_commands(maker, alerts, store, stored, load=load, to_engine=partial(settings_for, setup))
            taking = taking_commands(commands, control_path(settings))
            async with taking, keeping_days(store, settings.symbols, alerts):
                left = await maker.run(stop, partial(_announce, server.address))
            lease_exit.keep_until_expiry = bool(left) and settings.system.cancel_on_exit
            if left:
                alerts.report(f"stopped with orders left: {', '.join(left)}")
    if maker.engine.takeover:
        print(maker.engine.takeover, flush=True)  # noqa: T201 - what the user asked for
    if maker.unsaved:
        _report_unsaved()
    if left:
        _report_open_orders(left)
    return program.EXIT_FAILURE if left or maker.unsaved else program.EXIT_OK


async def _trade_many(
    settings: MarketMakerSettings, stop: asyncio.Event, *, load: Load, take_over: bool, take_venue: Collection[str]
) -> int:
    """Trade several symbols: what is wrong with one of them does not end the others."""
    async with AsyncExitStack() as stack:
        store, _ = await unless_stopped(stop, _held_store(settings, stack))
        endpoints, server = await _served(settings, stack)
        alerts = await stack.enter_async_context(alerting(settings.alerts, ", ".join(settings.symbols)))
        exchange = await unless_stopped(stop, stack.enter_async_context(started(make_exchange(settings))))
        if settings.system.standby:
            take_over |= await unless_stopped(stop, _taken_over(settings, store, exchange, (endpoints, server), alerts))
        claim = partial(_claim, store=store, take_over=take_over)
        portfolio = Portfolio(settings.grids(), exchange, store, claim, alerts=alerts, load=load, take_venue=take_venue)
        endpoints.maker = portfolio
        alerts.watch(portfolio.problems)
        days = keeping_days(store, settings.symbols, alerts)
        async with taking_commands(portfolio.commands, control_path(settings)), days:
            await portfolio.run(stop, partial(_announce, server.address))
        if portfolio.left:
            alerts.report(f"stopped with orders left: {', '.join(portfolio.left)}")
    if portfolio.replaced:
        return _report_replaced("; ".join(portfolio.problems()))
    if portfolio.unsaved:
        _report_unsaved()
    if portfolio.left:
        _report_open_orders(portfolio.left)
    return program.EXIT_FAILURE if portfolio.left or portfolio.unsaved or portfolio.failed else program.EXIT_OK


async def _served(settings: MarketMakerSettings, stack: AsyncExitStack) -> tuple[Endpoints, HttpServer]:
    """Start the server of health, status and metrics."""
    telemetry = settings.telemetry
    endpoints = Endpoints(telemetry.metrics_allowed_hosts)
    address = ListenAddress(telemetry.metrics_host, telemetry.metrics_port, host_option="telemetry.metrics_host")
    server = HttpServer(endpoints.application(), address)
    stack.push_async_callback(server.close)
    await server.start()
    return endpoints, server


async def _held_store(
    settings: MarketMakerSettings, stack: AsyncExitStack, load: Load | None = None
) -> tuple[Store, tuple[ControlState, MarketMakerSettings, str]]:
    """Open the database, hold the grids in it unless this is a standby, and read the stored commands of a person."""
    store = await Store.open(settings.app.database_url)
    stack.push_async_exit(partial(_close_store, store))
    if settings.system.standby:
        return store, (ControlState(), settings, "")
    await store.hold(*settings.symbols)
    if load is None:
        return store, (ControlState(), settings, "")
    return store, await stored_commands(settings, store, load)


async def _close_store(store: Store, _kind: object, error: BaseException | None, _trace: object) -> None:
    """Close the database. After a failure the grid is not given up.

    A standby then waits until it is stale, and takes over by force; what is given up it takes only if the connector
    knows of no other program that trades.
    """
    await store.close(give_up=error is None or isinstance(error, ConfigError | Stopped | TradingClaimed))


async def _taken_over(
    settings: MarketMakerSettings,
    store: Store,
    exchange: Exchange,
    served: tuple[Endpoints, HttpServer],
    alerts: Alerts,
) -> bool:
    """Wait until the grids are this process's, and return whether they are taken from one that is not heard."""
    endpoints, server = served
    endpoints.standby = standby = Standby(settings.symbols)
    alerts.watch(lambda: [*standby.problems(), *alerts.problems()])
    async with answering_status(standby, control_path(settings)):
        await standby.wait(store, exchange, lambda: _announce(server.address, "in standby"))
    before = replaced(store)
    if before:
        text = f"Not heard for 5 seconds: {before}. This one trades now: {store.holding.description}."
        advice = "Look at that machine: is it up, does the process hang, does it reach the database?"
        alerts.note("take-over", AlertLevel.WARNING, "taken over", f"{text}\nWhat to do: {advice}")
    return bool(before)


def _may_start(setup: Setup, alerts: Alerts) -> bool:
    """Return whether the safety check allows the start, and report what it has found."""
    if not setup.may_start:
        alerts.report(f"ended: safety check: {setup.broken_text}")
        print(f"error: safety check: {setup.broken_text}; see market-maker --check", file=sys.stderr)  # noqa: T201 - the user's terminal
        return False
    if setup.broken_text:
        text = f"exits only: {setup.broken_text}; entries begin by themselves when the rule holds again"
        print(f"warning: {text}", file=sys.stderr)  # noqa: T201 - the user's terminal
    return True


async def _claim(settings: MarketMakerSettings, *, store: Store, take_over: bool) -> ClaimRequest:
    """Return the claim of this grid. Its holder is the database, which only one process at a time uses."""
    return ClaimRequest(
        symbol=settings.trading.symbol,
        strategy=settings.trading.strategy_id,
        holder=await store.identity(),
        description=store.holding.description,
        take_over=take_over,
    )


def _report_replaced(reason: str) -> int:
    text = f"{redact(reason)}; this one has ended and has left the orders to that one"
    print(f"error: {text}", file=sys.stderr)  # noqa: T201 - the user's terminal
    return program.EXIT_REPLACED


def _report_unsaved() -> None:
    text = "stopped, but the database was not writable: the next start counts the last fills again from the exchange"
    print(f"error: {text}", file=sys.stderr)  # noqa: T201 - the user's terminal


def _report_open_orders(orders: list[str]) -> None:
    text = f"stopped, but the exchange did not confirm the end of {len(orders)} orders: {', '.join(orders)}"
    print(f"error: {text}; the next start queries them again", file=sys.stderr)  # noqa: T201 - the user's terminal


def _announce(address: str, state: str = "ready") -> None:
    with suppress(OSError):  # a terminal that is gone: trading goes on
        print(f"market-maker {state} on {address}", flush=True)  # noqa: T201 - the line that a supervisor waits for


if __name__ == "__main__":
    sys.exit(main())
