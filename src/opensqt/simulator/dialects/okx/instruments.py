"""OKX's names and sizes: BTC-USDT-SWAP for BTCUSDT, and contracts for coins."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import ErrorReply
from opensqt.simulator.dialects.okx import errors, other_fields
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.settings import SymbolSettings

_SIZES = {"BTC": Decimal("0.01"), "ETH": Decimal("0.1")}
_FIRST_CODE = 10_459
_STEPS_PER_CONTRACT = 10
"""For a coin whose contract is not listed above: quantity steps per contract."""


@dataclass(frozen=True, slots=True)
class OkxInstrument:
    """One swap."""

    engine: SimEngine
    symbol: str
    """Canonical."""
    size: Decimal
    """Base coins per contract."""
    code: int = 0
    """The venue's number of the instrument."""

    @property
    def rules(self) -> SymbolSettings:
        """Its current filters."""
        return self.engine.symbol(self.symbol)

    @property
    def is_listed(self) -> bool:
        """Whether the venue lists it."""
        return self.rules in self.engine.listed()

    @property
    def inst_id(self) -> str:
        """The venue's name of the instrument."""
        return f"{self.family}-SWAP"

    @property
    def family(self) -> str:
        """Its underlying."""
        return f"{self.rules.base_asset}-{self.rules.quote_asset}"

    def contracts(self, quantity: Decimal) -> str:
        """Write base coins as contracts."""
        return plain(quantity / self.size)

    def coins(self, contracts: Decimal) -> Decimal:
        """Read contracts as base coins."""
        return contracts * self.size

    def price(self, value: Decimal | None) -> str:
        """Write a price with as many decimals as its step; an empty text for None."""
        return "" if value is None else plain(value.quantize(self.rules.price_step))

    def row(self) -> dict[str, Any]:
        """Write it in the format of the instruments endpoint."""
        rules = self.rules
        most = self.contracts(rules.max_quantity)
        return {
            "instType": "SWAP",
            "instId": self.inst_id,
            "instIdCode": self.code,
            "instFamily": self.family,
            "uly": self.family,
            "baseCcy": "",
            "quoteCcy": "",
            "settleCcy": rules.quote_asset,
            "ctVal": plain(self.size),
            "ctMult": "1",
            "ctValCcy": rules.base_asset,
            "ctType": "linear",
            "optType": "",
            "stk": "",
            "listTime": "1611916828000",
            "expTime": "",
            "lever": str(rules.max_leverage),
            "tickSz": plain(rules.price_step),
            "lotSz": self.contracts(rules.quantity_step),
            "minSz": self.contracts(rules.min_quantity),
            "maxLmtSz": most,
            "maxMktSz": self.contracts(rules.largest_market_order),
            "maxLmtAmt": "20000000",
            "maxMktAmt": "",
            "state": self.engine.listing_state(self.symbol) or "live",
            "ruleType": "normal",
            "category": "1",
            "alias": "",
            **dict.fromkeys(("maxTwapSz", "maxIcebergSz", "maxTriggerSz", "maxStopSz"), most),
            **other_fields.INSTRUMENT,
        }


class Instruments:
    """Every swap, by either name."""

    def __init__(self, engine: SimEngine) -> None:
        swaps = [
            OkxInstrument(engine, rules.symbol, _size(rules), code)
            for code, rules in enumerate(engine.symbols(), _FIRST_CODE)
        ]
        self.by_symbol = {swap.symbol: swap for swap in swaps}
        self._by_code = {str(swap.code): swap for swap in swaps}
        self._by_id = {swap.inst_id: swap for swap in swaps}

    def find(self, inst_id: str) -> OkxInstrument | None:
        """Return a swap by the venue's name, or None."""
        return self._by_id.get(inst_id)

    def get(self, inst_id: str) -> OkxInstrument:
        """Return a swap by the venue's name.

        Raises:
            ErrorReply: The name is unknown.
        """
        if not inst_id:
            raise errors.missing("instId")
        found = self._by_id.get(inst_id)
        if found is None:
            raise errors.unknown_instrument()
        return found

    def family(self, family: str) -> list[OkxInstrument]:
        """Return the swaps of an underlying; all when none is named."""
        return [swap for swap in self.by_symbol.values() if family in ("", swap.family)]

    def by_code(self, code: str) -> OkxInstrument | None:
        """Return the swap of a number; None when there is none."""
        return self._by_code.get(code)

    def some(self, inst_ids: str) -> list[OkxInstrument]:
        """Return the swaps of a comma-separated list of names; all when it is empty."""
        if not inst_ids:
            return list(self.by_symbol.values())
        return [self.get(inst_id) for inst_id in inst_ids.split(",")]

    def check_type(self, kind: str) -> bool:
        """Return whether an instType contains the swaps that trade here.

        Raises:
            ErrorReply: There is no such type.
        """
        if kind not in ("", "ANY", "SWAP", "SPOT", "MARGIN", "FUTURES", "OPTION", "EVENTS"):
            raise ErrorReply(400, "51000", "Parameter instType error")
        return kind in ("", "ANY", "SWAP")


def plain(value: Decimal) -> str:
    """Write a number in OKX's format: no exponent, no trailing zeros."""
    text = decimals.exact(value)
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def divided(value: Decimal) -> str:
    """Write a quotient with at most eight decimals."""
    return plain(Decimal(decimals.rounded(value)))


def _size(rules: SymbolSettings) -> Decimal:
    usual = _SIZES.get(rules.base_asset, rules.quantity_step * _STEPS_PER_CONTRACT)
    return rules.contract_size or usual
