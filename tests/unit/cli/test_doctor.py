"""What `opensqt doctor` says of what it read: each finding is a function."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.cli import doctor_findings as judge
from opensqt.cli.doctor_findings import Finding, FindingResult
from opensqt.model.account import Account, AccountNotice, MarginMode, NoticeKind, Position
from opensqt.model.venue import (
    Capabilities,
    Check,
    ExchangeInfo,
    ExchangeStatus,
    Halt,
    RateBudget,
    RateLimit,
    SymbolRules,
)

GIB = 1 << 30
RULES = SymbolRules(
    symbol="BTCUSDT",
    base_asset="BTC",
    quote_asset="USDT",
    price_step=Decimal("0.1"),
    quantity_step=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
    min_notional=Decimal(5),
)


def info(**changes: object) -> ExchangeInfo:
    values = {"name": "binance", "exchange_type": "usdt_perpetual", "capabilities": Capabilities(), "symbols": (RULES,)}
    return ExchangeInfo(**{**values, **changes})  # type: ignore[arg-type]


def position(leverage: str | None, mode: MarginMode = MarginMode.CROSS) -> list[Position]:
    given = Decimal(leverage) if leverage else None
    return [Position(symbol="BTCUSDT", quantity=Decimal(0), entry_price=Decimal(0), leverage=given, margin_mode=mode)]


def account(available: str) -> Account:
    return Account(
        asset="USDT", wallet_balance=Decimal(9), unrealized_pnl=Decimal(0), available_balance=Decimal(available)
    )


def budget(left: int, silent_s: float = 0) -> RateBudget:
    return RateBudget(limits=(RateLimit(name="weight", limit=2400, left=left, window_s=60.0),), silent_s=silent_s)


CASES: list[tuple[Finding, FindingResult]] = [
    (judge.disk(Path("/data"), 5 * GIB), FindingResult.OK),
    (judge.disk(Path("/data"), GIB // 2), FindingResult.WARN),
    (judge.disk(Path("/data"), GIB // 20), FindingResult.FAIL),
    (judge.file_mode("token", Path("/t"), 0o100600), FindingResult.OK),
    (judge.file_mode("token", Path("/t"), 0o100640), FindingResult.WARN),
    (judge.versions("0.1.0", "0.1.0"), FindingResult.OK),
    (judge.versions("0.1.0", "0.2.0"), FindingResult.WARN),
    (judge.versions("0.1.0", ""), FindingResult.WARN),
    (judge.clock(None), FindingResult.OK),
    (judge.clock(-200), FindingResult.OK),
    (judge.clock(-2_000), FindingResult.WARN),
    (judge.clock(9_000), FindingResult.FAIL),
    (judge.account(account("5")), FindingResult.OK),
    (judge.account(account("0")), FindingResult.FAIL),
    (judge.position("BTCUSDT", position("5")), FindingResult.OK),
    (judge.position("BTCUSDT", position("20")), FindingResult.FAIL),
    (judge.position("BTCUSDT", position(None)), FindingResult.WARN),
    (judge.position("BTCUSDT", position("5", MarginMode.ISOLATED)), FindingResult.WARN),
    (judge.budget(budget(2000)), FindingResult.OK),
    (judge.budget(budget(100)), FindingResult.WARN),
    (judge.budget(budget(2000, 12)), FindingResult.FAIL),
]


@pytest.mark.parametrize(("finding", "result"), CASES, ids=str)
def test_each_finding_has_its_result_and_what_to_do(finding: Finding, result: FindingResult) -> None:
    assert finding.result is result, finding
    assert bool(finding.advice) is (result is not FindingResult.OK)
    assert finding.text


def test_a_red_check_fails_and_a_key_with_too_many_rights_is_a_warning() -> None:
    """F34: a key that may withdraw is found before the first order."""
    status = ExchangeStatus(
        checks=(
            Check(name="venue", ok=False, reason="it does not answer"),
            Check(name="key_rights", ok=True, reason="this key may withdraw"),
        ),
        halts=(Halt(halt_id="h", client="ann", reason="r"),),
        notices=(AccountNotice(kind=NoticeKind.MARGIN_CALL, text="the margin is nearly used up"),),
        unresolved_orders=2,
    )
    found = {finding.name: finding.result for finding in judge.health(status)}
    assert found.pop("check venue") is FindingResult.FAIL
    assert found == dict.fromkeys(["key rights", "halt", "notice MARGIN_CALL", "orders"], FindingResult.WARN)
    assert judge.worst(judge.health(status)) == 1


def test_healthy_checks_are_one_line() -> None:
    (finding,) = judge.health(ExchangeStatus(checks=(Check(name="venue", ok=True), Check(name="clock", ok=True))))
    assert (finding.result, finding.text) == (FindingResult.OK, "all 2 are ok")


def test_an_account_that_can_not_trade_the_symbol_fails() -> None:
    status = ExchangeStatus()
    assert judge.worst(judge.trading(info(), ["BTCUSDT"], status)) == 0
    assert judge.worst(judge.trading(info(), ["BTCUSDT", "NOPEUSDT"], status)) == 1
    assert judge.worst(judge.trading(info(capabilities=Capabilities(trading=False)), ["BTCUSDT"], status)) == 1
