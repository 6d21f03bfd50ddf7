"""Benchmarks: each a command that prints its figures. Nothing here is asserted in tests."""
