"""Orders at most once: the journal, whose order is whose, and the leases that guard them."""
