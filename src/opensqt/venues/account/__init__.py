"""The account's state: private stream, orders, fills, positions, acknowledgements."""
