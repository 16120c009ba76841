"""The core of the simulated venue: accounts, order book, matching, margin, settlement."""
