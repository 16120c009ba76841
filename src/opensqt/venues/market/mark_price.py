"""The mark price of one symbol, with the next funding."""

from __future__ import annotations

from dataclasses import replace

from opensqt.model.market import MarkPrice
from opensqt.venues.market.topic import MarketTopic


class MarkPriceTopic(MarketTopic[MarkPrice]):
    """Mark prices. A queried one may have no time, and then counts as current."""

    def _is_newer(self, update: MarkPrice) -> bool:
        if self.last is not None and not update.event_time_ms:
            update = replace(update, event_time_ms=self.last.event_time_ms)
        return super()._is_newer(update)
