"""What the connector costs its clients, each result beside its floor in the same run."""
