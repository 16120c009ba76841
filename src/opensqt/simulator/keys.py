"""API keys that may sign in: each account has one from the start; keys are added and revoked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from opensqt.simulator.settings import AccountSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key of an account."""

    key: str
    secret: str = field(repr=False)
    passphrase: str = field(repr=False)
    account: str
    """The account that it signs in to, named by the account's first key."""
    may_trade: bool = True
    may_withdraw: bool = False


class Keyring(Mapping[str, ApiKey]):
    """The keys that are valid now.

    Args:
        accounts: Each with its first key.
    """

    def __init__(self, accounts: tuple[AccountSettings, ...]) -> None:
        self._accounts = frozenset(account.key for account in accounts)
        self._keys = {
            account.key: ApiKey(
                key=account.key,
                secret=account.secret,
                passphrase=account.passphrase,
                account=account.key,
                may_trade=account.may_trade,
                may_withdraw=account.may_withdraw,
            )
            for account in accounts
        }
        self.on_revoked: Callable[[str], None] = lambda _key: None
        """Called with each key that is revoked, to close the connections that are signed in with it."""

    def __getitem__(self, key: str) -> ApiKey:
        return self._keys[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: ApiKey) -> None:
        """Add a key to an account.

        Raises:
            ValueError: There is no such account, or the key is in use.
        """
        if key.account not in self._accounts:
            raise ValueError(f"account {key.account!r}: expected one of {', '.join(sorted(self._accounts))}")
        if key.key in self._keys:
            raise ValueError(f"key {key.key!r}: in use already")
        self._keys[key.key] = key

    def revoke(self, key: str) -> None:
        """Revoke a key; connections that are signed in with it are closed.

        Raises:
            ValueError: There is no such key.
        """
        if self._keys.pop(key, None) is None:
            raise ValueError(f"key {key!r}: unknown")
        self.on_revoked(key)
