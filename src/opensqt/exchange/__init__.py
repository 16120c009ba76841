"""The Exchange protocol and who implements it."""
