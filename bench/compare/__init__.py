"""The router beside its peers, measured in one run: `python -m bench.compare`. How to read it: `bench/compare/README.md`."""
