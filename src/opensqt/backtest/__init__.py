"""The market maker on recorded or generated data, in one process and on a virtual clock."""
