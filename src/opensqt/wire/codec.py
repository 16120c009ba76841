"""Convert the model to messages of the contract, and back without loss.

What a client *asks* for is decoded and checked in `opensqt.wire.requests`; here stands what is answered and
streamed. These functions run once per update, so they are written out rather than derived.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from opensqt.model.account import Account, AccountNotice, MarginMode, NoticeKind, Position, PositionMode
from opensqt.model.funding import FundingPayment
from opensqt.model.market import Candle, Price
from opensqt.model.order import (
    ClosedBy,
    CloseReason,
    Fee,
    Fill,
    FillKind,
    Order,
    OrderStatus,
    OrderType,
    OrderUpdate,
    PositionSide,
    Side,
    TimeInForce,
)
from opensqt.model.venue import Capabilities, ExchangeInfo, MarginModeScope, SymbolRules
from opensqt.proto import exchange_service_pb2 as service_pb
from opensqt.proto import types_pb2 as pb

E = TypeVar("E", bound=StrEnum)


class MalformedMessage(ValueError):
    """A message that this version can't read: a value that is missing, no number, or unknown to it."""


class _EnumTable(dict[int, E]):
    """Wire number to member; the error of a missing one says what was expected."""

    def __init__(self, kind: type[E], numbers: dict[E, Any]) -> None:
        super().__init__({number: member for member, number in numbers.items()})
        self._kind = kind

    def __missing__(self, number: int) -> E:
        raise MalformedMessage(f"{self._kind.__name__} {number}: expected one of {', '.join(self._kind)}")


def _tables(kind: type[E], wire: Any, prefix: str) -> tuple[dict[E, Any], _EnumTable[E]]:
    numbers = {member: wire.Value(f"{prefix}_{member.name}") for member in kind}
    return numbers, _EnumTable(kind, numbers)


SIDE_NUMBER, SIDE = _tables(Side, pb.Side, "SIDE")
ORDER_TYPE_NUMBER, ORDER_TYPE = _tables(OrderType, pb.OrderType, "ORDER_TYPE")
TIME_IN_FORCE_NUMBER, TIME_IN_FORCE = _tables(TimeInForce, pb.TimeInForce, "TIME_IN_FORCE")
POSITION_SIDE_NUMBER, POSITION_SIDE = _tables(PositionSide, pb.PositionSide, "POSITION_SIDE")
_STATUS_NUMBER, _STATUS = _tables(OrderStatus, pb.OrderStatus, "ORDER_STATUS")
_FILL_KIND_NUMBER, _FILL_KIND = _tables(FillKind, pb.FillKind, "FILL_KIND")
_CLOSED_BY_NUMBER, _CLOSED_BY = _tables(ClosedBy, pb.ClosedBy, "CLOSED_BY")
_CLOSE_REASON_NUMBER, _CLOSE_REASON = _tables(CloseReason, pb.CloseReason, "CLOSE_REASON")
_NOTICE_KIND_NUMBER, _NOTICE_KIND = _tables(NoticeKind, pb.NoticeKind, "NOTICE_KIND")
POSITION_MODE_NUMBER, POSITION_MODE = _tables(PositionMode, pb.PositionMode, "POSITION_MODE")
MARGIN_MODE_NUMBER, MARGIN_MODE = _tables(MarginMode, pb.MarginMode, "MARGIN_MODE")
_MARGIN_MODE_SCOPE_NUMBER = {
    MarginModeScope.NONE: pb.MARGIN_MODE_SCOPE_UNSPECIFIED,
    MarginModeScope.SYMBOL: pb.MARGIN_MODE_SCOPE_SYMBOL,
    MarginModeScope.ACCOUNT: pb.MARGIN_MODE_SCOPE_ACCOUNT,
}
_MARGIN_MODE_SCOPE = {number: scope for scope, number in _MARGIN_MODE_SCOPE_NUMBER.items()}


def encode_decimal(value: Decimal) -> str:
    """Write a decimal in plain digits, never with an exponent.

    Raises:
        ValueError: It is no finite number.
    """
    if not value.is_finite():
        raise ValueError(f"{value}: expected a finite decimal")
    text = str(value)
    return format(value, "f") if "E" in text else text


def encode_order(order: Order) -> pb.Order:
    """Encode one order."""
    return pb.Order(
        symbol=order.symbol,
        side=SIDE_NUMBER[order.side],
        order_type=ORDER_TYPE_NUMBER[order.order_type],
        time_in_force=TIME_IN_FORCE_NUMBER[order.time_in_force],
        quantity=encode_decimal(order.quantity),
        price=_optional_text(order.price),
        client_order_id=order.client_order_id,
        order_id=order.order_id,
        status=_STATUS_NUMBER[order.status],
        filled_quantity=encode_decimal(order.filled_quantity),
        average_price=_optional_text(order.average_price),
        reduce_only=order.reduce_only,
        position_side=POSITION_SIDE_NUMBER[order.position_side],
        reason=order.reason,
        event_time_ms=order.event_time_ms,
        received_ns=order.received_ns,
        closed_by=None if order.closed_by is None else _CLOSED_BY_NUMBER[order.closed_by],
        close_reason=None if order.close_reason is None else _CLOSE_REASON_NUMBER[order.close_reason],
    )


def decode_order(message: pb.Order) -> Order:
    """Decode one order.

    Raises:
        MalformedMessage: As every decoder here, for what this version can't read.
    """
    return Order(
        symbol=message.symbol,
        side=SIDE[message.side],
        quantity=_decimal(message.quantity, "order.quantity"),
        client_order_id=message.client_order_id,
        status=_STATUS[message.status],
        order_id=message.order_id,
        order_type=ORDER_TYPE[message.order_type],
        price=_optional_decimal(message.price, "order.price"),
        time_in_force=TIME_IN_FORCE[message.time_in_force],
        reduce_only=message.reduce_only,
        position_side=POSITION_SIDE[message.position_side],
        filled_quantity=_decimal(message.filled_quantity, "order.filled_quantity"),
        average_price=_optional_decimal(message.average_price, "order.average_price"),
        reason=message.reason,
        closed_by=_CLOSED_BY.get(message.closed_by),
        close_reason=_close_reason(message.close_reason),
        event_time_ms=message.event_time_ms,
        received_ns=message.received_ns,
    )


def _close_reason(number: int) -> CloseReason | None:
    """Return the reason; one that this version does not know is OTHER."""
    return _CLOSE_REASON.get(number, CloseReason.OTHER) if number else None


def encode_fill(fill: Fill) -> pb.Fill:
    """Encode one fill."""
    return pb.Fill(
        symbol=fill.symbol,
        trade_id=fill.trade_id,
        order_id=fill.order_id,
        client_order_id=fill.client_order_id,
        side=SIDE_NUMBER[fill.side],
        position_side=POSITION_SIDE_NUMBER[fill.position_side],
        price=encode_decimal(fill.price),
        quantity=encode_decimal(fill.quantity),
        fee=encode_decimal(fill.fee),
        fee_asset=fill.fee_asset,
        is_maker=fill.is_maker,
        realized_pnl=encode_decimal(fill.realized_pnl),
        event_time_ms=fill.event_time_ms,
        received_ns=fill.received_ns,
        kind=_FILL_KIND_NUMBER[fill.kind],
        other_fees=[pb.Fee(asset=fee.asset, amount=encode_decimal(fee.amount)) for fee in fill.other_fees],
    )


def decode_fill(message: pb.Fill) -> Fill:
    """Decode one fill."""
    return Fill(
        symbol=message.symbol,
        trade_id=message.trade_id,
        order_id=message.order_id,
        client_order_id=message.client_order_id,
        side=SIDE[message.side],
        position_side=POSITION_SIDE[message.position_side],
        price=_decimal(message.price, "fill.price"),
        quantity=_decimal(message.quantity, "fill.quantity"),
        fee=_decimal(message.fee, "fill.fee"),
        fee_asset=message.fee_asset,
        is_maker=message.is_maker,
        realized_pnl=_decimal(message.realized_pnl, "fill.realized_pnl"),
        # One that this version does not know has a cause of its own all the same; no kind is a server before it.
        kind=_FILL_KIND.get(message.kind, FillKind.OTHER) if message.kind else FillKind.TRADE,
        other_fees=tuple(Fee(fee.asset, _decimal(fee.amount, "fill.other_fees")) for fee in message.other_fees),
        event_time_ms=message.event_time_ms,
        received_ns=message.received_ns,
    )


def encode_order_update(update: OrderUpdate) -> pb.OrderUpdate:
    """Encode one item of the orders stream."""
    fill = update.fill
    return pb.OrderUpdate(order=encode_order(update.order), fill=None if fill is None else encode_fill(fill))


def decode_order_update(message: pb.OrderUpdate) -> OrderUpdate:
    """Decode one item of the orders stream."""
    fill = decode_fill(message.fill) if message.HasField("fill") else None
    return OrderUpdate(order=decode_order(message.order), fill=fill)


def encode_account(account: Account) -> pb.Account:
    """Encode the account."""
    return pb.Account(
        asset=account.asset,
        wallet_balance=encode_decimal(account.wallet_balance),
        unrealized_pnl=encode_decimal(account.unrealized_pnl),
        available_balance=encode_decimal(account.available_balance),
        initial_margin=encode_decimal(account.initial_margin),
        maintenance_margin=encode_decimal(account.maintenance_margin),
        notices=map(encode_notice, account.notices),
        event_time_ms=account.event_time_ms,
        received_ns=account.received_ns,
        total_margin_balance=_optional_text(account.total_margin_balance),
    )


def decode_account(message: pb.Account) -> Account:
    """Decode the account."""
    return Account(
        asset=message.asset,
        wallet_balance=_decimal(message.wallet_balance, "account.wallet_balance"),
        unrealized_pnl=_decimal(message.unrealized_pnl, "account.unrealized_pnl"),
        available_balance=_decimal(message.available_balance, "account.available_balance"),
        initial_margin=_decimal(message.initial_margin, "account.initial_margin"),
        maintenance_margin=_decimal(message.maintenance_margin, "account.maintenance_margin"),
        notices=decode_notices(message.notices),
        event_time_ms=message.event_time_ms,
        received_ns=message.received_ns,
        total_margin_balance=_optional_decimal(message.total_margin_balance, "account.total_margin_balance"),
    )


def encode_notice(notice: AccountNotice) -> pb.AccountNotice:
    """Encode one notice about the account."""
    return pb.AccountNotice(
        kind=_NOTICE_KIND_NUMBER[notice.kind],
        symbol=notice.symbol,
        text=notice.text,
        event_time_ms=notice.event_time_ms,
        received_ns=notice.received_ns,
    )


def decode_notices(messages: Iterable[pb.AccountNotice]) -> tuple[AccountNotice, ...]:
    """Decode notices about the account; one of a kind that this version does not know is left out."""
    return tuple(
        AccountNotice(
            kind=_NOTICE_KIND[one.kind],
            symbol=one.symbol,
            text=one.text,
            event_time_ms=one.event_time_ms,
            received_ns=one.received_ns,
        )
        for one in messages
        if one.kind in _NOTICE_KIND
    )


def encode_position(position: Position) -> pb.Position:
    """Encode one position."""
    return pb.Position(
        symbol=position.symbol,
        position_side=POSITION_SIDE_NUMBER[position.position_side],
        quantity=encode_decimal(position.quantity),
        entry_price=encode_decimal(position.entry_price),
        mark_price=_optional_text(position.mark_price),
        unrealized_pnl=encode_decimal(position.unrealized_pnl),
        liquidation_price=_optional_text(position.liquidation_price),
        leverage=_optional_text(position.leverage),
        margin_mode=MARGIN_MODE_NUMBER[position.margin_mode],
        isolated_quantity=_optional_text(position.isolated_quantity or None),
        event_time_ms=position.event_time_ms,
        received_ns=position.received_ns,
    )


def decode_position(message: pb.Position) -> Position:
    """Decode one position."""
    return Position(
        symbol=message.symbol,
        quantity=_decimal(message.quantity, "position.quantity"),
        entry_price=_decimal(message.entry_price, "position.entry_price"),
        position_side=POSITION_SIDE[message.position_side],
        mark_price=_optional_decimal(message.mark_price, "position.mark_price"),
        unrealized_pnl=_decimal(message.unrealized_pnl, "position.unrealized_pnl"),
        liquidation_price=_optional_decimal(message.liquidation_price, "position.liquidation_price"),
        leverage=_optional_decimal(message.leverage, "position.leverage"),
        margin_mode=MARGIN_MODE[message.margin_mode],
        isolated_quantity=_optional_decimal(message.isolated_quantity, "position.isolated_quantity") or Decimal(0),
        event_time_ms=message.event_time_ms,
        received_ns=message.received_ns,
    )


def encode_price(price: Price) -> pb.Price:
    """Encode one price."""
    return pb.Price(
        symbol=price.symbol,
        bid=encode_decimal(price.bid),
        ask=encode_decimal(price.ask),
        bid_quantity=encode_decimal(price.bid_quantity),
        ask_quantity=encode_decimal(price.ask_quantity),
        last=_optional_text(price.last),
        event_time_ms=price.event_time_ms,
        received_ns=price.received_ns,
    )


def decode_price(message: pb.Price) -> Price:
    """Decode one price."""
    return Price(
        symbol=message.symbol,
        bid=_decimal(message.bid, "price.bid"),
        ask=_decimal(message.ask, "price.ask"),
        bid_quantity=_decimal(message.bid_quantity, "price.bid_quantity"),
        ask_quantity=_decimal(message.ask_quantity, "price.ask_quantity"),
        last=_optional_decimal(message.last, "price.last"),
        event_time_ms=message.event_time_ms,
        received_ns=message.received_ns,
    )


def encode_candle(candle: Candle) -> pb.Kline:
    """Encode one candle; the contract calls it a kline."""
    return pb.Kline(
        symbol=candle.symbol,
        interval=candle.interval,
        open_time_ms=candle.open_time_ms,
        open=encode_decimal(candle.open),
        high=encode_decimal(candle.high),
        low=encode_decimal(candle.low),
        close=encode_decimal(candle.close),
        volume=encode_decimal(candle.volume),
        quote_volume=encode_decimal(candle.quote_volume),
        closed=candle.closed,
        event_time_ms=candle.event_time_ms,
        received_ns=candle.received_ns,
    )


def decode_candle(message: pb.Kline) -> Candle:
    """Decode one candle."""
    return Candle(
        symbol=message.symbol,
        interval=message.interval,
        open_time_ms=message.open_time_ms,
        open=_decimal(message.open, "kline.open"),
        high=_decimal(message.high, "kline.high"),
        low=_decimal(message.low, "kline.low"),
        close=_decimal(message.close, "kline.close"),
        volume=_decimal(message.volume, "kline.volume"),
        quote_volume=_decimal(message.quote_volume, "kline.quote_volume"),
        closed=message.closed,
        event_time_ms=message.event_time_ms,
        received_ns=message.received_ns,
    )


def encode_rules(rules: SymbolRules) -> pb.SymbolRules:
    """Encode the rules of one symbol."""
    return pb.SymbolRules(
        symbol=rules.symbol,
        base_asset=rules.base_asset,
        quote_asset=rules.quote_asset,
        price_step=encode_decimal(rules.price_step),
        quantity_step=encode_decimal(rules.quantity_step),
        min_quantity=encode_decimal(rules.min_quantity),
        min_notional=encode_decimal(rules.min_notional),
        max_quantity=_optional_text(rules.max_quantity),
        contract_size=encode_decimal(rules.contract_size),
        max_leverage=_optional_text(rules.max_leverage),
        maker_fee=_optional_text(rules.maker_fee),
        taker_fee=_optional_text(rules.taker_fee),
        min_market_quantity=_optional_text(rules.min_market_quantity),
        max_market_quantity=_optional_text(rules.max_market_quantity),
        untradable=not rules.tradable,
        untradable_reason=rules.untradable_reason,
    )


def decode_rules(message: pb.SymbolRules) -> SymbolRules:
    """Decode the rules of one symbol."""
    return SymbolRules(
        symbol=message.symbol,
        base_asset=message.base_asset,
        quote_asset=message.quote_asset,
        price_step=_decimal(message.price_step, "rules.price_step"),
        quantity_step=_decimal(message.quantity_step, "rules.quantity_step"),
        min_quantity=_decimal(message.min_quantity, "rules.min_quantity"),
        min_notional=_decimal(message.min_notional, "rules.min_notional"),
        max_quantity=_optional_decimal(message.max_quantity, "rules.max_quantity"),
        contract_size=_decimal(message.contract_size, "rules.contract_size"),
        max_leverage=_optional_decimal(message.max_leverage, "rules.max_leverage"),
        maker_fee=_optional_decimal(message.maker_fee, "rules.maker_fee"),
        taker_fee=_optional_decimal(message.taker_fee, "rules.taker_fee"),
        min_market_quantity=_optional_decimal(message.min_market_quantity, "rules.min_market_quantity"),
        max_market_quantity=_optional_decimal(message.max_market_quantity, "rules.max_market_quantity"),
        untradable_reason=message.untradable_reason or ("not tradable" if message.untradable else ""),
    )


def encode_info(info: ExchangeInfo) -> service_pb.GetExchangeInfoResponse:
    """Encode what is behind the interface."""
    able = info.capabilities
    return service_pb.GetExchangeInfoResponse(
        name=info.name,
        exchange_type=info.exchange_type,
        capabilities=pb.Capabilities(
            time_in_force=sorted(TIME_IN_FORCE_NUMBER[one] for one in able.time_in_force),
            market_orders=able.market_orders,
            reduce_only=able.reduce_only,
            position_modes=sorted(POSITION_MODE_NUMBER[one] for one in able.position_modes),
            margin_modes=sorted(MARGIN_MODE_NUMBER[one] for one in able.margin_modes),
            max_batch=able.max_batch,
            intervals=sorted(able.intervals),
            client_order_id_length=able.client_order_id_length,
            trading=able.trading,
            order_book_depth=able.order_book_depth,
            public_trades=able.public_trades,
            mark_price=able.mark_price,
            set_leverage=able.set_leverage,
            margin_mode_scope=_MARGIN_MODE_SCOPE_NUMBER[able.margin_mode_scope],
            set_position_mode=able.set_position_mode,
            funding_payments=able.funding_payments,
            amend_order=able.amend_order,
        ),
        symbols=[encode_rules(rules) for rules in info.symbols],
        testnet=info.testnet,
        simulated=info.simulated,
        position_mode=POSITION_MODE_NUMBER[info.position_mode],
    )


def decode_info(message: service_pb.GetExchangeInfoResponse) -> ExchangeInfo:
    """Decode what is behind the interface; a capability that this version does not know is left out."""
    able = message.capabilities
    return ExchangeInfo(
        name=message.name,
        exchange_type=message.exchange_type,
        capabilities=Capabilities(
            time_in_force=frozenset(TIME_IN_FORCE[one] for one in able.time_in_force if one in TIME_IN_FORCE),
            market_orders=able.market_orders,
            reduce_only=able.reduce_only,
            position_modes=frozenset(POSITION_MODE[one] for one in able.position_modes if one in POSITION_MODE),
            margin_modes=frozenset(MARGIN_MODE[one] for one in able.margin_modes if one in MARGIN_MODE),
            max_batch=able.max_batch,
            intervals=frozenset(able.intervals),
            client_order_id_length=able.client_order_id_length,
            trading=able.trading,
            order_book_depth=able.order_book_depth,
            public_trades=able.public_trades,
            mark_price=able.mark_price,
            set_leverage=able.set_leverage,
            margin_mode_scope=_MARGIN_MODE_SCOPE.get(able.margin_mode_scope, MarginModeScope.NONE),
            set_position_mode=able.set_position_mode,
            funding_payments=able.funding_payments,
            amend_order=able.amend_order,
        ),
        symbols=tuple(decode_rules(rules) for rules in message.symbols),
        testnet=message.testnet,
        simulated=message.simulated,
        position_mode=POSITION_MODE[message.position_mode],
    )


def encode_funding_payment(payment: FundingPayment) -> pb.FundingPayment:
    """Encode one funding payment."""
    return pb.FundingPayment(
        symbol=payment.symbol,
        payment_id=payment.payment_id,
        amount=encode_decimal(payment.amount),
        asset=payment.asset,
        position_side=POSITION_SIDE_NUMBER[payment.position_side],
        rate=_optional_text(payment.rate),
        position_size=_optional_text(payment.position_size),
        event_time_ms=payment.event_time_ms,
        received_ns=payment.received_ns,
    )


def decode_funding_payment(message: pb.FundingPayment) -> FundingPayment:
    """Decode one funding payment."""
    return FundingPayment(
        symbol=message.symbol,
        payment_id=message.payment_id,
        amount=_decimal(message.amount, "payment.amount"),
        asset=message.asset,
        position_side=POSITION_SIDE[message.position_side],
        rate=_optional_decimal(message.rate, "payment.rate"),
        position_size=_optional_decimal(message.position_size, "payment.position_size"),
        event_time_ms=message.event_time_ms,
        received_ns=message.received_ns,
    )


def _optional_text(value: Decimal | None) -> str | None:
    return None if value is None else encode_decimal(value)


def decode_decimal(text: str, field: str) -> Decimal:
    """Read a decimal.

    Raises:
        MalformedMessage: It is no finite number.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise MalformedMessage(f"{field} {text!r}: expected a decimal") from None
    if not value.is_finite():
        raise MalformedMessage(f"{field} {text!r}: expected a finite decimal")
    return value


_decimal = decode_decimal


def _optional_decimal(text: str, field: str) -> Decimal | None:
    # An encoded decimal is never empty, so an empty one is an absent one; asking HasField costs more.
    return _decimal(text, field) if text else None
