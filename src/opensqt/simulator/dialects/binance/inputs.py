"""What Binance's endpoints take, as documented at the venue, and what the simulator has not.

https://developers.binance.com/docs/derivatives/usds-margined-futures
"""

from __future__ import annotations

from opensqt.simulator.dialects.inputs import EndpointInputs, Inputs, VenueInputs, done, fixed, no_effect

_SELF_TRADE = fixed(
    "selfTradePreventionMode", "EXPIRE_MAKER", "the resting order of the two always expires (EXPIRE_MAKER)"
)
_ORDER: Inputs = (
    *done("symbol side positionSide type quantity reduceOnly price newClientOrderId newOrderRespType priceMatch"),
    *done("timeInForce", but="RPI", reason="the book that clients see has no hidden orders"),
    *done("goodTillDate stopPrice activationPrice callbackRate closePosition"),
    *_SELF_TRADE,
    *fixed("workingType", "CONTRACT_PRICE", "a conditional order goes to the algo service"),
    *fixed("priceProtect", "FALSE", "a conditional order goes to the algo service"),
)
_ALGO_ORDER: Inputs = (
    *done("symbol side positionSide type timeInForce quantity reduceOnly price triggerPrice closePosition"),
    *done("activatePrice callbackRate clientAlgoId goodTillDate"),
    *done("algoType workingType"),
    *done(
        "priceMatch",
        but="OPPONENT OPPONENT_5 OPPONENT_10 OPPONENT_20 QUEUE QUEUE_5 QUEUE_10 QUEUE_20",
        reason="the venue finds the price when the order triggers",
        by_handler=True,
    ),
    *fixed("priceProtect", "FALSE", "the mark and the last price are never held to be too far apart"),
    *_SELF_TRADE,
    *no_effect("newOrderRespType", "an order that waits has no result in either form"),
)
_NAMED = done("symbol orderId origClientOrderId")
_ALGO_NAMED: Inputs = (
    *done("algoId clientAlgoId"),
    *no_effect("symbol", "the id names the order; ccxt sends the symbol with it"),
)
_AMENDMENT: Inputs = (*_NAMED, *done("side quantity price priceMatch"))
_SYMBOL = done("symbol")
_NOTHING = EndpointInputs()
_TIMES = done("startTime endTime limit")
_CANDLES = EndpointInputs((*done("symbol interval"), *_TIMES))
_STATISTICS = "the outside participants have no accounts, so there is nothing to count"

INPUTS = VenueInputs(
    shared=done("timestamp recvWindow signature"),
    unknown="refused with -1104, and one that is sent twice with -1101",
    endpoints={
        "GET /fapi/v1/ping": _NOTHING,
        "GET /fapi/v1/time": _NOTHING,
        "GET /fapi/v1/exchangeInfo": _NOTHING,
        "GET /fapi/v1/depth": EndpointInputs(done("symbol limit")),
        "GET /fapi/v1/trades": EndpointInputs(done("symbol limit")),
        "GET /fapi/v1/historicalTrades": EndpointInputs(done("symbol limit fromId")),
        "GET /fapi/v1/aggTrades": EndpointInputs((*done("symbol fromId"), *_TIMES)),
        "GET /fapi/v1/klines": _CANDLES,
        "GET /fapi/v1/continuousKlines": EndpointInputs(
            (
                *done("pair interval"),
                *_TIMES,
                *done(
                    "contractType",
                    but="CURRENT_QUARTER NEXT_QUARTER TRADIFI_PERPETUAL",
                    reason="only perpetual contracts trade",
                ),
            )
        ),
        "GET /fapi/v1/markPriceKlines": _CANDLES,
        "GET /fapi/v1/indexPriceKlines": EndpointInputs((*done("pair interval"), *_TIMES)),
        "GET /fapi/v1/premiumIndexKlines": _CANDLES,
        "GET /fapi/v1/premiumIndex": EndpointInputs(_SYMBOL),
        "GET /fapi/v1/openInterest": EndpointInputs(_SYMBOL),
        "GET /fapi/v1/fundingRate": EndpointInputs((*_SYMBOL, *_TIMES)),
        "GET /fapi/v1/fundingInfo": _NOTHING,
        "GET /fapi/v1/ticker/24hr": EndpointInputs(_SYMBOL),
        "GET /fapi/v1/ticker/price": EndpointInputs(_SYMBOL),
        "GET /fapi/v2/ticker/price": EndpointInputs(_SYMBOL),
        "GET /fapi/v1/ticker/bookTicker": EndpointInputs(_SYMBOL),
        "GET /fapi/v2/account": _NOTHING,
        "GET /fapi/v3/account": _NOTHING,
        "GET /fapi/v2/balance": _NOTHING,
        "GET /fapi/v3/balance": _NOTHING,
        "GET /fapi/v2/positionRisk": EndpointInputs(_SYMBOL),
        "GET /fapi/v3/positionRisk": EndpointInputs(_SYMBOL),
        "GET /fapi/v1/adlQuantile": EndpointInputs(_SYMBOL),
        "GET /fapi/v1/accountConfig": _NOTHING,
        "GET /fapi/v1/symbolConfig": EndpointInputs(_SYMBOL),
        "GET /fapi/v1/leverageBracket": EndpointInputs(_SYMBOL),
        "GET /fapi/v1/commissionRate": EndpointInputs(_SYMBOL),
        "GET /fapi/v1/positionSide/dual": _NOTHING,
        "GET /fapi/v1/multiAssetsMargin": _NOTHING,
        "GET /fapi/v1/feeBurn": _NOTHING,
        "GET /fapi/v1/apiTradingStatus": EndpointInputs(_SYMBOL),
        "GET /fapi/v1/income": EndpointInputs((*done("symbol incomeType page"), *_TIMES)),
        "GET /sapi/v1/account/apiRestrictions": _NOTHING,
        "GET /sapi/v1/capital/config/getall": _NOTHING,
        "GET /sapi/v1/margin/allPairs": EndpointInputs(no_effect("symbol", "the list is empty")),
        "GET /sapi/v1/margin/isolated/allPairs": EndpointInputs(no_effect("symbol", "the list is empty")),
        "POST /fapi/v1/leverage": EndpointInputs(done("symbol leverage")),
        "POST /fapi/v1/marginType": EndpointInputs(done("symbol marginType")),
        "POST /fapi/v1/positionSide/dual": EndpointInputs(done("dualSidePosition")),
        "POST /fapi/v1/multiAssetsMargin": EndpointInputs(
            done("multiAssetsMargin", but="true", reason="the mode of an account is a setting of the simulator")
        ),
        "POST /fapi/v1/order": EndpointInputs(_ORDER),
        "POST /fapi/v1/order/test": EndpointInputs(_ORDER),
        "POST /fapi/v1/batchOrders": EndpointInputs(items=_ORDER, items_name="batchOrders"),
        "PUT /fapi/v1/order": EndpointInputs(_AMENDMENT),
        "PUT /fapi/v1/batchOrders": EndpointInputs(items=_AMENDMENT, items_name="batchOrders"),
        "DELETE /fapi/v1/order": EndpointInputs(_NAMED),
        "DELETE /fapi/v1/batchOrders": EndpointInputs(
            done("symbol orderIdList origClientOrderIdList orderidlist origclientorderidlist")
        ),
        "DELETE /fapi/v1/allOpenOrders": EndpointInputs(_SYMBOL),
        "POST /fapi/v1/countdownCancelAll": EndpointInputs(done("symbol countdownTime")),
        "GET /fapi/v1/order": EndpointInputs(_NAMED),
        "GET /fapi/v1/openOrder": EndpointInputs(_NAMED),
        "GET /fapi/v1/openOrders": EndpointInputs(_SYMBOL),
        "GET /fapi/v1/allOrders": EndpointInputs((*done("symbol orderId"), *_TIMES)),
        "GET /fapi/v1/userTrades": EndpointInputs((*done("symbol orderId fromId"), *_TIMES)),
        "GET /fapi/v1/forceOrders": EndpointInputs((*done("symbol autoCloseType"), *_TIMES)),
        "GET /fapi/v1/rateLimit/order": _NOTHING,
        "POST /fapi/v1/algoOrder": EndpointInputs(_ALGO_ORDER),
        "DELETE /fapi/v1/algoOrder": EndpointInputs(_ALGO_NAMED),
        "DELETE /fapi/v1/algoOpenOrders": EndpointInputs(_SYMBOL),
        "GET /fapi/v1/algoOrder": EndpointInputs(_ALGO_NAMED),
        "GET /fapi/v1/openAlgoOrders": EndpointInputs(done("algoType symbol algoId")),
        "GET /fapi/v1/allAlgoOrders": EndpointInputs((*done("symbol algoId page"), *_TIMES)),
        "POST /fapi/v1/listenKey": _NOTHING,
        "PUT /fapi/v1/listenKey": EndpointInputs(done("listenKey")),
        "DELETE /fapi/v1/listenKey": EndpointInputs(done("listenKey")),
    },
    not_served={
        "GET /fapi/v1/orderAmendment": "amendments are not kept",
        "POST /fapi/v1/positionMargin": "the margin of an isolated position can't be changed",
        "GET /fapi/v1/positionMargin/history": "the margin of an isolated position can't be changed",
        "GET /futures/data/*": _STATISTICS,
        "GET /fapi/v1/rpiDepth": "the book that clients see has no hidden orders",
        "GET /fapi/v1/assetIndex": "an account holds USDT only",
        "GET /fapi/v1/indexInfo, /constituents, /insuranceBalance, /symbolAdlRisk, /tradingSchedule": "not simulated",
        "GET /futures/data/delivery-price": "only perpetual contracts trade",
        "GET /fapi/v1/income/asyn, /order/asyn, /trade/asyn": "not simulated",
        "GET /fapi/v1/pmAccountInfo": "portfolio margin is not simulated",
        "POST /fapi/v1/feeBurn": "fees are paid in USDT",
        "/fapi/v1/convert/*": "not simulated",
    },
    channels={
        "<symbol>@rpiDepth@500ms": "the book that clients see has no hidden orders",
        "<symbol>@compositeIndex": "only contracts of one coin trade",
        "!assetIndex@arr, <asset>@assetIndex": "an account holds USDT only",
        "!contractInfo": "states of symbols are in exchangeInfo",
        "tradingSession": "only contracts of coins trade",
    },
)
