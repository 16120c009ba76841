"""The market around the accounts: outside orders, generated or recorded."""
