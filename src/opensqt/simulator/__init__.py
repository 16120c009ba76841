"""A matching engine that speaks the venues' own wire protocols."""
