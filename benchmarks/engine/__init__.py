"""What one decision of the market maker costs, with few levels and with many."""
