"""What OKX's endpoints take, as documented at the venue, and what the simulator has not.

https://www.okx.com/docs-v5/en/
"""

from __future__ import annotations

from opensqt.simulator.dialects.inputs import EndpointInputs, Inputs, VenueInputs, absent, done, fixed, no_effect

_MARGIN_ONLY = "the venue reads it for spot and margin only"
_OTHER_TYPES = no_effect("ccy tgtCcy banAmend quickMgnType tradeQuoteCcy", _MARGIN_ONLY)
_OPTIONS = "options do not trade"
_ATTACHED = done(
    "attachAlgoOrds.attachAlgoClOrdId attachAlgoOrds.sz"
    " attachAlgoOrds.tpTriggerPx attachAlgoOrds.tpTriggerPxType attachAlgoOrds.tpOrdPx"
    " attachAlgoOrds.slTriggerPx attachAlgoOrds.slTriggerPxType attachAlgoOrds.slOrdPx"
)
_MORE_ATTACHED: Inputs = (
    *fixed("attachAlgoOrds.tpOrdKind", "condition", "a take-profit that rests as a limit order is not simulated"),
    *fixed("attachAlgoOrds.amendPxOnTriggerType", "0 false", "a cost-price stop-loss is not simulated"),
    *absent("attachAlgoOrds", "only stop-loss and take-profit by their prices are simulated"),
)
_ORDER: Inputs = (
    *done("instId clOrdId tag side posSide sz px reduceOnly"),
    *done("tdMode", but="isolated", reason="positions are under cross margin"),
    *done("ordType", but="op_fok mmp mmp_and_post_only elp rpi", reason="not simulated"),
    *done("tpTriggerPx tpOrdPx tpTriggerPxType slTriggerPx slOrdPx slTriggerPxType algoClOrdId"),
    *_ATTACHED,
    *_MORE_ATTACHED,
    *_OTHER_TYPES,
    *absent("pxUsd pxVol", _OPTIONS),
    *fixed("pxAmendType", "0", "a price beyond its limit is refused, never amended"),
    *fixed("stpMode", "cancel_maker", "the resting order of the two is always canceled"),
    *absent("stpId smpId", "an account's orders never meet those of another one by an id"),
    *fixed("isElpTakerAccess", "false", "orders of the kind elp are not simulated"),
)
_AMENDMENT: Inputs = (
    *done("instId ordId clOrdId reqId newSz newPx"),
    *fixed("cxlOnFail", "false", "an order whose amendment fails stays as it is"),
    *absent("newPxUsd newPxVol", _OPTIONS),
    *fixed("pxAmendType", "0", "a price beyond its limit is refused, never amended"),
    *absent("attachAlgoOrds", "the stops of an order that rests can't be amended"),
)
_CANCEL = done("instId ordId clOrdId")
_PAGE = done("after before limit")
_WINDOW = done("after before begin end limit")
_INSTRUMENTS = done("instType uly instFamily instId")
_ALGO: Inputs = (
    *done("instId side posSide sz tag algoClOrdId reduceOnly closeFraction cxlOnClosePos"),
    *done("tdMode", but="isolated", reason="positions are under cross margin"),
    *done("ordType", but="chase iceberg twap smart_iceberg", reason="not simulated", by_handler=True),
    *done("tpTriggerPx tpTriggerPxType tpOrdPx slTriggerPx slTriggerPxType slOrdPx"),
    *done("triggerPx triggerPxType orderPx advanceOrdType callbackRatio callbackSpread activePx"),
    *fixed("tpOrdKind", "condition", "a take-profit that rests as a limit order is not simulated"),
    *fixed("amendPxOnTriggerType", "0 false", "a cost-price stop-loss is not simulated"),
    *fixed("pxAmendType", "0", "a price beyond its limit is refused, never amended"),
    *no_effect("ccy tgtCcy quickMgnType tradeQuoteCcy", _MARGIN_ONLY),
    *absent("attachAlgoOrds", "a trigger order can't carry stops"),
    *absent("chaseType chaseVal maxChaseType maxChaseVal", "chase orders are not simulated"),
    *absent("pxVar pxSpread szLimit pxLimit timeInterval", "iceberg and twap orders are not simulated"),
)
_ALGO_AMENDMENT: Inputs = (
    *done("instId algoId algoClOrdId reqId newSz newTpTriggerPx newTpOrdPx newTpTriggerPxType"),
    *done("newSlTriggerPx newSlOrdPx newSlTriggerPxType newTriggerPx newOrdPx newTriggerPxType"),
    *fixed("cxlOnFail", "false", "an order whose amendment fails stays as it is"),
    *absent("attachAlgoOrds", "a trigger order can't carry stops"),
)
_BILLS = EndpointInputs(
    (
        *done("instType instId ccy mgnMode ctType type subType"),
        *_WINDOW,
    )
)
_NOTHING = EndpointInputs()
_INSTRUMENT = EndpointInputs(done("instId"))
_CANDLES = EndpointInputs((*done("instId bar"), *_PAGE))
_FILLS = EndpointInputs((*_INSTRUMENTS, *done("ordId subType"), *_WINDOW))
_HISTORY = EndpointInputs((*_INSTRUMENTS, *done("ordType state category"), *_WINDOW))
_SPOT_ONLY = "only perpetual contracts trade"
_NO_CREDIT = "nothing is borrowed"

INPUTS = VenueInputs(
    unknown="ignored, as at the venue",
    endpoints={
        "GET /api/v5/public/time": _NOTHING,
        "GET /api/v5/public/instruments": EndpointInputs(_INSTRUMENTS),
        "GET /api/v5/public/funding-rate": _INSTRUMENT,
        "GET /api/v5/public/funding-rate-history": EndpointInputs((*done("instId"), *_PAGE)),
        "GET /api/v5/public/mark-price": EndpointInputs(_INSTRUMENTS),
        "GET /api/v5/public/price-limit": _INSTRUMENT,
        "GET /api/v5/public/position-tiers": EndpointInputs(
            (
                *done("instType tdMode uly instFamily instId tier"),
                *no_effect("ccy", _MARGIN_ONLY),
            )
        ),
        "GET /api/v5/public/underlying": EndpointInputs(done("instType")),
        "GET /api/v5/public/open-interest": EndpointInputs(_INSTRUMENTS),
        "GET /api/v5/market/index-tickers": EndpointInputs(done("quoteCcy instId")),
        "GET /api/v5/market/ticker": _INSTRUMENT,
        "GET /api/v5/market/tickers": EndpointInputs(done("instType uly instFamily")),
        "GET /api/v5/market/books": EndpointInputs(done("instId sz")),
        "GET /api/v5/market/mark-price-candles": _CANDLES,
        "GET /api/v5/market/history-mark-price-candles": _CANDLES,
        "GET /api/v5/market/index-candles": _CANDLES,
        "GET /api/v5/market/history-index-candles": _CANDLES,
        "GET /api/v5/market/candles": _CANDLES,
        "GET /api/v5/market/history-candles": _CANDLES,
        "GET /api/v5/market/trades": EndpointInputs(done("instId limit")),
        "GET /api/v5/market/history-trades": EndpointInputs((*done("instId type"), *_PAGE)),
        "GET /api/v5/system/status": EndpointInputs(no_effect("state", "no maintenance is ever planned")),
        "GET /api/v5/account/balance": EndpointInputs(done("ccy")),
        "GET /api/v5/account/positions": EndpointInputs(done("instType instId posId")),
        "GET /api/v5/account/config": _NOTHING,
        "GET /api/v5/account/leverage-info": EndpointInputs((*done("instId mgnMode"), *no_effect("ccy", _MARGIN_ONLY))),
        "GET /api/v5/account/positions-history": EndpointInputs((*done("instType instId mgnMode type posId"), *_PAGE)),
        "GET /api/v5/account/max-size": EndpointInputs(
            (
                *done("instId px leverage"),
                *done("tdMode", but="isolated", reason="positions are under cross margin"),
                *no_effect("ccy tradeQuoteCcy", _MARGIN_ONLY),
            )
        ),
        "GET /api/v5/account/max-avail-size": EndpointInputs(
            (
                *done("instId reduceOnly"),
                *done("tdMode", but="isolated", reason="positions are under cross margin"),
                *no_effect("px", "the balance that orders may use does not depend on a price"),
                *no_effect("ccy quickMgnType tradeQuoteCcy", _MARGIN_ONLY),
            )
        ),
        "GET /api/v5/account/max-withdrawal": EndpointInputs(done("ccy")),
        "GET /api/v5/account/trade-fee": EndpointInputs(
            (
                *done("instType uly instFamily"),
                *no_effect("instId", _MARGIN_ONLY),
                *no_effect("ruleType groupId", "all contracts have one fee"),
            )
        ),
        "GET /api/v5/account/instruments": EndpointInputs(_INSTRUMENTS),
        "GET /api/v5/account/bills": _BILLS,
        "GET /api/v5/account/bills-archive": _BILLS,
        "GET /api/v5/asset/currencies": EndpointInputs(done("ccy")),
        "GET /api/v5/asset/balances": EndpointInputs(no_effect("ccy", "the funding account is empty")),
        "POST /api/v5/account/set-leverage": EndpointInputs(
            (
                *done("instId lever posSide"),
                *done("mgnMode", but="isolated", reason="positions are under cross margin"),
                *absent("ccy", "the leverage of a currency is of spot and margin, which do not trade"),
            )
        ),
        "POST /api/v5/account/set-position-mode": EndpointInputs(done("posMode")),
        "POST /api/v5/trade/order": EndpointInputs(_ORDER),
        "POST /api/v5/trade/batch-orders": EndpointInputs(items=_ORDER),
        "POST /api/v5/trade/amend-order": EndpointInputs(_AMENDMENT),
        "POST /api/v5/trade/amend-batch-orders": EndpointInputs(items=_AMENDMENT),
        "POST /api/v5/trade/cancel-order": EndpointInputs(_CANCEL),
        "POST /api/v5/trade/cancel-batch-orders": EndpointInputs(items=_CANCEL),
        "POST /api/v5/trade/close-position": EndpointInputs(
            (
                *done("instId posSide mgnMode autoCxl clOrdId tag"),
                *no_effect("ccy", _MARGIN_ONLY),
            )
        ),
        "POST /api/v5/trade/cancel-all-after": EndpointInputs(done("timeOut tag")),
        "GET /api/v5/trade/order": EndpointInputs(_CANCEL),
        "GET /api/v5/trade/orders-pending": EndpointInputs((*_INSTRUMENTS, *done("ordType state"), *_PAGE)),
        "GET /api/v5/trade/orders-history": _HISTORY,
        "GET /api/v5/trade/orders-history-archive": _HISTORY,
        "GET /api/v5/trade/fills": _FILLS,
        "GET /api/v5/trade/fills-history": _FILLS,
        "POST /api/v5/trade/order-algo": EndpointInputs(_ALGO),
        "POST /api/v5/trade/cancel-algos": EndpointInputs(items=done("instId algoId algoClOrdId")),
        "POST /api/v5/trade/amend-algos": EndpointInputs(_ALGO_AMENDMENT),
        "GET /api/v5/trade/order-algo": EndpointInputs(done("algoId algoClOrdId")),
        "GET /api/v5/trade/orders-algo-pending": EndpointInputs((*done("ordType algoId instType instId"), *_PAGE)),
        "GET /api/v5/trade/orders-algo-history": EndpointInputs(
            (*done("ordType state algoId instType instId"), *_PAGE)
        ),
    },
    not_served={
        "POST /api/v5/trade/mass-cancel": "it is of options",
        "GET /api/v5/trade/account-rate-limit": "the sub-account limit is not simulated",
        "POST /api/v5/trade/order-precheck": "not simulated",
        "GET /api/v5/account/account-position-risk, /risk-state": "not simulated",
        "POST /api/v5/account/position/margin-balance": "positions are under cross margin",
        "POST /api/v5/account/set-account-level": "the mode of an account is a setting of the simulator",
        "GET /api/v5/account/max-loan, /interest-*, /spot-*": _NO_CREDIT,
        "GET /api/v5/rubik/*": "the outside participants have no accounts, so there is nothing to count",
        "GET /api/v5/public/insurance-fund, /estimated-price, /premium-history": "not simulated",
        "GET /api/v5/market/books-full": "books has up to 400 levels",
        "/api/v5/asset/*, /api/v5/users/*, /api/v5/finance/*": _SPOT_ONLY,
        "/api/v5/tradingBot/*, /api/v5/copytrading/*, /api/v5/sprd/*, /api/v5/rfq/*": "not simulated",
    },
    channels={
        "books-l2-tbt, books50-l2-tbt": "they need a fee level that no account here has; books and books5 are served",
        "index-tickers, index-candle*, mark-price-candle*": "the candles are served by REST",
        "open-interest": "the outside participants have no accounts, so there is nothing to count",
        "price-limit, estimated-price, status, adl-warning, liquidation-orders": "not simulated",
        "liquidation-warning, account-greeks, fills, algo-advance": "not simulated",
        "option-trades, opt-summary": _OPTIONS,
        "account, positions with updateInterval other than 0": "they are sent at changes, and every five seconds",
    },
)
