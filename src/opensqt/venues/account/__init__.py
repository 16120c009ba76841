"""The account at a venue: order entry, orders, fills, positions, the balance, and the account stream."""
