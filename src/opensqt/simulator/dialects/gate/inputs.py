"""What Gate's endpoints take, as documented at the venue, and what the simulator has not.

https://www.gate.com/docs/developers/apiv4/en/#futures
"""

from __future__ import annotations

from opensqt.simulator.dialects.inputs import EndpointInputs, Inputs, VenueInputs, absent, done, fixed, no_effect

_ROOT = "/api/v4/futures/usdt"
_ANSWERS = fixed("action_mode", "FULL RESULT", "orders are never taken without a result")
_ONE_POSITION = "a side of a contract has one position"
_ORDER: Inputs = (
    *done("contract size price close reduce_only tif text auto_size"),
    *fixed("iceberg", "0", "the book that clients see has no hidden orders"),
    *fixed("stp_act", "co -", "the older order of the two is always canceled"),
    *_ANSWERS,
    *absent("pid pos_margin_mode", _ONE_POSITION),
    *absent("market_order_slip_ratio", "a market order has no limit but the price band"),
    *absent("tpsl_tp_trigger_price tpsl_sl_trigger_price", "stops are placed as price orders"),
    *absent("limit_vip", "not simulated"),
)
_AMENDMENT: Inputs = (*done("size price amend_text"), *no_effect("text", "an order keeps its text"), *_ANSWERS)
_AMENDMENT_ITEM: Inputs = (*done("order_id text size price amend_text"), *_ANSWERS)
_PAGE = done("limit offset")
_TIMES = done("from to")
_CONTRACT = done("contract")
_NOTHING = EndpointInputs()
_STATISTICS = "the outside participants have no accounts, so there is nothing to count"
_LEVERAGE = EndpointInputs((*done("leverage cross_leverage_limit"), *absent("pid", _ONE_POSITION)))
_MARGIN_MODE = EndpointInputs(done("contract mode"))

INPUTS = VenueInputs(
    unknown="ignored, as at the venue",
    endpoints={
        "GET /api/v4/spot/time": _NOTHING,
        f"GET {_ROOT}/contracts": EndpointInputs(_PAGE),
        "GET /api/v4/futures/btc/contracts": EndpointInputs(no_effect("limit offset", "the list is empty")),
        f"GET {_ROOT}/contracts/{{contract}}": _NOTHING,
        f"GET {_ROOT}/order_book": EndpointInputs(
            (
                *done("contract limit with_id"),
                *fixed("interval", "0", "prices are never merged"),
            )
        ),
        f"GET {_ROOT}/trades": EndpointInputs((*done("contract last_id"), *_PAGE, *_TIMES)),
        f"GET {_ROOT}/candlesticks": EndpointInputs(
            (*done("contract limit interval"), *_TIMES, *fixed("timezone", "utc0", "candles begin at UTC's hours"))
        ),
        f"GET {_ROOT}/tickers": EndpointInputs(_CONTRACT),
        f"GET {_ROOT}/funding_rate": EndpointInputs((*done("contract limit"), *_TIMES)),
        f"GET {_ROOT}/risk_limit_tiers": EndpointInputs((*_CONTRACT, *_PAGE)),
        f"GET {_ROOT}/accounts": _NOTHING,
        f"GET {_ROOT}/account_book": EndpointInputs((*done("contract type"), *_PAGE, *_TIMES)),
        f"GET {_ROOT}/positions": EndpointInputs(
            (*done("holding"), *_PAGE, *absent("positions_limit position_side hedge_mode", "not simulated"))
        ),
        f"GET {_ROOT}/position_close": EndpointInputs((*done("contract side pnl"), *_PAGE, *_TIMES)),
        f"GET {_ROOT}/positions/{{contract}}": _NOTHING,
        f"GET {_ROOT}/dual_comp/positions/{{contract}}": _NOTHING,
        f"GET {_ROOT}/get_leverage/{{contract}}": EndpointInputs(
            no_effect("pos_margin_mode dual_side", "a contract has one leverage")
        ),
        f"GET {_ROOT}/fee": EndpointInputs(_CONTRACT),
        "GET /api/v4/wallet/fee": EndpointInputs(no_effect("currency_pair settle", "there is one fee")),
        "GET /api/v4/account/detail": _NOTHING,
        "GET /api/v4/unified/accounts": EndpointInputs(
            (*done("currency"), *absent("sub_uid", "accounts have no sub-accounts"))
        ),
        "GET /api/v4/account/main_keys": _NOTHING,
        f"POST {_ROOT}/positions/{{contract}}/leverage": _LEVERAGE,
        f"POST {_ROOT}/dual_comp/positions/{{contract}}/leverage": _LEVERAGE,
        f"POST {_ROOT}/positions/cross_mode": _MARGIN_MODE,
        f"POST {_ROOT}/dual_comp/positions/cross_mode": _MARGIN_MODE,
        f"POST {_ROOT}/dual_mode": EndpointInputs(done("dual_mode")),
        f"POST {_ROOT}/set_position_mode": EndpointInputs(done("position_mode")),
        f"POST {_ROOT}/orders": EndpointInputs(_ORDER),
        f"POST {_ROOT}/batch_orders": EndpointInputs(items=_ORDER),
        f"GET {_ROOT}/orders": EndpointInputs((*done("contract status last_id"), *_PAGE)),
        f"GET {_ROOT}/orders_timerange": EndpointInputs((*_CONTRACT, *_PAGE, *_TIMES)),
        f"DELETE {_ROOT}/orders": EndpointInputs(
            (
                *done("contract side exclude_reduce_only"),
                *no_effect("text", "the reason of a cancel is not shown"),
                *_ANSWERS,
            )
        ),
        f"POST {_ROOT}/countdown_cancel_all": EndpointInputs(done("timeout contract")),
        f"GET {_ROOT}/orders/{{order_id}}": _NOTHING,
        f"PUT {_ROOT}/orders/{{order_id}}": EndpointInputs(_AMENDMENT),
        f"DELETE {_ROOT}/orders/{{order_id}}": EndpointInputs(_ANSWERS),
        f"POST {_ROOT}/batch_amend_orders": EndpointInputs(items=_AMENDMENT_ITEM),
        f"POST {_ROOT}/batch_cancel_orders": _NOTHING,
        f"GET {_ROOT}/my_trades": EndpointInputs((*done("contract order last_id"), *_PAGE)),
        f"GET {_ROOT}/my_trades_timerange": EndpointInputs((*done("contract role"), *_PAGE, *_TIMES)),
        f"POST {_ROOT}/price_orders": EndpointInputs(
            (
                *done("initial.contract initial.size initial.amount initial.price initial.close initial.tif"),
                *done("initial.text initial.reduce_only initial.is_reduce_only initial.auto_size"),
                *done("trigger.price_type trigger.price trigger.rule trigger.expiration"),
                *done("trigger.strategy_type", but="1", reason="a spread of two prices is not watched"),
                *done(
                    "order_type",
                    but="close-long-order close-short-order",
                    reason="the venue reports them and takes none",
                ),
                *absent("pos_margin_mode", _ONE_POSITION),
            )
        ),
        f"GET {_ROOT}/price_orders": EndpointInputs((*done("status contract"), *_PAGE)),
        f"DELETE {_ROOT}/price_orders": EndpointInputs(_CONTRACT),
        f"GET {_ROOT}/price_orders/{{order_id}}": _NOTHING,
        f"DELETE {_ROOT}/price_orders/{{order_id}}": _NOTHING,
        f"PUT {_ROOT}/price_orders/amend/{{order_id}}": EndpointInputs(
            done("size amount price trigger_price price_type auto_size close contract")
        ),
    },
    not_served={
        f"POST {_ROOT}/bbo_orders": "not simulated",
        f"GET {_ROOT}/position_close_history": "position_close has them",
        f"GET {_ROOT}/liquidates, /auto_deleverages": "not simulated",
        f"GET {_ROOT}/liq_orders": "the outside participants are never liquidated",
        f"POST {_ROOT}/positions/{{contract}}/margin": "the margin of a position can't be changed",
        f"POST {_ROOT}/positions/{{contract}}/risk_limit": "a contract has one risk limit",
        f"POST {_ROOT}/positions/{{contract}}/set_leverage": "leverage is set at positions/{contract}/leverage",
        f"GET {_ROOT}/contract_stats": _STATISTICS,
        f"GET {_ROOT}/premium_index": "candles of the premium price are not kept",
        f"GET {_ROOT}/index_constituents/*, /insurance, /risk_limit_table": "not simulated",
        f"POST {_ROOT}/funding_rates": "funding_rate has those of a contract",
        f"{_ROOT}/autoorder/v1/*": "trailing and chase orders are not simulated",
        "/api/v4/delivery/*, /api/v4/options/*, /api/v4/spot/*, /api/v4/margin/*": "only perpetual contracts trade",
        "/api/v4/unified/*": "of a unified account only its balances are served",
    },
    channels={
        "futures.order_book": "futures.order_book_update has every change",
        "futures.obu": "futures.order_book_update has every change",
        "futures.public_liquidates": "the outside participants are never liquidated",
        "futures.liquidates, futures.auto_deleverages, futures.position_closes": "futures.positions has their result",
        "futures.reduce_risk_limits": "a contract has one risk limit",
        "futures.contract_stats": _STATISTICS,
        "futures.position_adl_rank": "positions are never deleveraged",
    },
)
