"""Eight clients of one connector through minutes of faults and kills; at the end each book is held to the ledger."""
