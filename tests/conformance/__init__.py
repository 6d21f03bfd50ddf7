"""The stream, read by clients that others wrote."""
