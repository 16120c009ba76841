"""The contract suite: the behaviour of the `Exchange` protocol as tests that run on any implementation.

A test module imports all of it, or the classes that it needs, and a `contract_subject` fixture binds it to an
implementation; see docs/testing.md. Of all packages only this one imports pytest, a development dependency: it comes
with `opensqt[testing]`, and `opensqt.testing` works without it.
"""

import pytest

# Pytest rewrites assertions, for readable failures, only in test modules and in modules that are registered.
pytest.register_assert_rewrite(
    *(
        f"{__name__}.{module}"
        for module in (
            "account",
            "amending",
            "batches",
            "bench",
            "canceling",
            "funding",
            "market_data",
            "placing",
            "public_data",
            "queries",
            "settings",
            "streams",
            "untradable",
        )
    )
)

from opensqt.testing.contract.account import TestAccount, TestFills, TestHedgePositions, TestOneWayPositions  # noqa: E402
from opensqt.testing.contract.amending import TestAmendCapability, TestAmendOrder  # noqa: E402
from opensqt.testing.contract.batches import TestBatchCanceling, TestBatchPlacing  # noqa: E402
from opensqt.testing.contract.canceling import TestCancelAllOrders, TestCancelOrder  # noqa: E402
from opensqt.testing.contract.funding import TestFundingPayments  # noqa: E402
from opensqt.testing.contract.market_data import TestHistoricalKlines, TestLatestPrice  # noqa: E402
from opensqt.testing.contract.placing import (  # noqa: E402
    TestDenials,
    TestFillOrKill,
    TestImmediateOrCancel,
    TestLimitOrders,
    TestMarketOrders,
    TestPostOnly,
    TestReduceOnly,
    TestSameIdTwice,
)
from opensqt.testing.contract.public_data import (  # noqa: E402
    TestEveryPublicStream,
    TestMarkPriceStream,
    TestOrderBookStream,
    TestTradeStream,
)
from opensqt.testing.contract.queries import TestExchangeInfo, TestGetOrder, TestOpenOrders, TestStatus  # noqa: E402
from opensqt.testing.contract.settings import TestLeverage, TestMarginMode, TestPositionMode  # noqa: E402
from opensqt.testing.contract.streams import (  # noqa: E402
    TestAccountStream,
    TestEveryStream,
    TestKlineStream,
    TestOrderStream,
    TestPositionStream,
    TestPriceStream,
)
from opensqt.testing.contract.untradable import TestUntradableSymbols  # noqa: E402

__all__ = [
    "TestAccount",
    "TestAccountStream",
    "TestAmendCapability",
    "TestAmendOrder",
    "TestBatchCanceling",
    "TestBatchPlacing",
    "TestCancelAllOrders",
    "TestCancelOrder",
    "TestDenials",
    "TestEveryPublicStream",
    "TestEveryStream",
    "TestExchangeInfo",
    "TestFillOrKill",
    "TestFills",
    "TestFundingPayments",
    "TestGetOrder",
    "TestHedgePositions",
    "TestHistoricalKlines",
    "TestImmediateOrCancel",
    "TestKlineStream",
    "TestLatestPrice",
    "TestLeverage",
    "TestLimitOrders",
    "TestMarginMode",
    "TestMarkPriceStream",
    "TestMarketOrders",
    "TestOneWayPositions",
    "TestOpenOrders",
    "TestOrderBookStream",
    "TestOrderStream",
    "TestPositionMode",
    "TestPositionStream",
    "TestPostOnly",
    "TestPriceStream",
    "TestReduceOnly",
    "TestSameIdTwice",
    "TestStatus",
    "TestTradeStream",
    "TestUntradableSymbols",
]
