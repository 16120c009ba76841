"""The list of symbols, each field of one row changed, over whole adapters: it hides no other, and is reported."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import structlog

from opensqt.config.venue import VenueSettings
from opensqt.model.errors import UnknownSymbol
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.venues.adapter import VenueAdapter
from opensqt.venues.factory import KNOWN, venue_type
from tests.unit.venues.test_frames import REMOVED, at, changes

ETHER = ("ETHUSDT", "ETH-USDT-SWAP", "ETH_USDT")
ROWS = {"binance": ["symbols"], "bitget": ["data"], "bybit": ["result", "list"], "gate": [], "okx": ["data"]}
UNREADABLE: dict[str, list[tuple[tuple[Any, ...], list[Any]]]] = {
    "binance": [(("pricePrecision",), ["word"]), (("filters", 0, "tickSize"), ["0", "-1"])],
    "bitget": [(("volumePlace",), ["word", None]), (("sizeMultiplier",), ["-1"])],
    "bybit": [(("priceFilter",), ["word"]), (("lotSizeFilter", "qtyStep"), ["", "0"])],
    "gate": [(("mark_price",), ["word"]), (("quanto_multiplier",), [None, "", "0", "-0.01"])],
    "okx": [(("tickSz",), [{}, "0"]), (("ctVal",), [None, "", "0", "-0.01"])],
}
"""The way to a field of a row, and values with which the row can't be read."""


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Log nothing: to write thousands of lines takes longer than to read the lists."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


class SymbolLists:
    """The responses of a simulated venue, each sent once and kept; one row of the list of symbols can be replaced."""

    def __init__(self, venue: str, exchange: VenueAdapter) -> None:
        exchange.client.rate_limiter = None
        self._rows, self._send = ROWS[venue], exchange.client.fetch
        self._kept: dict[str, Any] = {}
        self.row: dict[str, Any] = {}
        """The row of ETHUSDT as the venue sends it."""
        self.replacement: Any = REMOVED
        """What stands in its place; `REMOVED` leaves it."""
        exchange.client.fetch = self.send

    async def send(self, url: str, *arguments: Any) -> Any:
        if url not in self._kept:
            self._kept[url] = await self._send(url, *arguments)
        response = deepcopy(self._kept[url])
        try:
            rows = at(response, tuple(self._rows))
        except (KeyError, TypeError):
            return response
        for number, row in enumerate(rows if isinstance(rows, list) else ()):
            if isinstance(row, dict) and {row.get("symbol"), row.get("instId"), row.get("name")} & set(ETHER):
                self.row = deepcopy(row)
                if self.replacement is not REMOVED:
                    rows[number] = deepcopy(self.replacement)
        return response


def bad_rows(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The row with each field removed, and with some of the bad values of each; then rows that are none."""
    for change in changes(row):
        if change.value in (REMOVED, None, "A_NEW_WORD", -1.5) or not change.field:
            yield change.what, change.frame


@pytest.mark.parametrize("name", sorted(KNOWN))
async def test_a_bad_row_of_the_list_of_symbols_hides_no_other(name: str) -> None:
    """F25, F44: the rules of every other symbol are loaded, at the start and after it."""
    async with Simulator(SimulatorSettings(exchange=name, port=0)) as simulator:
        settings = VenueSettings(name=name, base_url=simulator.url, public_only=True)  # type: ignore[arg-type]
        exchange = VenueAdapter(venue_type(name), settings)
        venue, lists = exchange.venue, SymbolLists(name, exchange)
        try:
            await venue.load_rules()
            good = dict(venue.rules)
            reported = 0
            for what, row in bad_rows(lists.row):
                lists.replacement = row
                vars(venue).update(rules={}, rules_by_id={}, _listings={})
                await venue.load_rules()
                assert venue.rules["BTCUSDT"] == good["BTCUSDT"], what
                found = venue.rules.get("ETHUSDT")
                rows = venue.set_aside.rows("rules")
                reported += bool(rows)
                assert not (rows and found is not None), what
                if found is not None:
                    assert found.price_step > 0, what
                    assert found.quantity_step > 0, what
                    assert found.contract_size == good["ETHUSDT"].contract_size, what
            assert reported
        finally:
            await exchange.close()


@pytest.mark.parametrize("name", sorted(KNOWN))
async def test_a_symbol_whose_row_became_unreadable_keeps_its_rules(name: str) -> None:
    """F25, F44: it can be held, and trades on; the row is reported until it can be read."""
    async with Simulator(SimulatorSettings(exchange=name, port=0)) as simulator:
        settings = VenueSettings(name=name, base_url=simulator.url, public_only=True)  # type: ignore[arg-type]
        exchange = VenueAdapter(venue_type(name), settings)
        venue, lists = exchange.venue, SymbolLists(name, exchange)
        try:
            await venue.load_rules()
            good = venue.rules["ETHUSDT"]
            for row in unreadable(name, lists.row):
                lists.replacement = row
                for _ in range(2):
                    await venue.load_rules()
                    assert venue.rules["ETHUSDT"] == good
                    assert venue.market_id("ETHUSDT")
                status = {check.name: check for check in (await exchange.get_status()).checks}
                assert status["rows"].ok
                assert "rules ETHUSDT" in status["rows"].reason
                assert exchange.venue_metrics.rows_set_aside()["rules"] == 1
            lists.replacement = REMOVED
            await venue.load_rules()
            assert not venue.set_aside
        finally:
            await exchange.close()


def unreadable(name: str, row: dict[str, Any]) -> list[Any]:
    """Rows of a symbol that it can't be traded by: ccxt can't read the first one, and reads the others."""
    found = []
    for way, values in UNREADABLE[name]:
        for value in values:
            changed = deepcopy(row)
            at(changed, way[:-1])[way[-1]] = value
            found.append(changed)
    return found


async def test_a_symbol_of_the_settings_without_readable_rules_is_refused_with_the_reason() -> None:
    """F25: `not traded` alone would send the reader to look for a typing error."""
    async with Simulator(SimulatorSettings(exchange="okx", port=0)) as simulator:
        settings = VenueSettings(name="okx", base_url=simulator.url, public_only=True, symbols=("ETHUSDT",))
        exchange = VenueAdapter(venue_type("okx"), settings)
        lists = SymbolLists("okx", exchange)
        lists.replacement = {"instId": "ETH-USDT-SWAP", "instType": "SWAP"}
        with pytest.raises(UnknownSymbol, match=r"could not be read: .*ETH-USDT-SWAP"):
            await exchange.start()
