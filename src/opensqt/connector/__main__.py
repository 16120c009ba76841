"""The exchange-connector command: flags, settings, and the choice of what stands behind the server."""

from __future__ import annotations

import argparse
import asyncio
import logging as stdlib_logging
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial
from logging.handlers import MemoryHandler
from pathlib import Path

from pydantic import SecretStr

from opensqt.config.connector import ConnectorSettings
from opensqt.config.load import Tree, load
from opensqt.config.venue import VenueSettings
from opensqt.connector.orders.amend_resolve import AmendResolver
from opensqt.connector.orders.resolver import Resolver
from opensqt.connector.reload import venue_key
from opensqt.connector.server import Connector
from opensqt.model.errors import ConfigError, CredentialsRefused, Unreachable
from opensqt.service import memory, program
from opensqt.service.stop import Stopped, unless_stopped
from opensqt.telemetry import logging, tracing
from opensqt.venues.factory import KNOWN, check_name, create_exchange
from opensqt.venues.transport import lazy_ccxt
from opensqt.version import __version__

SHORTCUTS = {
    "EXCHANGE": "exchange.name",
    "API_KEY": "exchange.api_key",
    "API_SECRET": "exchange.secret",
    "PASSPHRASE": "exchange.passphrase",
    "PORT": "server.port",
    "LOG_LEVEL": "log_level",
}
"""Environment variable to setting; each may be given as NAME_FILE too."""

_EXAMPLES = """\
examples:
  exchange-connector --exchange binance --simulated      trade on a simulator in this process; needs no key
  API_KEY=... API_SECRET=... exchange-connector --exchange binance --testnet
  exchange-connector --exchange binance --public-only    market data only; needs no key
  exchange-connector --config configs/connector.yaml --port 50052
  exchange-connector --config configs/connector.yaml --host 0.0.0.0 --clients configs/clients.yaml \\
      --tls-cert server.pem --tls-key server.key         other machines, over TLS, each client with its token

environment (wins over the file; NAME_FILE reads a value from a file):
  EXCHANGE, API_KEY, API_SECRET, PASSPHRASE, PORT, LOG_LEVEL, and OPENSQT__SECTION__KEY for any other setting

signals: SIGTERM and SIGINT stop it in good order; SIGHUP takes up clients, certificates and keys again at once

exit codes: 0 stopped, 1 unexpected failure, 2 configuration or usage, 3 credentials refused, 4 exchange unreachable
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the connector until SIGTERM or SIGINT and return the exit code."""
    memory.return_large_blocks()
    arguments = argument_parser().parse_args(argv)
    files: list[Path] = []
    try:
        settings = read_settings(arguments, opened=files.append)
    except ConfigError as error:
        return program.report_failure(error)
    logging.configure(settings.log_level, service="exchange-connector")
    traces = tracing.exporting("exchange-connector", settings.telemetry.otlp_endpoint)
    serve = partial(_serve, settings, lambda: read_settings(arguments).exchange, files)
    return program.run(serve, within=traces)


@contextmanager
def logs_held_back(level: str, *, at_most_s: float = 15.0) -> Iterator[None]:
    """Keep what is logged in this block until it has succeeded; a start that fails then says one plain sentence.

    With LOG_LEVEL=DEBUG nothing is kept back, and nothing when it takes so long that somebody wonders why.
    """
    root = stdlib_logging.getLogger()
    handlers = root.handlers[:]
    if level == "DEBUG" or len(handlers) != 1:
        yield
        return
    held = MemoryHandler(capacity=10_000, flushLevel=stdlib_logging.CRITICAL, target=handlers[0], flushOnClose=False)
    root.handlers[:] = [held]

    def release() -> None:
        held.flush()
        root.handlers[:] = handlers

    timer = asyncio.get_running_loop().call_later(at_most_s, release)
    try:
        yield
        held.flush()
    finally:
        timer.cancel()
        root.handlers[:] = handlers
        held.close()


def argument_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="exchange-connector",
        description="Owns the connection to one exchange account and serves it over gRPC.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file, e.g. configs/connector.yaml")
    parser.add_argument("--exchange", metavar="NAME", help=f"one of {', '.join(KNOWN)}")
    parser.add_argument("--host", metavar="ADDRESS", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="gRPC port (50051); 0 takes any free one")
    parser.add_argument(
        "--metrics-port", type=int, metavar="PORT", help="port of /metrics (9101); 0 takes any free one"
    )
    parser.add_argument("--metrics-host", metavar="ADDRESS", help="address of /metrics (127.0.0.1)")
    parser.add_argument("--journal", metavar="FILE", help="order journal (data/connector-EXCHANGE.db)")
    parser.add_argument("--base-url", metavar="URL", help="a running exchange-simulator instead of the exchange itself")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--simulated", action="store_true", default=None, help="trade on a simulator in this process")
    mode.add_argument("--testnet", action="store_true", default=None, help="use the exchange's test network")
    parser.add_argument("--public-only", action="store_true", default=None, help="market data only; no key needed")
    _add_protection(parser.add_argument_group("who is let in (docs/security.md)"))
    parser.add_argument("--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _add_protection(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument("--clients", metavar="FILE", help="who may connect, as `opensqt token new` writes it")
    parser.add_argument("--tls-cert", metavar="FILE", help="the server's certificate, PEM")
    parser.add_argument("--tls-key", metavar="FILE", help="its key, PEM")
    parser.add_argument("--tls-client-ca", metavar="FILE", help="authority that every client's certificate is held to")
    parser.add_argument("--audit-file", metavar="FILE", help="append every trading call as a line of JSON")
    parser.add_argument(
        "--insecure",
        action="store_true",
        default=None,
        help="allow listening beyond loopback without TLS and known clients: whoever reaches it trades",
    )


def read_settings(
    arguments: argparse.Namespace, *, opened: Callable[[Path], None] = lambda _path: None
) -> ConnectorSettings:
    """Return the settings of the file, the environment and the command line, of which the last one wins.

    Args:
        arguments: The parsed command line.
        opened: Is called with each file that was read.

    Raises:
        ConfigError: A value is wrong; the message names it and what was expected.
    """
    flags = {
        "exchange.name": arguments.exchange,
        "exchange.base_url": arguments.base_url,
        "exchange.testnet": arguments.testnet,
        "exchange.public_only": arguments.public_only,
        "server.host": arguments.host,
        "server.port": arguments.port,
        "server.metrics_port": arguments.metrics_port,
        "server.metrics_host": arguments.metrics_host,
        "server.clients_file": arguments.clients,
        "server.tls_cert_file": arguments.tls_cert,
        "server.tls_key_file": arguments.tls_key,
        "server.tls_client_ca_file": arguments.tls_client_ca,
        "server.audit_file": arguments.audit_file,
        "server.insecure": arguments.insecure,
        "journal.path": arguments.journal,
        "simulated": arguments.simulated,
        "log_level": arguments.log_level,
    }

    def with_exchange(tree: Tree) -> Tree:
        exchange = tree.get("exchange") or {}
        if isinstance(exchange, dict) and not exchange.get("name"):
            if not tree.get("simulated"):
                raise ConfigError(
                    f"exchange: none is named; set EXCHANGE or --exchange to one of {', '.join(KNOWN)},"
                    " or run with --simulated"
                )
            return {**tree, "exchange": {**exchange, "name": "binance"}}
        return tree

    settings = load(
        ConnectorSettings, arguments.config, shortcuts=SHORTCUTS, flags=flags, prepare=with_exchange, opened=opened
    )
    if settings.simulated and (settings.exchange.base_url or settings.exchange.testnet):
        raise ConfigError("simulated: brings its own exchange; leave out base_url (--base-url) and testnet (--testnet)")
    if not (settings.simulated or settings.exchange.public_only):
        _require_key(settings.exchange)
    return settings


def _require_key(venue: VenueSettings) -> None:
    missing = [
        name
        for name, value in (("API_KEY", venue.api_key), ("API_SECRET", venue.secret))
        if not value.get_secret_value()
    ]
    if missing:
        check_name(venue.name)  # a name mistyped is the first thing to mend
        raise ConfigError(
            f"{' and '.join(missing)}: not set; set API_KEY and API_SECRET (or API_KEY_FILE and API_SECRET_FILE),"
            " or run with --simulated or --public-only, which need none"
        )


async def _serve(
    settings: ConnectorSettings, read: Callable[[], VenueSettings], files: Sequence[Path], stop: asyncio.Event
) -> None:
    async with AsyncExitStack() as stack:
        venue = settings.venue
        if settings.simulated:
            venue = await _simulated(venue, stack)
        lazy_ccxt.install()
        visibility_margin_ms = round(venue.visibility_margin_s * 1000)
        connector = Connector(
            create_exchange(venue),
            settings.server,
            journal=settings.journal_path,
            keep_days=settings.journal.keep_days,
            resolve=Resolver(recv_window_ms=venue.recv_window_ms, visibility_margin_ms=visibility_margin_ms),
            resolve_amendment=AmendResolver(
                recv_window_ms=venue.recv_window_ms, visibility_margin_ms=visibility_margin_ms
            ),
        )
        if not (settings.simulated or venue.public_only):
            venue_key.watch(connector.reloads, connector.exchange, read, files)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, connector.reloads.at_once)
        with logs_held_back(settings.log_level):
            try:
                await unless_stopped(stop, _start(connector, venue.base_url))
            except Stopped:
                return
        stack.push_async_callback(connector.stop)
        program.spare_the_collector()
        print(f"exchange-connector ready on {connector.address}", flush=True)  # noqa: T201 - for who started us
        with suppress(Stopped):
            await unless_stopped(stop, connector.failed())
            raise RuntimeError("the health monitor ended, so health could not be vouched for")


async def _start(connector: Connector, base_url: str) -> None:
    try:
        await connector.start()
    except CredentialsRefused as error:
        # Whichever call it was that failed, the reader has to know which settings to look at.
        if "API_KEY" in str(error):
            raise
        name = connector.exchange.name
        raise CredentialsRefused(f"{name} refused the credentials: {error}; check API_KEY and API_SECRET") from None
    except Unreachable as error:
        where = f" at {base_url}" if base_url else ""
        advice = (
            "check that it runs there" if base_url else "check this machine's network and the exchange's status page"
        )
        raise Unreachable(f"{connector.exchange.name}{where}: {error}; {advice}") from None


async def _simulated(venue: VenueSettings, stack: AsyncExitStack) -> VenueSettings:
    from opensqt.simulator import Simulator, SimulatorSettings

    simulator = await stack.enter_async_context(Simulator(SimulatorSettings(exchange=venue.name, port=0)))
    account = {
        "api_key": SecretStr("sim-key"),
        "secret": SecretStr("sim-secret"),
        "passphrase": SecretStr("sim-pass"),
    }
    return venue.model_copy(update={"base_url": simulator.url, **account})


if __name__ == "__main__":
    sys.exit(main())
