"""The life of the grid's orders: slots, events, ids, reconciliation, back-off."""
