"""The marathon itself: short in every run of the tests, at full length by `make chaos`."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

from opensqt.simulator.faults import ANSWER_KINDS, SOCKET_REQUEST_KINDS, FaultKind
from tests.chaos.marathon.report import keep
from tests.chaos.marathon.run import CAST, Marathon, Settings, marathon
from tests.chaos.marathon.script import CRASH, KILL, SKEW, STALL, Rhythm, script

SHORT = Rhythm(fault_s=0.6, kill_s=6, stall_s=9, skew_s=5, crash_s=4)


def test_a_script_holds_everything_that_can_go_wrong_with_an_honest_venue() -> None:
    """It never bans who behaves, and does not say that it did what it ignored."""
    steps = script(7, 90, Rhythm(), refusal="1", clients=len(CAST))
    dishonest = {FaultKind.BANNED, FaultKind.IGNORE}
    of_order_sockets = SOCKET_REQUEST_KINDS | ANSWER_KINDS  # the connector places orders by REST
    assert {step.what for step in steps} == {*(set(FaultKind) - dishonest - of_order_sockets), KILL, STALL, SKEW, CRASH}


def test_the_same_seed_makes_the_same_script() -> None:
    first, second, other = (script(seed, 60, SHORT, refusal="1", clients=8) for seed in (7, 7, 8))
    assert first == second != other


async def test_every_client_s_view_equals_the_ledger_after_faults_and_kills(tmp_path: Path, large: bool) -> None:
    """F1, F6, F8, F16, F24 through the gateway: no duplicate, no ban, no order of a client that may only read."""
    settings = Settings(seed=7, duration_s=120 if large else 20, rhythm=SHORT)
    verdict = await marathon(settings, tmp_path, quietly)
    keep(verdict, tmp_path)
    assert verdict.passed, [f"{difference.who}: {difference.what}" for difference in verdict.differences[:20]]
    assert verdict.figures["fills"] > 0
    assert verdict.figures["refused to the client that may only read"] > 0
    assert verdict.faults[KILL][1] > 0


def quietly(_run: Marathon) -> AbstractAsyncContextManager[None]:
    return nullcontext()
