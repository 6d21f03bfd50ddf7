"""The commands, as functions and as a user runs them."""
