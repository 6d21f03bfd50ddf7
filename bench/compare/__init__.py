"""The router beside its peers, measured in one run: `python -m bench.compare`; see README.md here."""
