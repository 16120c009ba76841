"""Fields that Bybit documents for every account and contract, and whose value here never changes.

They are of spot, options, portfolio margin and other modes. A client that declares them needs them to be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _same(names: str, value: Any) -> dict[str, Any]:
    return dict.fromkeys(names.split(), value)


ORDER: Mapping[str, Any] = {
    **_same("marketUnit slippageTolerance ocoTriggerType basePrice extraFees feeCurrency", ""),
    "slippageToleranceType": "UNKNOWN",
}
EXECUTION: Mapping[str, Any] = {**_same("execFeeV2 extraFees marketUnit", ""), "isLeverage": "0"}
FUNDING: Mapping[str, Any] = {**EXECUTION, **_same("tradeIv markIv indexPrice underlyingPrice", "")}
POSITION: Mapping[str, Any] = {**_same("breakEvenPrice delta gamma vega theta", ""), "openTime": 0}
WALLET: Mapping[str, Any] = _same(
    "accountIMRateByMp accountMMRateByMp totalInitialMarginByMp totalMaintenanceMarginByMp", ""
)
COIN: Mapping[str, Any] = {"spotBorrow": "0", "colRes": ""}
MOVEMENT: Mapping[str, Any] = {
    **_same("size cashBalance feeRate bonusChange qty tradePrice", "0"),
    **_same("extraFees transSubType", ""),
}
KEY: Mapping[str, Any] = {"kycLevel": "LEVEL_1", "kycRegion": ""}
TICKER: Mapping[str, Any] = {
    **_same("predictedDeliveryPrice basisRate basisRateYear basis deliveryFeeRate", ""),
    **_same("preOpenPrice preQty curPreListingPhase", ""),
    "fundingCap": "0.005",
    "tickDirection": "ZeroPlusTick",
}
INSTRUMENT: Mapping[str, Any] = {
    **_same("displayName symbolType", ""),
    "upperFundingRate": "0.00375",
    "lowerFundingRate": "-0.00375",
    "skipCallAuction": False,
}
