"""The market maker: a grid of price levels traded through an `Exchange`, with its state in a database.

`engine` decides and never waits; `execution` talks to the exchange; `store` remembers; `service` ties them together.
"""
