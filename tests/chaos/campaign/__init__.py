"""A long campaign against the market maker: a market, faults, kills of maker and connector, and the ledger's word."""
