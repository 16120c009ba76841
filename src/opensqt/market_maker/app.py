"""Builds the market maker: the exchange by the settings, the state from the store, the safety check."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from importlib import import_module

from opensqt.client.exchange import RemoteExchange
from opensqt.config.market_maker import GridTradingSettings, MarketMakerSettings
from opensqt.config.venue import VenueSettings
from opensqt.market_maker.engine import GridEngine
from opensqt.market_maker.engine_settings import EngineSettings
from opensqt.market_maker.orders import reconcile
from opensqt.market_maker.orders.ids import OrderIds
from opensqt.market_maker.orders.plausible import rules_defect
from opensqt.market_maker.orders.recovery import recovered_anchor
from opensqt.market_maker.orders.stored import Stored
from opensqt.market_maker.price_streams import price_inputs
from opensqt.market_maker.right import Ask
from opensqt.market_maker.risk.entry_check import EntryCheck
from opensqt.market_maker.risk.ladder import AccountInputs, GridRequirements, LadderLevel, account_inputs, ladder
from opensqt.market_maker.risk.safety import Guard, Rule, broken_rules, check
from opensqt.market_maker.risk_setup import make_controls
from opensqt.market_maker.service import MarketMaker, started
from opensqt.market_maker.shared_exposure import SharedExposure
from opensqt.market_maker.store.store import Store
from opensqt.market_maker.strategy.choice import QuoterFactory
from opensqt.market_maker.strategy.glft import GlftParameters, GlftQuoter
from opensqt.market_maker.strategy.grid.quoter import GridQuoter
from opensqt.market_maker.strategy.grid.settings import GridMode, GridSettings
from opensqt.market_maker.strategy.price_inputs import InputName
from opensqt.market_maker.strategy.quoter import PriceRange
from opensqt.market_maker.strategy.reference import ReferenceSettings
from opensqt.market_maker.strategy.triggers import Closing, TriggerSettings
from opensqt.market_maker.strategy.volatility import VolatilitySettings
from opensqt.model.account import PositionMode
from opensqt.model.clock import now_ms
from opensqt.model.errors import ConfigError
from opensqt.model.exchange import Exchange
from opensqt.model.order import PositionSide, Side, TimeInForce
from opensqt.model.venue import ExchangeInfo, SymbolRules
from opensqt.service.retry import retry_start

MAX_CLIENT_NAME = 64
"""Characters of a client's name at the connector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The parts of a run."""

    exchange: Exchange
    info: ExchangeInfo
    rules: SymbolRules
    engine: GridEngine
    inputs: AccountInputs
    requirements: GridRequirements
    rule_results: list[Rule]
    ladder_levels: list[LadderLevel]
    holding: bool
    """Whether the grid holds coins or may: then a rule that guards entries does not prevent its start."""

    @property
    def safe(self) -> bool:
        """Whether every rule of the safety check passed."""
        return not self.broken

    @property
    def broken(self) -> list[Rule]:
        """The broken rules of the safety check."""
        return [rule for rule in self.rule_results if not rule.passed]

    @property
    def broken_text(self) -> str:
        """The broken rules with their numbers, as a part of a sentence; empty when every rule passed."""
        return "; ".join(f"{rule.name}: {rule.detail}" for rule in self.broken)

    @property
    def may_start(self) -> bool:
        """Whether the grid may start: with every rule held, or with exits only for what it holds."""
        return self.safe or (self.holding and not broken_rules(self.rule_results, Guard.ORDERS))


def make_maker(
    setup: Setup,
    settings: MarketMakerSettings,
    store: Store,
    ask: Ask | None = None,
    *,
    shared: SharedExposure | None = None,
) -> MarketMaker:
    """Return the market maker of a grid that was assembled; *ask* as for `TradingRight`, *shared* for `MarketMaker`."""
    return MarketMaker(
        setup.engine,
        setup.exchange,
        store,
        info=setup.info,
        rules=setup.rules,
        cancel_on_exit=settings.system.cancel_on_exit,
        ask=ask,
        shared=shared,
    )


def settings_for(setup: Setup, settings: MarketMakerSettings) -> EngineSettings:
    """Return the engine's settings of a changed file, for a grid that was assembled."""
    hedge = setup.info.position_mode is PositionMode.HEDGE
    return engine_settings(settings, hedge=hedge, first_sequence=setup.engine.settings.first_sequence)


def make_exchange(settings: MarketMakerSettings) -> Exchange:
    """Return the exchange that `app.current_exchange` names, not started yet.

    Raises:
        ConfigError: Development mode on an unknown venue.
    """
    name = settings.app.current_exchange
    if name == "remote":
        # Each process has a lease of its own, and a lease belongs to a name.
        return RemoteExchange(settings.exchanges.remote.with_name(client_name(settings.symbols)))
    from opensqt.venues.factory import (
        create_exchange,  # ccxt takes a second to import; the usual mode does not need it
    )

    access = settings.venue_access(name)
    return create_exchange(
        VenueSettings(
            name=name,
            api_key=access.api_key,
            secret=access.secret_key,
            passphrase=access.passphrase,
            testnet=access.testnet,
            base_url=access.base_url,
            symbols=settings.symbols,
        )
    )


def client_name(symbols: Sequence[str]) -> str:
    """Return the name of the client that trades these symbols: the same after each restart, whatever their order."""
    whole = "market-maker-" + ".".join(sorted(symbols))
    if len(whole) <= MAX_CLIENT_NAME:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()
    return f"market-maker-{len(symbols)}-symbols-{digest[:16]}"


async def assemble(
    settings: MarketMakerSettings,
    store: Store,
    stack: AsyncExitStack,
    make: Callable[[MarketMakerSettings], Exchange] = make_exchange,
    *,
    take_venue: str = "",
) -> Setup:
    """Connect, load the grid and check it.

    Args:
        settings: The whole file.
        store: Open.
        stack: Closes the exchange at its end.
        make: Returns the exchange, not started yet.
        take_venue: As `EngineSettings.take_venue`.

    Raises:
        ConfigError: The settings don't fit the venue, or the stored grid.
        ConnectorUnavailable: After the last retry.
        BackOff: The venue requests a pause that is longer than a start may take.
        Unreachable: The venue did not respond to the last attempt.
    """
    exchange = await stack.enter_async_context(started(make(settings)))
    return await assemble_at_start(exchange, settings, store, take_venue=take_venue)


async def assemble_at_start(
    exchange: Exchange, settings: MarketMakerSettings, store: Store, *, take_venue: str = ""
) -> Setup:
    """Do as `assemble_on`, and wait for a venue that is overloaded, as long as a start may.

    Raises:
        ConfigError: The settings don't fit the venue, or the stored grid.
        ConnectorUnavailable: After the last retry.
        BackOff: The venue requests a pause that is longer than a start may take.
        Unreachable: The venue did not respond to the last attempt.
    """
    assembly = partial(assemble_on, exchange, settings, store, take_venue=take_venue)
    return await retry_start(assembly, logger="market_maker")


async def assemble_on(
    exchange: Exchange, settings: MarketMakerSettings, store: Store, *, take_venue: str = ""
) -> Setup:
    """Load the grid and check it, on an exchange that is started.

    Raises:
        ConfigError: The settings don't fit the venue, or the stored grid.
        ConnectorUnavailable: After the last retry.
    """
    trading = settings.trading
    info = await exchange.get_exchange_info()
    stored = await store.load(trading.symbol)
    rules = _fitting_rules(info, trading, holding=bool(stored.slots or stored.live_orders))
    stored = _same_grid(stored, trading)
    inputs = await _account_inputs(exchange, info, rules, settings, stored)
    requirements = grid_requirements(trading, inputs.price)
    hedge = info.position_mode is PositionMode.HEDGE
    engine = build_engine(
        settings,
        rules,
        stored,
        inputs,
        hedge=hedge,
        names=price_inputs(info.capabilities),
        real_time=not info.simulated,
        now=time.monotonic(),
        now_ms=now_ms(),
    )
    engine.settings = replace(
        engine.settings, anchor=await _anchor(exchange, engine, price_step=rules.price_step), take_venue=take_venue
    )
    return Setup(
        exchange=exchange,
        info=info,
        rules=rules,
        engine=engine,
        inputs=inputs,
        requirements=requirements,
        rule_results=check(inputs, requirements, rules),
        ladder_levels=ladder(inputs, requirements, rules),
        holding=_holding(settings, stored, inputs),
    )


async def _anchor(exchange: Exchange, engine: GridEngine, *, price_step: Decimal) -> Decimal | None:
    """Return the anchor of the orders that an earlier database has left at the venue."""
    settings = engine.settings
    if engine.state.header is not None:
        return None
    return recovered_anchor(
        await exchange.get_open_orders(settings.symbol),
        engine.state.ids,
        settings.interval,
        mode=settings.grid.mode,
        geometric=settings.geometric,
        price_step=price_step,
    )


def _holding(settings: MarketMakerSettings, stored: Stored, inputs: AccountInputs) -> bool:
    """Return whether the grid holds coins: by its fills, by orders that may have traded, or by adoption."""
    held = any(slot.quantity for slot in stored.slots) or bool(stored.live_orders)
    return held or (settings.app.adopt_position == "levels" and inputs.held != 0)


def _fitting_rules(info: ExchangeInfo, trading: GridTradingSettings, *, holding: bool) -> SymbolRules:
    rules = info.rules(trading.symbol)
    if rules is None:
        raise ConfigError(f"trading.symbol: {trading.symbol} is not traded at {info.name}")
    if defect := rules_defect(rules):
        raise ConfigError(
            f"trading.symbol: the rules of {trading.symbol} at {info.name} make no sense: {defect};"
            " nothing can be traded by them"
        )
    if not rules.tradable and not holding:
        raise ConfigError(
            f"trading.symbol: {trading.symbol} does not trade at {info.name} now ({rules.untradable_reason}); "
            "`opensqt cancel-all --everything --flatten` closes what is held"
        )
    if not info.capabilities.trading:
        raise ConfigError("app.current_exchange: the connector is public-only; start it with a key to trade")
    if TimeInForce.POST_ONLY not in info.capabilities.time_in_force:
        raise ConfigError(
            f"app.current_exchange: {info.name} has no post-only orders, and the grid trades with no others"
        )
    ids = OrderIds(trading.strategy_id, trading.symbol)
    try:
        ids.make(-100_000, Side.SELL, now_ms())
    except ValueError as error:
        raise ConfigError(f"trading.symbol: {trading.symbol} is too long for the client order ids: {error}") from None
    return rules


def _same_grid(stored: Stored, trading: GridTradingSettings) -> Stored:
    """Return the stored grid with the interval of the settings.

    A level's price follows from anchor and interval, so the interval may change only while nothing is held.
    """
    header, interval, geometric = stored.header, _interval(trading), trading.grid_step == "geometric"
    if header is None or (header.interval, header.geometric) == (interval, geometric):
        return stored
    if trading.dynamic_interval and header.geometric is geometric:
        return stored  # the interval that it has moved to
    holding = [slot for slot in stored.slots if slot.quantity]
    if holding or stored.live_orders:
        raise ConfigError(
            f"{_interval_text(interval, geometric=geometric)}: the stored grid was built with"
            f" {_interval_text(header.interval, geometric=header.geometric)} and has"
            f" {len(holding)} levels filled and {len(stored.live_orders)} orders live; set it back, or give another"
            " app.database_url"
        )
    return replace(stored, header=replace(header, interval=interval, geometric=geometric))


def _interval(trading: GridTradingSettings) -> Decimal:
    """Return the distance of two levels: quote, or a fraction of the price for a geometric grid."""
    return trading.price_interval_percent / 100 if trading.grid_step == "geometric" else trading.price_interval


def _interval_text(interval: Decimal, *, geometric: bool) -> str:
    return f"trading.price_interval_percent {interval * 100:f}" if geometric else f"trading.price_interval {interval:f}"


async def _account_inputs(
    exchange: Exchange, info: ExchangeInfo, rules: SymbolRules, settings: MarketMakerSettings, stored: Stored
) -> AccountInputs:
    symbol = settings.trading.symbol
    account = await exchange.get_account()
    mode = GridMode(settings.trading.grid_mode)
    position = reconcile.grid_position(await exchange.get_positions(symbol), symbol, mode)
    price = await exchange.get_latest_price(symbol)
    fee = rules.maker_fee
    return account_inputs(
        account,
        position,
        price.mid,
        fee_rate=fee if fee is not None else settings.venue_access(info.name).fee_rate,
        held_levels=sum(1 for slot in stored.slots if slot.quantity),
    )


def build_engine(
    settings: MarketMakerSettings,
    rules: SymbolRules,
    stored: Stored,
    inputs: AccountInputs,
    *,
    hedge: bool,
    names: frozenset[InputName],
    real_time: bool,
    now: float,
    now_ms: int,
) -> GridEngine:
    """Return the engine of a grid with its risk controls.

    Args:
        settings: The whole file.
        rules: The venue's steps and minimums.
        stored: What the database holds.
        inputs: State of account and market.
        hedge: Whether the account has a position for each side.
        names: The price inputs that the venue has.
        real_time: See `EngineSettings.real_time`.
        now: Monotonic seconds; every later `now` is of the same clock.
        now_ms: UTC epoch milliseconds at *now*; a new database begins its sequence with it.
    """
    risk = make_controls(
        settings.risk_control,
        EntryCheck(grid_requirements(settings.trading, inputs.price), inputs, rules),
        symbol=settings.trading.symbol,
        stored=stored.risk,
        now=now,
        now_ms=now_ms,
    )
    own = engine_settings(settings, hedge=hedge, first_sequence=now_ms)
    own = replace(own, price_inputs=names, real_time=real_time)
    return GridEngine(own, rules, stored, now=now, risk=risk)


def grid_requirements(trading: GridTradingSettings, price: Decimal) -> GridRequirements:
    """Return the settings that the safety check needs; amounts in coins are valued at *price*."""
    in_base = trading.order_quantity_in == "base"
    return GridRequirements(
        interval=_interval(trading),
        order_quantity=trading.order_quantity * price if in_base else trading.order_quantity,
        min_order_value=trading.min_order_value,
        levels=trading.position_safety_check,
        mode=GridMode(trading.grid_mode),
        geometric=trading.grid_step == "geometric",
        spread=2 * parameters.half_spread if (parameters := _glft(trading)) is not None else None,
    )


def engine_settings(settings: MarketMakerSettings, *, hedge: bool, first_sequence: int) -> EngineSettings:
    """Return the engine's settings, as for `build_engine`."""
    trading = settings.trading
    return EngineSettings(
        symbol=trading.symbol,
        strategy_id=trading.strategy_id,
        interval=_interval(trading),
        geometric=trading.grid_step == "geometric",
        quoter=_quoter(trading),
        triggers=TriggerSettings(
            start_price=trading.start_price,
            stop_below=trading.stop_below,
            stop_above=trading.stop_above,
            take_profit=trading.take_profit,
            stop_loss=trading.stop_loss,
            closing=Closing(trading.stop_closes),
        ),
        volatility=_volatility(trading),
        grid=GridSettings(
            order_quantity=trading.order_quantity,
            min_order_value=trading.min_order_value,
            buy_window=trading.buy_window_size,
            sell_window=trading.sell_window_size,
            max_open_orders=trading.order_cleanup_threshold,
            cleanup_batch=trading.cleanup_batch_size,
            mode=GridMode(trading.grid_mode),
            in_base=trading.order_quantity_in == "base",
            lowest_price=trading.lowest_price,
            highest_price=trading.highest_price,
            inventory_skew=trading.inventory_skew_factor,
            funding_skew=trading.funding_skew_factor,
        ),
        position_side=PositionSide.LONG if hedge else PositionSide.BOTH,
        adopt_position=settings.app.adopt_position,
        reconcile_interval_s=float(trading.reconcile_interval),
        margin_lock_s=float(trading.margin_lock_duration_seconds),
        price_max_age_s=float(trading.price_max_age_seconds),
        first_sequence=first_sequence,
        price_range=PriceRange(floor=trading.price_floor, ceiling=trading.price_ceiling or None),
        reference=reference_settings(trading),
    )


def reference_settings(trading: GridTradingSettings) -> ReferenceSettings:
    """Return the limits of the reference price."""
    guard = trading.price_guard
    return ReferenceSettings(
        max_spread=guard.max_spread,
        max_jump=guard.max_jump,
        jump_s=float(guard.jump_seconds),
        confirm_s=float(guard.confirm_seconds),
        max_mark_distance=guard.max_mark_distance,
        book_max_age_s=float(guard.book_max_age_seconds),
        trade_max_age_s=float(guard.trade_max_age_seconds),
        mark_max_age_s=float(guard.mark_max_age_seconds),
        exits_after_s=float(guard.exits_after_seconds),
        min_spread=trading.min_spread,
    )


def _volatility(trading: GridTradingSettings) -> VolatilitySettings | None:
    if not trading.dynamic_interval:
        return None
    return VolatilitySettings(
        candles=trading.volatility_candles, window=trading.volatility_window, scale=trading.volatility_scale
    )


def _glft(trading: GridTradingSettings) -> GlftParameters | None:
    own = trading.glft
    if trading.strategy != "glft" or own is None:
        return None
    return GlftParameters(
        arrivals=own.arrivals,
        decay=own.decay,
        volatility=own.volatility,
        risk_aversion=own.risk_aversion,
        most_lots=own.most_lots,
    )


def _quoter(trading: GridTradingSettings) -> QuoterFactory:
    """Return what makes the strategy.

    Raises:
        ConfigError: `trading.strategy` names nothing that can be imported.
    """
    if trading.strategy == "grid":
        return GridQuoter
    parameters = _glft(trading)
    if parameters is not None:
        return lambda grid, settings, rules: GlftQuoter(grid, settings, rules, parameters)
    module, _, name = trading.strategy.partition(":")
    try:
        made: QuoterFactory = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"trading.strategy: {trading.strategy!r}: expected grid, glft or MODULE:CLASS of a quoter: {error}"
        ) from None
    return made
