"""The `opensqt` console script: parses the command line and runs one command."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from opensqt.cli import (
    alert,
    audit,
    backtest,
    cancel_all,
    connection,
    connector_screen,
    control,
    doctor,
    export,
    maker_status,
    record,
    status,
    summary_command,
    token,
)
from opensqt.cli import options as shared
from opensqt.cli.remaining import CancelScope
from opensqt.cli.resume import resume
from opensqt.client.exchange import RemoteExchange
from opensqt.model.errors import ConfigError
from opensqt.service import program
from opensqt.service.stop import Stopped, unless_stopped
from opensqt.telemetry import logging
from opensqt.version import __version__

if TYPE_CHECKING:
    from opensqt.cli.demo_processes import DemoSettings

_EXAMPLES = """examples:
  opensqt demo                                           watch a grid trade on a simulated exchange
  opensqt demo --duration 60 --summary out.json          a minute of it, and the result as a file
  opensqt demo --replay bars.csv.gz --speed 600          recorded 1-minute bars, or trades, ten minutes a second
  opensqt demo --symbol XRPUSDT --replay XRP_USDT_USDT-5m-futures.feather --speed 600
  opensqt status --symbol BTCUSDT                        health, account, positions, open orders
  opensqt cancel-all --symbol BTCUSDT --flatten          the kill switch
  opensqt resume                                         take new orders again after cancel-all --hold
  opensqt pause --config configs/config.yaml             a market maker keeps its exits and places no entries
  opensqt set --config configs/config.yaml trading.order_quantity=40
  opensqt doctor --config configs/config.yaml            machine, files, connector, account: what to do
  opensqt summary --config configs/config.yaml           what a market maker earned yesterday
  opensqt alert test --config configs/config.yaml        send one alert to each target
  opensqt backtest --config grid.yaml --data bars.csv.gz try the settings on recorded data
  opensqt calibrate --trades trades.csv                  the parameters of strategy glft from recorded trades
  opensqt export --config configs/config.yaml --what fills --out fills.csv
  opensqt token new --name page --role read              create a token for a client of the connector
  opensqt audit verify data/audit.jsonl                  prove that no line of the audit was changed
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit code."""
    options = _parser().parse_args(arguments)
    # The terminal is for the command's output: log lines are printed only on request (LOG_LEVEL).
    try:
        logging.configure(os.environ.get("LOG_LEVEL", "ERROR"), service="opensqt", style="console")
        if options.command == "demo":
            return _run_demo(options)
        if options.command == "token":
            return token.run(options)
        if options.command == "audit":
            return audit.run(options)
        if options.command == "backtest":
            return backtest.run(options, backtest.terminal())
        if options.command == "calibrate":
            from opensqt.cli import calibrate  # it loads the market maker's strategies

            return calibrate.run(options)
        if options.command == "alert":
            return _run_local(lambda: alert.run(options))
        if options.command == "doctor":
            return _run_local(lambda: doctor.run(options, Console(highlight=False)))
        if options.command == "summary":
            return _run_local(lambda: summary_command.run(options))
        if options.command == "export":
            return _run_local(lambda: export.run(options))
        if options.command in ("pause", "set", "reset") or (options.command == "resume" and options.config is not None):
            return _run_local(lambda: control.run(options, _confirm))
        if options.command == "status" and options.config is not None:
            return _run_local(
                lambda: maker_status.run(options, Console()),
                stopped=program.EXIT_OK if options.watch else program.EXIT_FAILURE,
            )
        # The kill switch looks again and again, so a call that takes longer is better made anew.
        deadline_s = 5.0 if options.command == "cancel-all" else None
        exchange = connection.connector_client(options.address, deadline_s=deadline_s)
    except ConfigError as error:
        return program.report_failure(error)
    if options.command == "status":
        if options.watch:
            return _run_command(
                exchange,
                lambda: connector_screen.watch(exchange, options.symbol, Console()),
                stopped=program.EXIT_OK,
            )
        return _run_command(exchange, lambda: status.show(exchange, options.symbol, Console(), json=options.json))
    if options.command == "record":
        return _run_command(
            exchange,
            lambda: record.run(exchange, options, Console(stderr=options.json)),
            stopped=program.EXIT_OK,
        )
    if options.command == "resume":
        return _run_command(exchange, lambda: resume(exchange, options.symbol, Console(), json=options.json))
    scope = CancelScope(
        symbol=options.symbol,
        strategy=options.strategy,
        everything=options.everything,
        flatten=options.flatten,
        hold=options.hold,
        within_s=options.within,
    )
    confirm = None if options.yes else _confirm
    console = Console(stderr=options.json)

    def command() -> Awaitable[int]:
        return cancel_all.cancel_and_flatten(exchange, scope, console, confirm=confirm, json=options.json)

    return _run_command(exchange, command)


def _run_command(
    exchange: RemoteExchange, command: Callable[[], Awaitable[int]], *, stopped: int = program.EXIT_FAILURE
) -> int:
    async def service(stop: asyncio.Event) -> int:
        async def run_connected() -> int:
            # The connector need not be serving: these commands are needed most when something is unhealthy.
            await exchange.start(serving=False)
            try:
                return await command()
            finally:
                await exchange.close()

        try:
            return await unless_stopped(stop, run_connected())
        except Stopped:
            return stopped

    return program.run(service)


def _run_local(command: Callable[[], Awaitable[int]], *, stopped: int = program.EXIT_FAILURE) -> int:
    """Run a command that needs no connector, until it ends or a signal comes, which ends it with *stopped*."""

    async def service(stop: asyncio.Event) -> int:
        async def work() -> int:
            return await command()

        try:
            return await unless_stopped(stop, work())
        except Stopped:
            return stopped

    return program.run(service)


async def _confirm(prompt: str) -> bool:
    if not sys.stdin.isatty():
        raise ConfigError(f"{prompt} There is no terminal for the confirmation: give --yes")
    print(f"{prompt} [y/N] ", end="", flush=True, file=sys.stderr)
    # Read by the loop and not by a thread, so that Ctrl-C ends the wait.
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def on_line() -> None:
        if not answer.done():
            answer.set_result(sys.stdin.readline())

    loop.add_reader(sys.stdin, on_line)
    try:
        return (await answer).strip().lower() in ("y", "yes")
    finally:
        loop.remove_reader(sys.stdin)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="opensqt",
        description="Watch and operate OpenSQT from a terminal.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"opensqt {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands.add_parser("demo", help="run a grid on a simulated exchange and watch it"))
    _add_status(commands.add_parser("status", help="show health, account, positions and open orders"))
    _add_cancel_all(commands.add_parser("cancel-all", help="the kill switch: cancel our orders, close positions"))
    _add_resume(commands.add_parser("resume", help="take new orders again after cancel-all --hold"))
    control.add_pause(commands.add_parser("pause", help="pause a market maker: exits only, or no orders at all"))
    control.add_set(commands.add_parser("set", help="change settings of a running market maker"))
    control.add_reset(commands.add_parser("reset", help="reset what has stopped a market maker"))
    doctor.add_arguments(commands.add_parser("doctor", help="look at everything that a market maker needs"))
    summary_command.add_arguments(commands.add_parser("summary", help="what a market maker earned on one day"))
    alert.add_arguments(commands.add_parser("alert", help="try the targets of the market maker's alerts"))
    record.add_arguments(commands.add_parser("record", help="record trades, books and funding rates to Parquet"))
    backtest.add_arguments(commands.add_parser("backtest", help="run the market maker on recorded data"))
    _add_calibrate(commands.add_parser("calibrate", help="the parameters of strategy glft from recorded trades"))
    export.add_arguments(commands.add_parser("export", help="write the market maker's history to a file"))
    token.add_arguments(
        commands.add_parser("token", help="create, list and revoke the tokens of the connector's clients")
    )
    audit.add_arguments(commands.add_parser("audit", help="verify the connector's audit files"))
    return parser


def _add_calibrate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trades", type=Path, required=True, metavar="FILE", help="recorded trades; docs/recordings.md has the formats"
    )
    parser.add_argument("--window", type=float, default=1.0, metavar="S", help="seconds in a window (default: 1)")
    parser.add_argument("--risk-aversion", type=Decimal, metavar="G", help="per USDT and lot (default: decay / 20)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--exchange", default="binance", help="venue to simulate (default: %(default)s)")
    parser.add_argument(
        "--symbol",
        default="BTCUSDT",
        metavar="SYMBOL[@PRICE]",
        help="symbol that the grid trades; @PRICE is where a generated one starts (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=7, help="seed of the generated market (default: %(default)s)")
    parser.add_argument(
        "--replay",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="recorded bars, trades or book of the symbol; repeat it to play trades and book together",
    )
    shared.add_recording(parser)
    parser.add_argument(
        "--speed", type=_speed, help="market seconds in one real second (default: 5, and 1 for a recording)"
    )
    parser.add_argument("--duration", type=_seconds, metavar="S", help="stop after S seconds (default: Ctrl-C)")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="write the result as JSON")
    shared.add_json(parser)
    parser.add_argument("--port", type=_port, help="port of the page (default: 8081 if it is free; 0 takes any)")
    parser.add_argument("--folder", type=Path, help="folder for logs, settings and the store (default: temporary)")
    parser.add_argument(
        "--plain", "--no-view", action="store_true", help="print a line every 5 seconds instead of the view"
    )


def _explain(parser: argparse.ArgumentParser, description: str, examples: str) -> None:
    parser.description = description
    parser.epilog = f"examples:\n{examples}\n{connection.ENVIRONMENT}"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def _add_status(parser: argparse.ArgumentParser) -> None:
    _explain(
        parser,
        """\
Shows the state of the connector and the account; with --config, that of a market maker. Exit code 0: trading is
possible, or the market maker is healthy; 1: it is not; 4: it can't be reached.""",
        """\
  opensqt status
  opensqt status --symbol BTCUSDT --address connector.example:50051
  opensqt status --config configs/config.yaml --watch    the market maker of these settings, drawn every second
  opensqt status --json
""",
    )
    connection.add_address(parser)
    shared.add_config(parser, required=False)
    control.add_socket(parser)
    parser.add_argument("--watch", action="store_true", help="draw it every second, until Ctrl-C")
    shared.add_json(parser)
    parser.add_argument("--symbol", type=str.upper, default="", help="only this symbol (default: all)")


def _add_cancel_all(parser: argparse.ArgumentParser) -> None:
    _explain(
        parser,
        """\
The kill switch. Halts trading and cancels open orders and orders in flight. Exit code 0: it is proven that none is
left; 1: it names what is left, or not known. New orders of every client are refused while it runs. Stop the market
maker first, or give --hold: a running one places its grid again afterwards.""",
        """\
  opensqt cancel-all --symbol BTCUSDT                    the grid's orders; asks for confirmation
  opensqt cancel-all --symbol BTCUSDT --flatten --yes    its position too, without confirmation
  opensqt cancel-all --everything --flatten --hold       every order and position of the account, and no new ones
""",
    )
    connection.add_address(parser)
    parser.add_argument("--symbol", type=str.upper, default="", help="only this symbol (default: all)")
    parser.add_argument(
        "--strategy", default="SQ1", help="the orders' strategy (trading.strategy_id; default: %(default)s)"
    )
    parser.add_argument("--everything", action="store_true", help="all orders of the account, not only the strategy's")
    parser.add_argument("--flatten", action="store_true", help="also close the positions at market, reduce-only")
    parser.add_argument("--hold", action="store_true", help="leave trading halted; `opensqt resume` lifts it")
    parser.add_argument(
        "--within", type=_seconds, default=60.0, metavar="S", help="time limit of the proof, in seconds (default: 60)"
    )
    parser.add_argument("--yes", action="store_true", help="skip the confirmation")
    shared.add_json(parser)


def _add_resume(parser: argparse.ArgumentParser) -> None:
    _explain(
        parser,
        """\
Accepts new orders again after `cancel-all --hold`; with --config, lifts the pause of that market maker. Exit code 1:
trading stays halted, by a running command or, with --symbol, by a halt of the account.""",
        """\
  opensqt resume                                         all halts that do not expire
  opensqt resume --symbol BTCUSDT                        the halts of one symbol only
  opensqt resume --config configs/config.yaml            the pause of one market maker
""",
    )
    connection.add_address(parser)
    shared.add_config(parser, required=False)
    control.add_socket(parser)
    shared.add_json(parser)
    parser.add_argument("--symbol", type=str.upper, default="", help="only this symbol (default: all)")


def _run_demo(options: argparse.Namespace) -> int:
    # The demo needs the simulator and the market maker's store; the other commands start in half the time without them.
    from opensqt.cli.demo import demo
    from opensqt.cli.demo_market import check_market

    settings = _demo_settings(options)
    console = Console(stderr=options.json)
    for note in check_market(settings):
        console.print(note, highlight=False, soft_wrap=True)
    return program.run(lambda stop: demo(settings, console, stop))


def _demo_settings(options: argparse.Namespace) -> DemoSettings:
    from opensqt.cli.demo_market import start_of
    from opensqt.cli.demo_processes import DemoSettings
    from opensqt.simulator.dialects import DIALECTS

    if options.exchange not in DIALECTS:
        raise ConfigError(f"--exchange {options.exchange}: expected one of {', '.join(sorted(DIALECTS))}")
    for path in options.replay:
        if not path.exists():
            raise ConfigError(f"--replay: {path}: no such file or folder")
    if options.summary is not None and not options.summary.absolute().parent.is_dir():
        raise ConfigError(f"--summary: {options.summary.parent}: no such folder")
    speed = options.speed or Decimal(1 if options.replay else 5)
    symbol, price = start_of(options.symbol.upper(), recorded=bool(options.replay), rules=options.rules)
    return DemoSettings(
        exchange=options.exchange,
        symbol=symbol,
        seed=options.seed,
        replay=tuple(path.absolute() for path in options.replay),
        volume=options.volume,
        rules=options.rules.absolute() if options.rules is not None else None,
        start_price=price,
        speed=speed,
        duration_s=options.duration,
        summary=options.summary or (Path("/dev/stdout") if options.json else None),
        folder=options.folder.absolute() if options.folder is not None else None,
        plain=options.plain,
        port=options.port,
    )


def _speed(text: str) -> Decimal:
    try:
        speed = Decimal(text)
    except InvalidOperation:
        speed = Decimal(0)
    if not (speed.is_finite() and speed > 0):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above zero")
    return speed


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r}: expected 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of seconds above zero")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
