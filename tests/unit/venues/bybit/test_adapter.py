"""The rights of a key of Bybit, checked before the first order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model.errors import PermissionDenied
from opensqt.venues.bybit.adapter import BybitAdapter


class Rights:
    """Returns the rights of a key."""

    def __init__(self, **result: Any) -> None:
        self._result = result

    async def send(self, *_arguments: Any, **_options: Any) -> dict[str, Any]:
        return {"result": self._result}


def warnings(read_only: int, **permissions: list[str]) -> list[str]:
    rights = Rights(readOnly=read_only, permissions=permissions)
    made = BybitAdapter(VenueSettings(name="bybit"), None, rights)
    return asyncio.run(made.key_warnings())


def test_a_key_that_may_withdraw_is_warned_of() -> None:
    """F34: a key that can withdraw, or can't trade, is reported before the first order."""
    assert warnings(0, ContractTrade=["Order", "Position"], Wallet=["AccountTransfer"]) == []
    assert "withdraw" in warnings(0, ContractTrade=["Order", "Position"], Wallet=["Withdraw"])[0]


@pytest.mark.parametrize(("read_only", "contract"), [(1, ["Order", "Position"]), (0, []), (0, ["Position"])])
def test_a_key_that_may_not_trade_is_refused_at_the_start(read_only: int, contract: list[str]) -> None:
    """F34: a key that can withdraw, or can't trade, is reported before the first order."""
    with pytest.raises(PermissionDenied, match="may not trade"):
        warnings(read_only, ContractTrade=contract, Wallet=[])
