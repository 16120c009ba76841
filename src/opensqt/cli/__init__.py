"""What a person needs at a prompt."""
