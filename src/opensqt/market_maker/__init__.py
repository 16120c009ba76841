"""The market maker: a grid of price levels traded through an `Exchange`, with its state in a database.

`strategy` says which orders are wanted, `orders` follows what becomes of them, and `engine` compares both and never
waits. `executor` sends what the engine decides, `store` keeps it, `service` connects them to an exchange, and `app`
builds all of it from the settings.
"""
