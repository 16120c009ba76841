"""The simulated venue's core: accounts, order book, matching, margin, settlement."""
