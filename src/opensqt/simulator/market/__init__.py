"""The market around the accounts: outside flow, generated or recorded."""
