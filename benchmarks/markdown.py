"""Prints the last results as the table of docs/benchmarks.md: `python -m benchmarks.markdown`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.gateway.suite import ROWS, goal_of, number_of
from benchmarks.measure import Result

RESULTS = Path(__file__).with_name("results") / "gateway.json"
_MET = {True: "met", False: "**missed**", None: ""}


def main() -> int:
    """Print one line for each result."""
    rows = json.loads(RESULTS.read_text())
    print("| row | what | measured | goal | | behind it |\n|---|---|---|---|---|---|")
    for row in (name for name in ROWS if name in rows):
        for fields in rows[row]["results"]:
            met = fields.pop("met")
            result = Result(**fields)
            measured = f"{number_of(result.value)}{result.unit}"
            print(f"| {row} | {result.what} | {measured} | {goal_of(result)} | {_MET[met]} | {result.detail} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
