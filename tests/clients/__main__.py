"""`make clients`: clients that nobody here has written trade on the simulator, unmodified."""

from __future__ import annotations

import argparse
import asyncio
import sys

from opensqt.model.errors import ConfigError
from tests.clients import document, packages, types
from tests.clients.catalogue import CLIENTS, Client, exceptions
from tests.clients.report import table
from tests.clients.run import run

_EXAMPLES = """\
examples:
  make clients                               every client, about two minutes after the first set-up
  make clients ARGS="--client binance"       one client
  make clients ARGS="--no-types --verbose"   without the compiler, with what the clients print

exit codes: 0 every call passes but those in tests/clients/exceptions.toml, 1 one fails, 2 usage or set-up
"""


def main() -> int:
    """Run the clients that are asked for and return the exit code."""
    parser = _parser()
    options = parser.parse_args()
    if options.write and options.client:
        parser.error("--write needs every client: leave out --client")
    asked = [client for client in CLIENTS if not options.client or client.name in options.client]
    try:
        commands = {client: command for client in asked if (command := _command(client))}
    except ConfigError as error:
        print(f"error: {error}")
        return 2
    chosen = list(commands)
    reports, problems = [], []
    accepted = {client: exceptions(client.name) for client in chosen}
    for client in chosen:
        report, output = asyncio.run(run(client, commands[client]))
        found = report.problems(accepted[client].missing)
        if options.types and client.typed:
            found += types.problems(client, report, accepted[client])
        if options.verbose or found:
            print(output, end="")
        reports.append(report)
        problems += found
        print(f"{client.name}: {len(report.calls)} calls, {len(found)} problems", flush=True)
    print(f"\n{table(reports)}\n")
    if options.write and len(chosen) == len(CLIENTS):
        document.PAGE.write_text(document.written(reports, accepted, document.PAGE.read_text()))
    elif len(chosen) == len(CLIENTS):
        problems += document.problems(reports, accepted)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def _command(client: Client) -> tuple[str, ...]:
    """Return what runs a client's script, with its packages installed; empty for one whose interpreter is not found."""
    if not client.interpreters:
        packages.install_node()
        return ("node",)
    python = packages.install_python(client)
    if python is None:
        print(f"{client.name}: skipped, because it needs Python {' or '.join(client.interpreters)}")
        return ()
    return (str(python),)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make clients",
        description="Clients that nobody here has written trade on the simulator, unmodified.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [client.name for client in CLIENTS]
    parser.add_argument("--client", action="append", choices=names, help="run this one (repeatable; default: all)")
    parser.add_argument("--no-types", dest="types", action="store_false", help="do not compile answers against types")
    parser.add_argument("--write", action="store_true", help="write the tables of docs/simulator-clients.md anew")
    parser.add_argument("--verbose", action="store_true", help="print what the clients print")
    return parser


if __name__ == "__main__":
    sys.exit(main())
