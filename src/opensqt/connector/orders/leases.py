"""Who holds a lease, how long it still lasts, and what its end means. No I/O and no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from opensqt.connector.orders.elapsed import check_ttl
from opensqt.connector.orders.journal import LeaseRecord
from opensqt.model.errors import LeaseExpired

_CANCELED_SOON_S = 1.0


@dataclass(slots=True)
class _LeaseState:
    ttl_ms: int
    """0 once it was given up; it then stands only for what is to be known of one that ended."""
    left_s: float
    number: int
    """Which lease of the client it is, by the time at which it was taken: a later one has a higher number."""
    ended_number: int = 0
    """The newest lease of the client that ran out; 0 when none did. Kept for good, for its client may have heard of
    its end in no response yet."""
    ended: bool = False
    """It ran out and was not renewed since."""
    canceling: bool = False
    """It ran out, and the client's orders are not proven gone yet."""


class Leases:
    """The clients' leases. One counts as ended when the time that passed since its last renewal is its ttl."""

    def __init__(self) -> None:
        self._leases: dict[str, _LeaseState] = {}

    @property
    def held(self) -> int:
        """How many are held."""
        return sum(lease.ttl_ms > 0 and not lease.ended for lease in self._leases.values())

    @property
    def guarded(self) -> frozenset[str]:
        """The clients whose orders must not outlive them: each holds a lease, or one ended and they are canceled."""
        return frozenset(client for client, lease in self._leases.items() if _guards(lease))

    def guards(self, client: str) -> bool:
        """Return whether a client is one of the `guarded`."""
        lease = self._leases.get(client)
        return lease is not None and _guards(lease)

    @property
    def canceling(self) -> list[str]:
        """The clients whose orders are being canceled because their lease ended."""
        return [client for client, lease in self._leases.items() if lease.canceling]

    def restore(self, records: Iterable[LeaseRecord]) -> None:
        """Take over an earlier run's leases; each that is held lasts its whole ttl anew.

        Its client may have been cut off by the very end of that run.
        """
        for one in records:
            self._leases[one.client] = _LeaseState(
                one.ttl_ms, one.ttl_ms / 1000, one.number, one.ended_number, one.ended, one.canceling
            )

    def record(self, client: str) -> LeaseRecord | None:
        """Return what the journal has to hold of a client's lease, None when nothing."""
        lease = self._leases.get(client)
        if lease is None:
            return None
        return LeaseRecord(
            client=client,
            ttl_ms=lease.ttl_ms,
            ended=lease.ended,
            canceling=lease.canceling,
            number=lease.number,
            ended_number=lease.ended_number,
        )

    def left_s(self, client: str) -> float | None:
        """Return how long a client's lease still lasts; None when it holds none."""
        lease = self._leases.get(client)
        return None if lease is None or lease.ended or not lease.ttl_ms else lease.left_s

    def number(self, client: str) -> int:
        """Return which lease of a client is the newest; 0 when nothing is known of any."""
        lease = self._leases.get(client)
        return 0 if lease is None else lease.number

    def renew(self, client: str, ttl_ms: int, *, number: int, now_ms: int) -> bool:
        """Take, renew or give up a client's lease.

        Args:
            client: Whose.
            ttl_ms: How long it lasts from now; 0 gives it up.
            number: The lease that the client was last answered; 0 when it holds none or knows no numbers.
            now_ms: UTC epoch milliseconds.

        Returns:
            Whether one had ended before: that of the number or a later one, however often it is asked; without a
            number, the newest, and once.

        Raises:
            InvalidRequest: The ttl is out of its bounds.
        """
        check_ttl(ttl_ms, zero="to give the lease up")
        known = self._leases.get(client)
        if known is None:
            if ttl_ms:
                self._leases[client] = _LeaseState(ttl_ms, ttl_ms / 1000, now_ms)
            return False
        lapsed = number <= known.ended_number if number else known.ended
        if known.ended or not known.ttl_ms or not known.number:
            # Taken anew. The clock may have been set back since the last one was taken.
            known.number = max(now_ms, known.number + 1)
        known.ttl_ms, known.left_s, known.ended = ttl_ms, ttl_ms / 1000, False
        self._forget_if_done(client)
        return lapsed

    def pass_time(self, seconds: float) -> list[str]:
        """Let time pass, and return the clients whose lease ends by it."""
        ended: list[str] = []
        for client, lease in self._leases.items():
            if lease.ended or not lease.ttl_ms:
                continue
            lease.left_s -= seconds
            if lease.left_s <= 0:
                lease.ended = lease.canceling = True
                lease.ended_number = lease.number
                ended.append(client)
        return ended

    def canceled(self, client: str) -> None:
        """Take in the proof that none of the orders is left for which a client's lease ended."""
        self._leases[client].canceling = False
        self._forget_if_done(client)

    def refusal(self, client: str) -> LeaseExpired | None:
        """Say why a client may place no order now; None when it may."""
        lease = self._leases.get(client)
        if lease is None:
            return None
        if lease.ended:
            return LeaseExpired(f"client {client}: its lease ended; send a heartbeat before new orders")
        if lease.canceling:
            text = f"client {client}: its lease had ended, and its orders of before are still being canceled"
            return LeaseExpired(text, retry_after_s=_CANCELED_SOON_S)
        return None

    def _forget_if_done(self, client: str) -> None:
        lease = self._leases[client]
        if not (lease.ttl_ms or lease.canceling or lease.ended_number):
            del self._leases[client]


def _guards(lease: _LeaseState) -> bool:
    return lease.canceling or (lease.ttl_ms > 0 and not lease.ended)
