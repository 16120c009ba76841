"""What Bybit's endpoints take, as documented at the venue, and what the simulator has not.

https://bybit-exchange.github.io/docs/v5/intro
"""

from __future__ import annotations

from opensqt.simulator.dialects.inputs import EndpointInputs, Inputs, VenueInputs, absent, done, fixed, no_effect

_OF_OPTIONS = "the venue reads it for options only"
_OF_SPOT = "the venue reads it for spot only"
_RESTING_STOPS = "the stops of an order that rests can't be amended"
_ORDER: Inputs = (
    *done("category symbol side orderType qty price triggerDirection triggerPrice triggerBy positionIdx orderLinkId"),
    *done("reduceOnly closeOnTrigger takeProfit stopLoss tpTriggerBy slTriggerBy tpslMode"),
    *done("tpLimitPrice slLimitPrice tpOrderType slOrderType bboSideType bboLevel"),
    *done("timeInForce", but="RPI", reason="the book that clients see has no hidden orders"),
    *fixed("smpType", "CancelMaker", "the resting order of the two is always canceled"),
    *absent("slippageToleranceType slippageTolerance", "a market order has no limit but the price band"),
    *no_effect("isLeverage marketUnit orderFilter", _OF_SPOT),
    *no_effect("orderIv mmp", _OF_OPTIONS),
)
_AMENDMENT: Inputs = (
    *done("category symbol orderId orderLinkId qty price triggerPrice triggerBy"),
    *absent("takeProfit stopLoss tpTriggerBy slTriggerBy tpLimitPrice slLimitPrice tpslMode", _RESTING_STOPS),
    *no_effect("orderIv", _OF_OPTIONS),
)
_CANCEL: Inputs = (*done("category symbol orderId orderLinkId"), *no_effect("orderFilter", _OF_SPOT))
_PAGE = done("limit cursor")
_TIMES = done("startTime endTime limit cursor")
_SYMBOL = done("category symbol")
_NAMED = done("orderId orderLinkId")
_MARK_CANDLES = EndpointInputs((*_SYMBOL, *done("interval start end limit")))
_NOTHING = EndpointInputs()
_STATISTICS = "the outside participants have no accounts, so there is nothing to count"

INPUTS = VenueInputs(
    unknown="ignored, as at the venue",
    endpoints={
        "GET /v5/market/time": _NOTHING,
        "GET /v5/market/instruments-info": EndpointInputs(
            (
                *_SYMBOL,
                *done("status baseCoin"),
                *_PAGE,
                *fixed("symbolType", "crypto", "only contracts of coins trade"),
            )
        ),
        "GET /v5/market/tickers": EndpointInputs((*_SYMBOL, *no_effect("baseCoin expDate", _OF_OPTIONS))),
        "GET /v5/market/orderbook": EndpointInputs((*_SYMBOL, *done("limit"))),
        "GET /v5/market/kline": EndpointInputs((*_SYMBOL, *done("interval start end limit"))),
        "GET /v5/market/mark-price-kline": _MARK_CANDLES,
        "GET /v5/market/index-price-kline": _MARK_CANDLES,
        "GET /v5/market/premium-index-price-kline": _MARK_CANDLES,
        "GET /v5/market/recent-trade": EndpointInputs(
            (*_SYMBOL, *done("limit"), *no_effect("baseCoin optionType", _OF_OPTIONS))
        ),
        "GET /v5/market/funding/history": EndpointInputs((*_SYMBOL, *done("startTime endTime limit"))),
        "GET /v5/market/risk-limit": EndpointInputs((*_SYMBOL, *no_effect("cursor", "one page has them all"))),
        "GET /v5/market/open-interest": EndpointInputs((*_SYMBOL, *done("intervalTime"), *_TIMES)),
        "GET /v5/account/wallet-balance": EndpointInputs(done("accountType coin")),
        "GET /v5/account/info": _NOTHING,
        "GET /v5/account/fee-rate": EndpointInputs((*_SYMBOL, *no_effect("baseCoin", _OF_OPTIONS))),
        "GET /v5/account/transaction-log": EndpointInputs(
            (
                *done("accountType category currency baseCoin type"),
                *_TIMES,
                *absent("transSubType", "positions are never moved between accounts"),
            )
        ),
        "GET /v5/user/query-api": _NOTHING,
        "GET /v5/asset/coin/query-info": EndpointInputs(done("coin")),
        "GET /v5/position/list": EndpointInputs(
            (*_SYMBOL, *done("settleCoin"), *_PAGE, *no_effect("baseCoin", _OF_OPTIONS))
        ),
        "POST /v5/account/set-margin-mode": EndpointInputs(
            done("setMarginMode", but="PORTFOLIO_MARGIN", reason="portfolio margin is not simulated", by_handler=True)
        ),
        "POST /v5/position/set-leverage": EndpointInputs((*_SYMBOL, *done("buyLeverage sellLeverage"))),
        "POST /v5/position/switch-mode": EndpointInputs((*_SYMBOL, *done("coin mode"))),
        "POST /v5/position/switch-isolated": EndpointInputs(
            no_effect("category symbol tradeMode buyLeverage sellLeverage", "unified accounts are refused")
        ),
        "POST /v5/order/create": EndpointInputs(_ORDER),
        "POST /v5/order/create-batch": EndpointInputs(done("category"), _ORDER, "request"),
        "POST /v5/order/amend": EndpointInputs(_AMENDMENT),
        "POST /v5/order/amend-batch": EndpointInputs(done("category"), _AMENDMENT, "request"),
        "POST /v5/order/cancel": EndpointInputs(_CANCEL),
        "POST /v5/order/cancel-batch": EndpointInputs(done("category"), _CANCEL, "request"),
        "POST /v5/order/cancel-all": EndpointInputs((*_SYMBOL, *done("baseCoin settleCoin orderFilter stopOrderType"))),
        "GET /v5/order/realtime": EndpointInputs(
            (*_SYMBOL, *_NAMED, *done("baseCoin settleCoin openOnly orderFilter"), *_PAGE)
        ),
        "GET /v5/order/history": EndpointInputs(
            (*_SYMBOL, *_NAMED, *done("baseCoin settleCoin orderFilter orderStatus"), *_TIMES)
        ),
        "GET /v5/execution/list": EndpointInputs((*_SYMBOL, *_NAMED, *done("baseCoin execType"), *_TIMES)),
        "GET /v5/position/closed-pnl": EndpointInputs((*_SYMBOL, *_TIMES)),
        "POST /v5/position/trading-stop": EndpointInputs(
            (
                *_SYMBOL,
                *done("takeProfit stopLoss trailingStop tpTriggerBy slTriggerBy activePrice tpslMode tpSize slSize"),
                *done("tpLimitPrice slLimitPrice tpOrderType slOrderType positionIdx"),
            )
        ),
        "POST /v5/order/disconnected-cancel-all": EndpointInputs(done("product timeWindow")),
        "GET /v5/account/query-dcp-info": _NOTHING,
    },
    not_served={
        "GET /v5/market/account-ratio": _STATISTICS,
        "GET /v5/market/insurance, /adlAlert, /price-limit, /index-price-components": "not simulated",
        "GET /v5/market/rpi_orderbook": "the book that clients see has no hidden orders",
        "GET /v5/market/delivery-price, /historical-volatility": "only perpetual contracts trade",
        "POST /v5/order/pre-check": "not simulated",
        "GET /v5/order/spot-borrow-check": "spot does not trade",
        "POST /v5/position/add-margin, /set-auto-add-margin": "the margin of a position can't be changed",
        "POST /v5/position/set-risk-limit, /confirm-pending-mmr": "a symbol has one risk limit",
        "POST /v5/position/set-tpsl-mode": "the venue has withdrawn it for unified accounts",
        "POST /v5/position/move-positions": "positions are never moved between accounts",
        "GET /v5/account/collateral-info, /borrow-history": "nothing is borrowed",
        "POST /v5/account/upgrade-to-uta": "the mode of an account is a setting of the simulator",
        "GET /v5/asset/* but coin/query-info": "an account holds its futures wallet only",
        "/v5/spread/*, /v5/rfq/*, /v5/earn/*, /v5/crypto-loan/*": "not simulated",
    },
    channels={
        "allLiquidation.<symbol>, liquidation.<symbol>": "the outside participants are never liquidated",
        "priceLimit.<symbol>, adlAlert, insurance.*": "not simulated",
        "rpi.*": "the book that clients see has no hidden orders",
        "greeks": "options do not trade",
        "execution.fast": "execution is served",
    },
)
