"""Hypothesis strategies for every message of the model."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st

from opensqt.model.account import Account, AccountNotice, MarginMode, NoticeKind, Position, PositionMode
from opensqt.model.countdown import ArmedCountdown, DeadMachineStatus, ElapsedCountdown
from opensqt.model.market import INTERVALS_MS, Candle, MarkPrice, OrderBook, Price, PublicTrade
from opensqt.model.order import (
    ClosedBy,
    CloseReason,
    Fee,
    Fill,
    FillKind,
    Order,
    OrderRef,
    OrderRequest,
    OrderStatus,
    OrderType,
    OrderUpdate,
    PositionSide,
    Side,
    TimeInForce,
)
from opensqt.model.venue import (
    Capabilities,
    Channel,
    Check,
    ExchangeInfo,
    ExchangeStatus,
    Lease,
    RateBudget,
    RateLimit,
    SymbolRules,
)

decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=None)
"""Exponents included, such as 1E+3 and 1E-12."""
maybe = st.none() | decimals
words = st.text(max_size=20)
symbols = st.sampled_from(["BTCUSDT", "ETHUSDT", "1000PEPEUSDT"])
ids = st.text("ABCxyz0189", min_size=1, max_size=32)
times_ms = st.integers(0, 2**45)
times_ns = st.integers(0, 2**62)
plain = st.decimals(min_value=Decimal("0.00000001"), max_value=10**12, places=8)

order_requests = st.builds(
    OrderRequest,
    symbol=symbols,
    side=st.sampled_from(Side),
    quantity=plain,
    client_order_id=ids,
    order_type=st.sampled_from(OrderType),
    price=st.none() | plain,
    time_in_force=st.sampled_from(TimeInForce),
    reduce_only=st.booleans(),
    position_side=st.sampled_from(PositionSide),
    margin_mode=st.sampled_from(MarginMode),
)
order_refs = st.builds(OrderRef, symbol=symbols, client_order_id=ids, order_id=st.just("") | ids)
orders = st.builds(
    Order,
    symbol=symbols,
    side=st.sampled_from(Side),
    quantity=decimals,
    client_order_id=st.just("") | ids,
    status=st.sampled_from(OrderStatus),
    order_id=words,
    order_type=st.sampled_from(OrderType),
    price=maybe,
    time_in_force=st.sampled_from(TimeInForce),
    reduce_only=st.booleans(),
    position_side=st.sampled_from(PositionSide),
    filled_quantity=decimals,
    average_price=maybe,
    reason=words,
    closed_by=st.none() | st.sampled_from(ClosedBy),
    close_reason=st.none() | st.sampled_from(CloseReason),
    event_time_ms=times_ms,
    received_ns=times_ns,
)
fees = st.builds(Fee, words, decimals)
fills = st.builds(
    Fill,
    symbol=symbols,
    trade_id=words,
    order_id=words,
    client_order_id=words,
    side=st.sampled_from(Side),
    position_side=st.sampled_from(PositionSide),
    price=decimals,
    quantity=decimals,
    fee=decimals,
    fee_asset=words,
    is_maker=st.booleans(),
    realized_pnl=decimals,
    kind=st.sampled_from(FillKind),
    other_fees=st.lists(fees, max_size=2).map(tuple),
    event_time_ms=times_ms,
    received_ns=times_ns,
)
order_updates = st.builds(OrderUpdate, order=orders, fill=st.none() | fills)
notices = st.builds(
    AccountNotice,
    kind=st.sampled_from(NoticeKind),
    text=words,
    symbol=st.just("") | symbols,
    event_time_ms=times_ms,
    received_ns=times_ns,
)
accounts = st.builds(
    Account,
    notices=st.lists(notices, max_size=2).map(tuple),
    asset=words,
    wallet_balance=decimals,
    unrealized_pnl=decimals,
    available_balance=decimals,
    initial_margin=decimals,
    maintenance_margin=decimals,
    event_time_ms=times_ms,
    received_ns=times_ns,
)
positions = st.builds(
    Position,
    symbol=symbols,
    quantity=decimals,
    entry_price=decimals,
    position_side=st.sampled_from(PositionSide),
    mark_price=maybe,
    unrealized_pnl=decimals,
    liquidation_price=maybe,
    leverage=maybe,
    margin_mode=st.sampled_from(MarginMode),
    isolated_quantity=decimals,
    event_time_ms=times_ms,
    received_ns=times_ns,
)
prices = st.builds(
    Price,
    symbol=symbols,
    bid=decimals,
    ask=decimals,
    bid_quantity=decimals,
    ask_quantity=decimals,
    last=maybe,
    event_time_ms=times_ms,
    received_ns=times_ns,
)
candles = st.builds(
    Candle,
    symbol=symbols,
    interval=st.sampled_from(sorted(INTERVALS_MS)),
    open_time_ms=times_ms,
    open=decimals,
    high=decimals,
    low=decimals,
    close=decimals,
    volume=decimals,
    quote_volume=decimals,
    closed=st.booleans(),
    event_time_ms=times_ms,
    received_ns=times_ns,
)
_levels = st.lists(st.tuples(decimals, decimals), max_size=4).map(tuple)
order_books = st.builds(
    OrderBook,
    symbol=symbols,
    bids=_levels,
    asks=_levels,
    sequence=st.integers(0, 2**63),
    invalid_reason=words,
    event_time_ms=times_ms,
    received_ns=times_ns,
)
public_trades = st.builds(
    PublicTrade,
    symbol=symbols,
    trade_id=words,
    price=decimals,
    quantity=decimals,
    side=st.sampled_from(Side),
    event_time_ms=times_ms,
    received_ns=times_ns,
)
mark_prices = st.builds(
    MarkPrice,
    symbol=symbols,
    mark=decimals,
    index=maybe,
    funding_rate=maybe,
    next_funding_ms=times_ms,
    event_time_ms=times_ms,
    received_ns=times_ns,
)
rules = st.builds(
    SymbolRules,
    symbol=symbols,
    base_asset=words,
    quote_asset=words,
    price_step=decimals,
    quantity_step=decimals,
    min_quantity=decimals,
    min_notional=decimals,
    max_quantity=maybe,
    contract_size=decimals,
    max_leverage=maybe,
    maker_fee=maybe,
    taker_fee=maybe,
    min_market_quantity=maybe,
    max_market_quantity=maybe,
    untradable_reason=words,
)
infos = st.builds(
    ExchangeInfo,
    name=words,
    exchange_type=words,
    capabilities=st.builds(
        Capabilities,
        time_in_force=st.frozensets(st.sampled_from(TimeInForce)),
        market_orders=st.booleans(),
        reduce_only=st.booleans(),
        position_modes=st.frozensets(st.sampled_from(PositionMode)),
        margin_modes=st.frozensets(st.sampled_from(MarginMode)),
        max_batch=st.integers(1, 1000),
        intervals=st.frozensets(st.sampled_from(sorted(INTERVALS_MS))),
        client_order_id_length=st.integers(1, 64),
        trading=st.booleans(),
        order_book_depth=st.integers(0, 50),
        public_trades=st.booleans(),
        mark_price=st.booleans(),
    ),
    symbols=st.tuples(rules) | st.just(()),
    testnet=st.booleans(),
    simulated=st.booleans(),
    position_mode=st.sampled_from(PositionMode),
)
_counts = st.integers(0, 2**31 - 1)
_ages_ms = st.none() | _counts
_dead_machines = st.builds(
    DeadMachineStatus,
    timeout_s=st.integers(0, 120),
    cancels=words,
    countdowns=st.lists(
        st.builds(
            ArmedCountdown,
            symbol=words,
            armed_until_ms=times_ms,
            clients=st.lists(words, max_size=2).map(tuple),
            trouble=words,
        ),
        max_size=2,
    ).map(tuple),
    elapsed=st.lists(
        st.builds(ElapsedCountdown, symbol=words, ended_ms=times_ms, canceled_orders=_counts), max_size=2
    ).map(tuple),
)
statuses = st.builds(
    ExchangeStatus,
    notices=st.lists(notices, max_size=2).map(tuple),
    checks=st.lists(st.builds(Check, name=words, ok=st.booleans(), reason=words, since_ms=times_ms), max_size=3).map(
        tuple
    ),
    channels=st.lists(st.builds(Channel, name=words, connected=st.booleans(), data_age_ms=_ages_ms), max_size=3).map(
        tuple
    ),
    clock_offset_ms=st.none() | st.integers(-(2**40), 2**40),
    unresolved_orders=_counts,
    dead_machine=st.none() | _dead_machines,
    account_mode=words,
)
_seconds = st.integers(0, 10**9).map(lambda ms: ms / 1000)
budgets = st.builds(
    RateBudget,
    limits=st.lists(
        st.builds(RateLimit, name=words, limit=_counts, left=_counts, window_s=_seconds, used_by_client=_counts),
        max_size=3,
    ).map(tuple),
    silent_s=_seconds,
    client=words,
    waiting=_counts,
)
leases = st.builds(Lease, client=words, expires_ms=times_ms, lapsed=st.booleans(), open_orders=_counts, number=_counts)
