"""Gate's own SDK, unmodified, as the table of SDKs uses it. It has no streams."""

from __future__ import annotations

import warnings
from typing import Any

from opensqt.simulator import Simulator
from tests.service.sdk_client import Answer
from tests.support.blocking import in_thread

with warnings.catch_warnings():
    # Its sources hold escapes that Python warns of, and warnings are errors here.
    warnings.simplefilter("ignore", DeprecationWarning)
    import gate_api


class Gate:
    refused = gate_api.exceptions.GateApiException

    def __init__(self, simulator: Simulator, secret: str = "sim-secret") -> None:
        host = f"{simulator.url}/api/v4"
        self._client = gate_api.ApiClient(gate_api.Configuration(host=host, key="sim-key", secret=secret))
        self._apis = [gate_api.FuturesApi(self._client), gate_api.AccountApi(self._client)]

    async def call(self, name: str, *arguments: Any, **options: Any) -> Any:
        method = next(getattr(api, name) for api in self._apis if hasattr(api, name))
        return await in_thread(method, *arguments, **options)

    async def _row(self, name: str, *arguments: Any, **options: Any) -> Answer:
        return (await self.call(name, "usdt", *arguments, **options)).to_dict()

    async def _rows(self, name: str, *arguments: Any, **options: Any) -> list[Answer]:
        return [row.to_dict() for row in await self.call(name, "usdt", *arguments, **options)]

    async def place(self, price: Any = None, *, side: str = "buy", name: str = "") -> Answer:
        fields = {"contract": "BTC_USDT", "size": "10" if side == "buy" else "-10", "price": "0", "tif": "ioc"}
        limit = {} if price is None else {"price": str(price), "tif": "poc"}
        order = gate_api.FuturesOrder(**fields | limit, **{"text": f"t-{name}"} if name else {})
        return await self._row("create_futures_order", order)

    async def find(self, order_id: Any) -> Answer:
        return await self._row("get_futures_order", str(order_id))

    async def open_orders(self) -> list[Answer]:
        return await self._rows("list_futures_orders", "open", contract="BTC_USDT")

    async def cancel(self, name: str) -> Answer:
        return await self._row("cancel_futures_order", f"t-{name}")

    closed = find

    async def place_batch(self, price: Any) -> list[Answer]:
        prices = (price, "45000.05", price)
        orders = [gate_api.FuturesOrder(contract="BTC_USDT", size="10", price=str(one)) for one in prices]
        return await self._rows("create_batch_futures_order", orders)

    async def cancel_batch(self, order_ids: list[Any]) -> list[Answer]:
        return await self._rows("cancel_batch_future_orders", [str(one) for one in order_ids])

    async def account(self) -> Answer:
        return await self._row("list_futures_accounts")

    async def set_leverage(self) -> Answer:
        return await self._row("update_position_leverage", "BTC_USDT", "0", cross_leverage_limit="5")

    async def positions(self) -> list[Answer]:
        return await self._rows("list_positions", holding=True)

    async def fills(self) -> list[Answer]:
        return await self._rows("get_my_trades", contract="BTC_USDT")

    async def candles(self, limit: int) -> list[Any]:
        return await self.call("list_futures_candlesticks", "usdt", "BTC_USDT", interval="1m", limit=limit)

    async def symbols(self) -> set[str]:
        return {row.contract for row in await self.call("list_futures_tickers", "usdt")}

    async def cancel_unknown(self) -> None:
        await self.call("cancel_futures_order", "usdt", "1")

    def refusal(self, error: Any) -> tuple[Any, ...]:
        return error.status, error.label

    def close(self) -> None:
        self._client.close()
