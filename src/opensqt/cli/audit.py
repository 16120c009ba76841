"""`opensqt audit`: verifies the chain of the connector's audit files."""

from __future__ import annotations

import argparse
import gzip
import re
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from opensqt.cli import options as shared
from opensqt.cli.as_json import print_json
from opensqt.connector.auth.audit_chain import GENESIS, Verification
from opensqt.model.errors import ConfigError

_EXAMPLES = """examples:
  opensqt audit verify data/audit.jsonl
  opensqt audit verify audit.jsonl.2.gz audit.jsonl.1 audit.jsonl
  opensqt audit verify audit.jsonl --after HASH          HASH is the last hash of the files before, which are gone
  opensqt audit verify audit.jsonl --expect HASH         HASH is `chain` of a line in a log that was kept elsewhere

Exit code 0: the chain holds; 1: it is broken, or an expected hash is not there. Without --expect, lines cut off at the
end of the last file are not noticed.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    verify = actions.add_parser(
        "verify",
        help="check that no line was changed, removed, added or moved",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verify.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="audit files, oldest first; .gz is read too"
    )
    shared.add_json(verify)
    verify.add_argument(
        "--after", type=_digest, default=GENESIS, metavar="HASH", help="hash of the line before the first file"
    )
    verify.add_argument(
        "--expect", action="append", default=[], type=_digest, metavar="HASH", help="a hash that a line has to carry"
    )


def run(options: argparse.Namespace) -> int:
    """Verify the files, print what was found, and return the exit code.

    Raises:
        ConfigError: A file can't be read.
    """
    console = Console(soft_wrap=True, highlight=False, quiet=options.json)
    verification = Verification(options.after, frozenset(options.expect))
    for path in options.files:
        verification.add(path.name, _lines(path))
    for note in verification.notes:
        console.print(f"note: {note}", markup=False)
    faults = [*verification.faults, *(f"no line carries {chain}" for chain in verification.missing())]
    for fault in faults:
        console.print(f"broken: {fault}", markup=False)
    console.print(f"{verification.lines} lines, {len(faults)} faults, last hash {verification.head}", markup=False)
    if options.json:
        found = {"lines": verification.lines, "faults": faults, "notes": verification.notes, "head": verification.head}
        print_json({"holds": not faults, **found})
    return 1 if faults else 0


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for line in file:
                yield line.removesuffix(b"\n")
    except (OSError, EOFError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"{path}: can't be read: {reason}") from None


def _digest(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError(f"{text!r}: expected 64 hexadecimal digits, `chain` of a line")
    return text
