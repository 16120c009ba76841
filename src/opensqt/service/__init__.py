"""What every program shares: how it starts, listens, runs until it is stopped, and ends."""
