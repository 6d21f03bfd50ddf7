"""What the commands do that are more than a line; `cli` gives them their options."""
