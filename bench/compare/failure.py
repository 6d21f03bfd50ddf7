"""What a candidate could not do."""


class Failure(Exception):
    """A candidate did not start, refused what it was sent, or did not deliver; the message says which."""
