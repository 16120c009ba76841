"""One feed, many clients: which streams there are, who reads them, and updates encoded once."""
