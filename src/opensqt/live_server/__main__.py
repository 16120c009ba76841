"""The `live-server` console script."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from opensqt.client.exchange import RemoteExchange
from opensqt.config.live_server import LiveServerSettings, load_settings
from opensqt.config.venue import VenueSettings
from opensqt.live_server.service import LiveServer
from opensqt.model.errors import ConfigError
from opensqt.model.exchange import Exchange
from opensqt.service import program
from opensqt.telemetry import logging, tracing
from opensqt.version import __version__

_EXAMPLES = """examples:
  live-server --config configs/live_server.yaml
  live-server --port 0                        a free port; the address is printed on stdout
  SYMBOL=BTCUSDT OPENSQT__CHART__INTERVAL=5m live-server

environment (wins over the file):
  EXCHANGE_GRPC_ADDRESS, SYMBOL, PORT, LOG_LEVEL, and OPENSQT__SECTION__KEY for any other setting

exit codes: 0 stopped, 1 unexpected failure, 2 configuration or usage, 3 access refused, 4 connector unreachable
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the live server and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="live-server",
        description="Shows one symbol of one account on a page, with a WebSocket. It reads and never trades.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file, e.g. configs/live_server.yaml")
    parser.add_argument("--host", help="address to listen on (default: server.host, 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port of the page (default: server.port, 8081; 0 takes a free one)")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings(options.config, flags={"server.host": options.host, "server.port": options.port})
    except ConfigError as error:
        return program.report_failure(error)
    logging.configure(settings.system.log_level, service="live-server")
    return program.run(lambda stop: _serve(settings, stop), within=tracing.exporting("live-server"))


async def _serve(settings: LiveServerSettings, stop: asyncio.Event) -> None:
    await LiveServer(_exchange(settings), settings).run(stop, _announce)


def _announce(address: str) -> None:
    print(f"live-server ready on {address}", flush=True)  # noqa: T201 - the line that a supervisor waits for


def _exchange(settings: LiveServerSettings) -> Exchange:
    venue = settings.app.current_exchange
    if venue == "remote":
        return RemoteExchange(settings.exchanges.remote.with_name("live-server"))
    # Only here: the venues' library takes a second to load.
    from opensqt.venues.factory import create_exchange

    access = getattr(settings.exchanges, venue)
    return create_exchange(
        VenueSettings(
            name=venue,
            api_key=access.api_key,
            secret=access.secret_key,
            passphrase=access.passphrase,
            testnet=access.testnet,
            base_url=access.base_url,
            symbols=(settings.trading.symbol,),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
