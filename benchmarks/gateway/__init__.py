"""What the connector costs its clients, each figure beside its floor in the same run."""
