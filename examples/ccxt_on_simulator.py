"""A ccxt client in Python on the simulator: its addresses, and the venue's own classes of errors.

    exchange-simulator --exchange okx --port 9400
    python examples/ccxt_on_simulator.py okx

`on_simulator` is what a program of yours needs; the rest shows that a refusal has the class that it has at the venue.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import ccxt.pro

KEYS = {"apiKey": "sim-key", "secret": "sim-secret", "password": "sim-pass", "uid": "20000001"}


def _binance(exchange: Any, http: str, ws: str) -> None:
    api = exchange.urls["api"]
    for version in ("", "V2", "V3"):
        for access in ("Public", "Private"):
            api[f"fapi{access}{version}"] = f"{http}/fapi/v{version.strip('V') or 1}"
    api["sapi"] = f"{http}/sapi/v1"
    kind = "linear" if "linear" in api["ws"] else "future"
    api["ws"][kind] = f"{ws}/ws"
    api["ws"].setdefault("ws-api", {})[kind] = f"{ws}/ws-fapi/v1"
    exchange.options["fetchMarkets"] = {"types": ["linear"]}
    # ccxt chooses the table of errors by the host's name: at another address -2019, -4164 and others have no class.
    exchange.exceptions["exact"] = {**exchange.exceptions["exact"], **exchange.exceptions["linear"]["exact"]}


def _bybit(exchange: Any, http: str, ws: str) -> None:
    exchange.urls["api"].update(public=http, private=http)
    exchange.urls["api"]["ws"]["public"]["linear"] = f"{ws}/v5/public/linear"
    exchange.urls["api"]["ws"]["private"]["contract"] = f"{ws}/v5/private"
    exchange.urls["api"]["ws"]["private"]["trade"] = f"{ws}/v5/trade"
    exchange.options["fetchMarkets"] = {"types": ["linear"]}
    exchange.has["fetchCurrencies"] = False


def _okx(exchange: Any, http: str, ws: str) -> None:
    exchange.urls["api"].update(rest=http, ws=f"{ws}/ws/v5")
    exchange.options["fetchMarkets"] = {"types": ["swap"]}
    exchange.has["fetchCurrencies"] = False


def _bitget(exchange: Any, http: str, ws: str) -> None:
    api = exchange.urls["api"]
    api.update({name: http for name in api if name not in ("ws", "demo")})
    for kind in ("ws", "demo"):
        for access in ("public", "private"):
            api[kind][access] = f"{ws}/v2/ws/{access}"
        api[kind]["utaPrivate"] = f"{ws}/v3/ws/private"
    exchange.options.update(defaultSubType="linear", fetchMarkets={"types": ["swap"]})
    exchange.has["fetchCurrencies"] = False


def _gate(exchange: Any, http: str, ws: str) -> None:
    for access in ("public", "private"):
        urls = exchange.urls["api"][access]
        urls.update(dict.fromkeys(urls, f"{http}/api/v4"))
    exchange.urls["api"]["swap"]["usdt"] = f"{ws}/v4/ws/futures/usdt"
    exchange.options["fetchMarkets"] = {"types": ["swap"]}
    exchange.has["fetchCurrencies"] = False


ADDRESSES = {"binanceusdm": _binance, "bybit": _bybit, "okx": _okx, "bitget": _bitget, "gate": _gate}


def on_simulator(exchange: Any, http: str = "http://127.0.0.1:9400") -> Any:
    """Give a client of ccxt, ccxt.async_support or ccxt.pro the addresses of the simulator, and return it."""
    ADDRESSES[exchange.id](exchange, http, http.replace("http", "ws", 1))
    return exchange


async def main(name: str, http: str) -> None:
    exchange = on_simulator(getattr(ccxt.pro, name)({**KEYS, "options": {"defaultType": "swap"}}), http)
    symbol = "BTC/USDT:USDT"
    try:
        await exchange.load_markets()
        price = exchange.price_to_precision(symbol, (await exchange.fetch_ticker(symbol))["last"] * 0.98)
        await exchange.create_order(symbol, "limit", "buy", 90 / exchange.market(symbol)["contractSize"], float(price))
    except ccxt.InsufficientFunds as error:
        print(f"{type(error).__name__}: {error}")
    finally:
        await exchange.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:9400"))
