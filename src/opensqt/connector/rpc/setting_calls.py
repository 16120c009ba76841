"""The methods of GatewayService that change settings of the account: leverage, margin mode, position mode."""

from __future__ import annotations

from opensqt.connector.auth.limits import OrderLimits
from opensqt.connector.rpc.dispatch import Context, Handler
from opensqt.model.exchange import Exchange
from opensqt.proto import gateway_service_pb2 as pb
from opensqt.wire import codec, requests


class SettingCalls:
    """SetLeverage, SetMarginMode and SetPositionMode.

    The exchange executes the changes of all clients one after the other, and holds back orders meanwhile.

    Args:
        exchange: Changes the settings.
        limits: Which settings each client may change.
    """

    def __init__(self, exchange: Exchange, limits: OrderLimits) -> None:
        self._exchange = exchange
        self._limits = limits
        self.trading: dict[str, Handler] = {
            "SetLeverage": self._set_leverage,
            "SetMarginMode": self._set_margin_mode,
            "SetPositionMode": self._set_position_mode,
        }
        """All of them change what every client trades with."""

    async def _set_leverage(self, request: pb.SetLeverageRequest, _context: Context) -> pb.SetLeverageResponse:
        symbol, leverage = requests.decode_symbol(request.symbol), requests.check_leverage(request.leverage)
        self._limits.check_setting(symbol)
        found = await self._exchange.set_leverage(symbol, leverage)
        return pb.SetLeverageResponse(leverage=codec.encode_decimal(found))

    async def _set_margin_mode(self, request: pb.SetMarginModeRequest, _context: Context) -> pb.SetMarginModeResponse:
        symbol = requests.decode_symbol(request.symbol, required=False)
        mode = requests.decode_margin_mode(request.margin_mode)
        self._limits.check_setting(symbol)
        found = await self._exchange.set_margin_mode(symbol, mode)
        return pb.SetMarginModeResponse(margin_mode=codec.MARGIN_MODE_NUMBER[found])

    async def _set_position_mode(
        self, request: pb.SetPositionModeRequest, _context: Context
    ) -> pb.SetPositionModeResponse:
        mode = requests.decode_position_mode(request.position_mode)
        self._limits.check_setting("")
        found = await self._exchange.set_position_mode(mode)
        return pb.SetPositionModeResponse(position_mode=codec.POSITION_MODE_NUMBER[found])
