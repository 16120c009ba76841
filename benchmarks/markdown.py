"""Prints the last results as the table of docs/benchmarks.md: `python -m benchmarks.markdown`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.gateway.suite import ROWS, goal_of, number_of
from benchmarks.measure import Figure

RESULTS = Path(__file__).with_name("results") / "gateway.json"
_VERDICT = {True: "met", False: "**missed**", None: ""}


def main() -> int:
    """Print one line for each figure."""
    told = json.loads(RESULTS.read_text())
    print("| row | what | measured | goal | | behind it |\n|---|---|---|---|---|---|")
    for row in (name for name in ROWS if name in told):
        for fields in told[row]["figures"]:
            met = fields.pop("met")
            figure = Figure(**fields)
            measured = f"{number_of(figure.value)}{figure.unit}"
            print(f"| {row} | {figure.what} | {measured} | {goal_of(figure)} | {_VERDICT[met]} | {figure.detail} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
