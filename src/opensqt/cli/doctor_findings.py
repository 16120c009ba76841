"""Findings of `opensqt doctor`: what of machine, account and connector is as it should be, and what to do if not.

Functions of what was read; the reading is in `doctor`.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from opensqt.model.account import Account, MarginMode, Position
from opensqt.model.venue import ExchangeInfo, ExchangeStatus, RateBudget

_OFFSET_WARN_MS = 1_000
_OFFSET_FAIL_MS = 5_000
_DISK_WARN = 1 << 30
_DISK_FAIL = 100 << 20
_MOST_LEVERAGE = Decimal(10)


class FindingResult(StrEnum):
    """How one finding is."""

    OK = "ok"
    WARN = "warn"
    """It works, and should be looked at."""
    FAIL = "fail"
    """Trading is not possible or not safe."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    result: FindingResult
    text: str
    advice: str = ""
    """What to do; empty where nothing is to be done."""


def ok(name: str, text: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(name, FindingResult.OK, text)


def warn(name: str, text: str, advice: str) -> Finding:
    """Return a finding to look at."""
    return Finding(name, FindingResult.WARN, text, advice)


def fail(name: str, text: str, advice: str) -> Finding:
    """Return a finding that prevents trading."""
    return Finding(name, FindingResult.FAIL, text, advice)


def disk(folder: Path, free: int) -> Finding:
    """Judge the free bytes of the folder of the database."""
    text = f"{free / (1 << 30):.1f} GiB free at {folder}"
    if free < _DISK_FAIL:
        return fail("disk", text, "free some: without room nothing is stored, so no order is sent")
    if free < _DISK_WARN:
        return warn("disk", text, "free some; `df -h` shows what is full")
    return ok("disk", text)


def file_mode(what: str, path: Path, mode: int) -> Finding:
    """Judge the mode of a file that only its owner should read."""
    text = f"{path} has mode {stat.S_IMODE(mode):04o}"
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return warn(what, text, f"chmod 600 {path}: other users of this machine can read it")
    return ok(what, text)


def versions(ours: str, theirs: str) -> Finding:
    """Compare the version of this client with the connector's."""
    text = f"connector {theirs or 'of an unknown version'}, this client {ours}"
    if theirs != ours:
        return warn("versions", text, "install the same version on both sides, the connector first")
    return ok("versions", text)


def clock(offset_ms: int | None) -> Finding:
    """Judge the offset of the venue's clock."""
    if offset_ms is None:
        return ok("clock", "the exchange reports none")
    text = f"the exchange's clock is {abs(offset_ms)} ms {'ahead of' if offset_ms >= 0 else 'behind'} the connector's"
    advice = "let the machine's clock be set by NTP (timedatectl set-ntp true); requests are corrected for it meanwhile"
    if abs(offset_ms) >= _OFFSET_FAIL_MS:
        return fail("clock", text, advice)
    return warn("clock", text, advice) if abs(offset_ms) >= _OFFSET_WARN_MS else ok("clock", text)


def health(status: ExchangeStatus) -> Iterator[Finding]:
    """Judge the connector's own checks; those that are ok and say something are shown, too."""
    red = [check for check in status.checks if not check.ok]
    for check in red:
        yield fail(f"check {check.name}", check.reason, "docs/operations.md (Health) says what each check means")
    if not red:
        yield ok("connector's checks", f"all {len(status.checks)} are ok")
    for check in status.checks:
        if check.ok and check.name == "key_rights" and check.reason:
            yield warn("key rights", check.reason, "change the key's rights on the exchange's page, or make another")
    for halt in status.halts:
        where = halt.symbol or "all trading"
        yield warn("halt", f"{where} is halted by {halt.client}: {halt.reason}", "`opensqt resume` lifts it")
    for notice in status.notices:
        yield warn(f"notice {notice.kind.value}", notice.text, "look at the exchange's page")
    if status.unresolved_orders:
        text = f"{status.unresolved_orders} orders of unknown outcome"
        yield warn("orders", text, "wait: the connector asks for them; `opensqt status` shows the number")


def trading(info: ExchangeInfo, symbols: Sequence[str], status: ExchangeStatus) -> Iterator[Finding]:
    """Judge whether the account may trade the symbols, and who does."""
    where = " (simulated)" if info.simulated else " (testnet)" if info.testnet else ""
    if not info.capabilities.trading:
        yield fail("key", f"{info.name}{where}: public-only, there is no key", "start the connector with a key")
    else:
        yield ok("key", f"{info.name}{where}: the exchange took a signed call with it")
    mode = f"; account mode {status.account_mode}" if status.account_mode else ""
    yield ok("position mode", f"{info.position_mode.value}{mode}")
    for symbol in symbols:
        yield _symbol(info, symbol)
        for claim in status.claims:
            if claim.symbol == symbol:
                text = f"{symbol} is traded by {claim.description or claim.client}, strategy {claim.strategy}"
                yield ok("trader", text)


def _symbol(info: ExchangeInfo, symbol: str) -> Finding:
    rules = info.rules(symbol)
    if rules is None:
        return fail("symbol", f"{symbol} is not traded at {info.name}", "give another in the section trading")
    if not rules.tradable:
        return fail(
            "symbol", f"{symbol} does not trade now ({rules.untradable_reason})", "wait, or give another symbol"
        )
    return ok("symbol", f"{symbol} is traded in steps of {rules.price_step} and {rules.quantity_step}")


def account(found: Account) -> Finding:
    """Judge the balance."""
    text = f"{found.available_balance:.2f} {found.asset} available of {found.margin_balance:.2f}"
    if found.available_balance <= 0:
        return fail("balance", text, "transfer some to the futures account, or close positions")
    return ok("balance", text)


def position(symbol: str, positions: Sequence[Position]) -> Finding:
    """Judge leverage and margin mode of the symbol."""
    leverage = next((one.leverage for one in positions if one.leverage is not None), None)
    isolated = any(one.margin_mode is MarginMode.ISOLATED for one in positions)
    margin = f"{'isolated' if isolated else 'cross'} margin"
    if leverage is None:
        return warn("leverage", f"{symbol}: not reported, {margin}", "set exchange.leverage of the connector")
    text = f"{symbol}: {leverage.normalize():f}x, {margin}"
    if leverage > _MOST_LEVERAGE:
        return fail("leverage", text, f"set it to {_MOST_LEVERAGE} at most: a long grid is liquidated with more")
    if isolated:
        return warn("leverage", text, "`market-maker --check` shows the liquidation price of isolated margin")
    return ok("leverage", text)


def budget(found: RateBudget) -> Finding:
    """Judge what is left of the venue's rate limits."""
    if found.silent_s:
        text = f"the exchange demands silence for {found.silent_s:.0f} s"
        return fail("rate budget", text, "wait, don't restart (docs/operations.md, RateLimited)")
    low = [limit for limit in found.limits if limit.left * 10 < limit.limit]
    if low:
        text = ", ".join(f"{limit.name}: {limit.left} of {limit.limit} left" for limit in low)
        return warn("rate budget", text, "find who asks too much (docs/operations.md, RateBudgetLow)")
    left = [f"{one.name}: {one.left} of {one.limit} left" for one in found.limits]
    return ok("rate budget", ", ".join(left) or "unused")


def worst(findings: Iterable[Finding]) -> int:
    """Return the exit code: 1 when something fails."""
    return int(any(finding.result is FindingResult.FAIL for finding in findings))
