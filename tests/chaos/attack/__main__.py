"""The mixed attack as a command.

The attackers run at a lower priority than the connector, the simulated exchange and the honest client, unless
`--nice 0` is given: they are on other machines in life, and here they would take the CPU from who measures. How many
attacks a second they made is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from functools import partial
from pathlib import Path

from opensqt.telemetry.logging import configure
from opensqt.venues.factory import VENUES
from tests.chaos.attack.run import CALM, FULL_DISKS, KINDS, attack

_MOST_LATER = 2.0
"""Orders' p99 under attack, as a multiple of that in calm."""
_MOST_LATER_BY_A_READER = 1.5
_MOST_GROWTH_MB = 50.0


def main() -> int:
    """Attack, and answer 0 when orders, memory and health held."""
    parser = argparse.ArgumentParser(prog="attack", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--duration", type=float, default=600.0, metavar="S", help="of all attacks (%(default)s s)")
    parser.add_argument("--turn", type=float, default=20.0, metavar="S", help="of one attack (%(default)s s)")
    parser.add_argument("--exchange", choices=sorted(VENUES), default="binance", help="(%(default)s)")
    parser.add_argument("--kind", action="append", choices=KINDS, help="one of them, repeatable (default: all)")
    parser.add_argument(
        "--nice", type=int, default=19, help="by how much the attackers' priority is lower (%(default)s)"
    )
    options = parser.parse_args()
    configure("ERROR", service="attack")
    logging.disable(logging.CRITICAL)
    kinds = options.kind or list(KINDS)
    rounds = max(1, round(options.duration / options.turn / len(kinds)))
    with tempfile.TemporaryDirectory(prefix="opensqt-attack-") as folder:
        report = asyncio.run(
            attack(
                options.exchange,
                Path(folder),
                calm_s=max(options.turn, 30.0),
                turn_s=options.turn,
                rounds=rounds,
                kinds=kinds,
                attackers_nice=options.nice,
                forked=False,
                progress=partial(print, flush=True),
            )
        )
    calm = report.p99_ms(CALM)
    print(f"the attackers' priority is lower by {options.nice}")
    head = f"{'':18}{'orders':>8}{'p50 ms':>9}{'p99 ms':>9}{'x calm':>8}{'MB':>7}{'attacks/s':>11}"
    print(f"{head}  health, refusals")
    for kind in (CALM, *kinds):
        times = sorted(report.placed_ms[kind])
        half = times[len(times) // 2] if times else float("nan")
        p99 = report.p99_ms(kind)
        attacks = report.attacks[kind] / report.attacked_s[kind] if kind in report.attacks else 0.0
        print(
            f"{kind:18}{len(times):8}{half:9.2f}{p99:9.2f}{p99 / calm:8.2f}{report.memory_mb.get(kind, 0):7.1f}"
            f"{attacks:11.1f}  {dict(report.health[kind])} {dict(report.refused[kind])}"
        )
    loud = [kind for kind in kinds if kind != FULL_DISKS]
    ratio = report.p99_ms(*loud) / calm
    untrue = {kind: dict(report.health[kind]) for kind in (CALM, *loud) if set(report.health[kind]) - {"SERVING"}}
    print(f"p99 under attack {ratio:.2f} of before (at most {_MOST_LATER})")
    print(f"memory grew by {report.growth_mb:.1f} MB (at most {_MOST_GROWTH_MB})")
    print(f"health that was not true: {untrue or 'none'}")
    print(f"orders left open or lost {len(report.lost)}, orders that nobody sent {len(report.strangers)}")
    by_reader = report.p99_ms("busy reader") / calm if "busy reader" in kinds else 0.0
    print(f"p99 beside a busy reader {by_reader:.2f} of before (at most {_MOST_LATER_BY_A_READER})")
    held = by_reader <= _MOST_LATER_BY_A_READER and ratio <= _MOST_LATER and report.growth_mb <= _MOST_GROWTH_MB
    return 0 if held and not untrue and not report.lost and not report.strangers else 1


if __name__ == "__main__":
    sys.exit(main())
