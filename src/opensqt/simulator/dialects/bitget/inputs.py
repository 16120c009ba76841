"""What Bitget's endpoints take, as documented at the venue, and what the simulator has not.

https://www.bitget.com/api-doc/contract/intro, https://www.bitget.com/api-doc/uta/intro
"""

from __future__ import annotations

from opensqt.simulator.dialects.inputs import EndpointInputs, Inputs, VenueInputs, absent, done, fixed, no_effect

_MARKET, _ACCOUNT = "/api/v2/mix/market", "/api/v2/mix/account"
_ORDERS, _V3 = "/api/v2/mix/order", "/api/v3"
_SELF_TRADE = fixed("stpMode", "cancel_maker", "the resting order of the two is always canceled")
_SYMBOL = done("symbol productType")
_NAMED = done("orderId clientOid")
_TIMES = done("idLessThan startTime endTime limit")
_PRESETS = done(
    "presetStopSurplusPrice presetStopSurplusExecutePrice presetStopSurplusType"
    " presetStopLossPrice presetStopLossExecutePrice presetStopLossType"
)
_ITEM: Inputs = (
    *done("size price side tradeSide orderType clientOid reduceOnly"),
    *done("force", but="rpi", reason="the book that clients see has no hidden orders"),
    *_PRESETS,
    *_SELF_TRADE,
)
_PLAN_STOPS = absent(
    "stopSurplusTriggerPrice stopSurplusExecutePrice stopSurplusTriggerType"
    " stopLossTriggerPrice stopLossExecutePrice stopLossTriggerType",
    "a plan order can't carry stops",
)
_NEW_PLAN_STOPS = absent(
    "newStopSurplusTriggerPrice newStopSurplusExecutePrice newStopSurplusTriggerType"
    " newStopLossTriggerPrice newStopLossExecutePrice newStopLossTriggerType",
    "a plan order can't carry stops",
)
_RESTING_STOPS = "the stops of an order that rests can't be amended"
_STATISTICS = "the outside participants have no accounts, so there is nothing to count"
_CANDLES: Inputs = (*_SYMBOL, *done("granularity startTime endTime limit"))
_CATEGORY = done("category symbol")
_CURSOR = done("startTime endTime limit cursor")
_UNIFIED_STOPS = done("takeProfit stopLoss tpTriggerBy slTriggerBy tpOrderType slOrderType tpLimitPrice slLimitPrice")
_UNIFIED_TRIGGER = done("triggerBy triggerPrice triggerOrderType triggerOrderPrice")
_UNIFIED_ORDER: Inputs = (
    *done("category symbol qty price side orderType posSide clientOid reduceOnly marginMode"),
    *done("timeInForce", but="rpi", reason="the book that clients see has no hidden orders"),
    *_SELF_TRADE,
    *_UNIFIED_STOPS,
    *absent(
        "takeProfitPrice stopLossPrice takeProfitTriggerType stopLossTriggerType",
        "the documents call them takeProfit, stopLoss, tpTriggerBy and slTriggerBy",
    ),
)
_UNIFIED_ITEM = tuple(field for field in _UNIFIED_ORDER if field.name != "marginMode")
_UNIFIED_AMENDMENT: Inputs = (
    *done("orderId clientOid qty price autoCancel"),
    *no_effect("category symbol", "an id names one order"),
)
_NOTHING = EndpointInputs()
_NO_MORE = EndpointInputs(no_effect("symbol coin", "the list is empty"))

INPUTS = VenueInputs(
    unknown="ignored, as at the venue",
    endpoints={
        "GET /api/v2/public/time": _NOTHING,
        f"GET {_MARKET}/contracts": EndpointInputs(_SYMBOL),
        f"GET {_MARKET}/ticker": EndpointInputs(_SYMBOL),
        f"GET {_MARKET}/tickers": EndpointInputs(done("productType")),
        f"GET {_MARKET}/symbol-price": EndpointInputs(_SYMBOL),
        f"GET {_MARKET}/merge-depth": EndpointInputs(
            (*_SYMBOL, *done("limit"), *fixed("precision", "scale0", "prices are never merged"))
        ),
        f"GET {_MARKET}/candles": EndpointInputs((*_CANDLES, *done("kLineType"))),
        f"GET {_MARKET}/history-mark-candles": EndpointInputs(_CANDLES),
        f"GET {_MARKET}/history-index-candles": EndpointInputs(_CANDLES),
        f"GET {_MARKET}/history-candles": EndpointInputs(_CANDLES),
        f"GET {_MARKET}/fills": EndpointInputs((*_SYMBOL, *done("limit"))),
        f"GET {_MARKET}/fills-history": EndpointInputs((*_SYMBOL, *_TIMES)),
        f"GET {_MARKET}/current-fund-rate": EndpointInputs(_SYMBOL),
        f"GET {_MARKET}/funding-time": EndpointInputs(_SYMBOL),
        f"GET {_MARKET}/open-interest": EndpointInputs(_SYMBOL),
        f"GET {_MARKET}/history-fund-rate": EndpointInputs((*_SYMBOL, *done("pageSize pageNo"))),
        f"GET {_MARKET}/query-position-lever": EndpointInputs(_SYMBOL),
        "GET /api/v2/spot/public/symbols": _NO_MORE,
        "GET /api/v2/spot/public/coins": _NO_MORE,
        "GET /api/v2/margin/currencies": _NO_MORE,
        f"GET {_ACCOUNT}/account": EndpointInputs((*_SYMBOL, *done("marginCoin"))),
        f"GET {_ACCOUNT}/accounts": EndpointInputs(done("productType")),
        f"GET {_ACCOUNT}/bill": EndpointInputs(
            (
                *done("symbol productType coin businessType"),
                *_TIMES,
                *no_effect("onlyFunding", "money never moves between accounts"),
            )
        ),
        "GET /api/v2/mix/position/single-position": EndpointInputs((*_SYMBOL, *done("marginCoin"))),
        "GET /api/v2/mix/position/all-position": EndpointInputs(done("productType marginCoin")),
        "GET /api/v2/mix/position/history-position": EndpointInputs((*_SYMBOL, *_TIMES)),
        f"GET {_ACCOUNT}/max-open": EndpointInputs((*_SYMBOL, *done("marginCoin posSide orderType openPrice"))),
        f"GET {_ACCOUNT}/open-count": EndpointInputs((*_SYMBOL, *done("marginCoin openAmount openPrice leverage"))),
        "GET /api/v2/common/trade-rate": EndpointInputs(done("symbol businessType")),
        "GET /api/v2/spot/account/info": _NOTHING,
        f"GET {_V3}/account/info": _NOTHING,
        f"POST {_ACCOUNT}/set-leverage": EndpointInputs(
            (
                *_SYMBOL,
                *done("marginCoin leverage"),
                *absent("longLeverage shortLeverage", "both sides of a symbol have one leverage"),
                *no_effect("holdSide", "both sides of a symbol have one leverage, which either side sets"),
            )
        ),
        f"POST {_ACCOUNT}/set-margin-mode": EndpointInputs((*_SYMBOL, *done("marginCoin marginMode"))),
        f"POST {_ACCOUNT}/set-position-mode": EndpointInputs(done("productType posMode")),
        f"POST {_ORDERS}/place-order": EndpointInputs((*_SYMBOL, *done("marginCoin marginMode"), *_ITEM)),
        f"POST {_ORDERS}/batch-place-order": EndpointInputs(
            (*_SYMBOL, *done("marginCoin marginMode")), _ITEM, "orderList"
        ),
        f"POST {_ORDERS}/modify-order": EndpointInputs(
            (
                *_SYMBOL,
                *_NAMED,
                *done("newClientOid newSize newPrice marginCoin"),
                *absent("newPresetStopSurplusPrice newPresetStopLossPrice", _RESTING_STOPS),
            )
        ),
        f"POST {_ORDERS}/cancel-order": EndpointInputs((*_SYMBOL, *done("marginCoin"), *_NAMED)),
        f"POST {_ORDERS}/batch-cancel-orders": EndpointInputs((*_SYMBOL, *done("marginCoin")), _NAMED, "orderIdList"),
        f"POST {_ORDERS}/cancel-all-orders": EndpointInputs((*_SYMBOL, *done("marginCoin requestTime receiveWindow"))),
        f"GET {_ORDERS}/detail": EndpointInputs((*_SYMBOL, *_NAMED)),
        f"GET {_ORDERS}/orders-pending": EndpointInputs((*_SYMBOL, *_NAMED, *done("status"), *_TIMES)),
        f"GET {_ORDERS}/orders-history": EndpointInputs((*_SYMBOL, *_NAMED, *done("orderSource"), *_TIMES)),
        f"GET {_ORDERS}/fills": EndpointInputs((*_SYMBOL, *done("orderId"), *_TIMES)),
        f"GET {_ORDERS}/fill-history": EndpointInputs((*_SYMBOL, *done("orderId"), *_TIMES)),
        f"POST {_ORDERS}/place-plan-order": EndpointInputs(
            (
                *_SYMBOL,
                *done("planType marginMode marginCoin size price executePrice callbackRatio triggerPrice triggerType"),
                *done("side tradeSide orderType clientOid reduceOnly"),
                *_SELF_TRADE,
                *_PLAN_STOPS,
            )
        ),
        f"POST {_ORDERS}/place-tpsl-order": EndpointInputs(
            (
                *_SYMBOL,
                *done("marginCoin planType triggerPrice triggerType executePrice holdSide size rangeRate clientOid"),
                *_SELF_TRADE,
            )
        ),
        f"POST {_ORDERS}/place-pos-tpsl": EndpointInputs(
            (
                *_SYMBOL,
                *done("marginCoin holdSide stopSurplusTriggerPrice stopSurplusTriggerType stopSurplusExecutePrice"),
                *done("stopLossTriggerPrice stopLossTriggerType stopLossExecutePrice"),
                *done("stopSurplusClientOid stopLossClientOid"),
                *_SELF_TRADE,
            )
        ),
        f"POST {_ORDERS}/modify-plan-order": EndpointInputs(
            (
                *_SYMBOL,
                *_NAMED,
                *done("newSize newPrice newCallbackRatio newTriggerPrice newTriggerType"),
                *no_effect("planType", "an id names one order"),
                *_NEW_PLAN_STOPS,
            )
        ),
        f"POST {_ORDERS}/modify-tpsl-order": EndpointInputs(
            (*_SYMBOL, *_NAMED, *done("marginCoin triggerPrice triggerType executePrice size rangeRate"))
        ),
        f"POST {_ORDERS}/cancel-plan-order": EndpointInputs(
            (*_SYMBOL, *done("marginCoin planType")), _NAMED, "orderIdList"
        ),
        f"GET {_ORDERS}/orders-plan-pending": EndpointInputs((*_SYMBOL, *_NAMED, *done("planType"), *_TIMES)),
        f"GET {_ORDERS}/orders-plan-history": EndpointInputs(
            (*_SYMBOL, *_NAMED, *done("planType planStatus"), *_TIMES)
        ),
        f"POST {_ORDERS}/close-positions": EndpointInputs((*_SYMBOL, *done("holdSide"))),
        f"GET {_V3}/account/settings": _NOTHING,
        f"GET {_V3}/account/assets": EndpointInputs(done("coin")),
        f"GET {_V3}/account/financial-records": EndpointInputs((*done("category type coin"), *_CURSOR)),
        f"GET {_V3}/position/current-position": EndpointInputs((*_CATEGORY, *done("posSide"))),
        f"GET {_V3}/trade/order-info": EndpointInputs(_NAMED),
        f"GET {_V3}/trade/unfilled-orders": EndpointInputs((*_CATEGORY, *_CURSOR)),
        f"GET {_V3}/trade/history-orders": EndpointInputs((*_CATEGORY, *_CURSOR)),
        f"GET {_V3}/trade/fills": EndpointInputs((*done("category symbol orderId"), *_CURSOR)),
        f"POST {_V3}/trade/place-order": EndpointInputs(_UNIFIED_ORDER),
        f"POST {_V3}/trade/cancel-order": EndpointInputs(
            (*_NAMED, *no_effect("category symbol", "an id names one order"))
        ),
        f"POST {_V3}/trade/modify-order": EndpointInputs(_UNIFIED_AMENDMENT),
        f"POST {_V3}/trade/batch-modify-order": EndpointInputs(items=_UNIFIED_AMENDMENT),
        f"POST {_V3}/trade/cancel-symbol-order": EndpointInputs(_CATEGORY),
        f"POST {_V3}/trade/place-strategy-order": EndpointInputs(
            (
                *_CATEGORY,
                *done("clientOid type tpslMode qty side posSide reduceOnly"),
                *_UNIFIED_STOPS,
                *_UNIFIED_TRIGGER,
            )
        ),
        f"POST {_V3}/trade/modify-strategy-order": EndpointInputs(
            (
                *_NAMED,
                *done("qty"),
                *_UNIFIED_STOPS,
                *_UNIFIED_TRIGGER,
                *no_effect("category symbol", "an id names one order"),
            )
        ),
        f"POST {_V3}/trade/cancel-strategy-order": EndpointInputs(
            (*_NAMED, *no_effect("category symbol", "an id names one order"))
        ),
        f"GET {_V3}/trade/unfilled-strategy-orders": EndpointInputs((*_CATEGORY, *done("type"))),
        f"GET {_V3}/trade/history-strategy-orders": EndpointInputs((*_CATEGORY, *done("type"), *_CURSOR)),
        f"POST {_V3}/trade/close-positions": EndpointInputs((*_CATEGORY, *done("posSide"))),
        f"POST {_V3}/trade/place-batch": EndpointInputs(items=_UNIFIED_ITEM),
        f"POST {_V3}/trade/cancel-batch": EndpointInputs(),
        f"POST {_V3}/trade/countdown-cancel-all": EndpointInputs(done("countdown")),
        f"POST {_V3}/account/set-leverage": EndpointInputs(
            (
                *_CATEGORY,
                *done("leverage"),
                *done("marginMode", but="isolated", reason="positions are under cross margin", by_handler=True),
                *no_effect("coin", "the venue reads it for margin only"),
                *absent("posSide", "both sides of a symbol have one leverage"),
            )
        ),
        f"POST {_V3}/account/set-hold-mode": EndpointInputs(done("holdMode")),
    },
    not_served={
        f"POST {_ORDERS}/click-backhand": "close and place the orders one by one",
        f"GET {_MARKET}/account-long-short, /taker-buy-sell": _STATISTICS,
        f"GET {_MARKET}/vip-fee-rate, /exchange-rate, /discount-rate, /oi-limit": "not simulated",
        "GET /api/v2/mix/position/adlRank": "positions are never deleveraged",
        f"POST {_ACCOUNT}/set-margin, /set-auto-margin": "the margin of a position can't be changed",
        f"POST {_ACCOUNT}/set-asset-mode": "the mode of an account is a setting of the simulator",
        f"GET {_ACCOUNT}/liq-price": "the liquidation price is in the position",
        f"GET {_ACCOUNT}/interest-history, /union-*, /isolated-symbols": "not simulated",
        f"GET {_V3}/trade/strategy-sub-orders": "the order that a strategy order placed is among the orders",
        f"GET {_V3}/market/*": "the market data of v2 is everybody's",
        f"GET {_V3}/account/max-open-available, /fee-rate": "not simulated",
        "/api/v2/spot/*, /api/v2/margin/*, /api/v2/earn/*, /api/v2/copy/*": "only perpetual contracts trade",
    },
    channels={
        "books50": "books, books1, books5 and books15 are served",
        "equity, positions-history, adl-noti": "not simulated",
        "v3/ws/public": "the market data of v2 is everybody's",
        "v3: fast-fill, liquidation, adl-notification": "not simulated",
    },
)
