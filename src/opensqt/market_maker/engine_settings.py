"""The settings of the engine, and the phases of its life."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from opensqt.market_maker.strategy.choice import QuoterFactory
from opensqt.market_maker.strategy.grid.quoter import GridQuoter
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.price_inputs import InputName
from opensqt.market_maker.strategy.quoter import PriceRange
from opensqt.market_maker.strategy.reference import ReferenceSettings
from opensqt.market_maker.strategy.triggers import TriggerSettings
from opensqt.market_maker.strategy.volatility import VolatilitySettings
from opensqt.model.order import PositionSide


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """The settings of the engine. Times in seconds."""

    symbol: str
    strategy_id: str
    interval: Decimal
    grid: GridSettings
    position_side: PositionSide
    adopt_position: str
    reconcile_interval_s: float
    margin_lock_s: float
    price_max_age_s: float
    first_sequence: int
    """For a new database: above every sequence that an older, lost one can have used."""
    price_range: PriceRange = field(default_factory=PriceRange)
    reference: ReferenceSettings = field(default_factory=ReferenceSettings)
    price_inputs: frozenset[InputName] = frozenset()
    """The price inputs that the venue has."""
    real_time: bool = True
    """Whether the venue's event times follow our clock; those of a simulated market may not."""
    geometric: bool = False
    """Whether the interval is a fraction of the price."""
    quoter: QuoterFactory = GridQuoter
    """Makes the strategy."""
    triggers: TriggerSettings = field(default_factory=TriggerSettings)
    volatility: VolatilitySettings | None = None
    """The candles that the interval follows; None leaves it as it is."""
    anchor: Decimal | None = None
    """For a new database whose orders are at the venue already: that of the earlier one."""
    take_venue: str = ""
    """At the start: `apply` takes the venue's position over, `preview` only says what would change, and ends."""


class Phase(StrEnum):
    """The phase of a grid's life."""

    STARTING = "STARTING"
    """Nothing is placed before the first comparison with the venue."""
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
