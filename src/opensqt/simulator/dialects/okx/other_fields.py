"""Fields that OKX documents for every account and instrument, and whose value here never changes.

They are of borrowing, spot, options, copy trading and other modes. A client that declares them needs them to be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _same(names: str, value: Any) -> dict[str, Any]:
    return dict.fromkeys(names.split(), value)


BALANCE: Mapping[str, Any] = {
    **_same("borrowFroz delta deltaLever notionalUsdForBorrow notionalUsdForFutures notionalUsdForOption", ""),
    **_same("notionalUsdForSwap", ""),
    "deltaNeutralStatus": "0",
}
DETAIL: Mapping[str, Any] = {
    **_same("borrowFroz crossLiab interest isoLiab liab maxLoan uplLiab", ""),
    **_same("spotInUseAmt clSpotInUseAmt maxSpotInUse", ""),
    **_same("spotBal openAvgPx accAvgPx spotUpl spotUplRatio totalPnl totalPnlRatio", ""),
    **_same("colRes colBorrAutoConversion fixedBal frpType rewardBal smtSyncEq spotCopyTradingEq spotIsoBal", "0"),
    **_same("twap autoLendAmt autoLendMtAmt", "0"),
    **_same("collateralEnabled collateralRestrict", False),
    "autoLendStatus": "off",
}
POSITION: Mapping[str, Any] = {
    **_same("baseBal baseBorrowed baseInterest bizRefId bizRefType clSpotInUseAmt hedgedPos maxSpotInUseAmt", ""),
    **_same("deltaBS deltaPA gammaBS gammaPA thetaBS thetaPA vegaBS vegaPA optVal pendingCloseOrdLiabVal", ""),
    **_same("quoteBal quoteBorrowed quoteInterest spotInUseAmt spotInUseCcy uplRatioLastPx", ""),
    **_same("liqPenalty settledPnl", "0"),
    "nonSettleAvgPx": "",
}
INSTRUMENT: Mapping[str, Any] = {
    **_same("auctionEndTime contTdSwTime preMktSwTime openType posLmtAmt posLmtPct maxPlatOILmt groupId", ""),
    "futureSettlement": False,
    "instCategory": "1",
    "tradeQuoteCcyList": [],
    "upcChg": [],
}
CONFIG: Mapping[str, Any] = {
    **_same("spotOffsetType settleCcy", ""),
    **_same("feeType stgyType spotRoleType opAuth discountType", "0"),
    **_same("traderInsts spotTraderInsts settleCcyList", []),
    **_same("enableSpotBorrow spotBorrowAutoRepay", False),
}
BILL: Mapping[str, Any] = _same("from to notes", "")
