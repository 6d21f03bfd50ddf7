"""Floor 2: what vendors' SDKs speak. Bytes in, records and replies out; no I/O, no framework.

One module per vendor. A new vendor is one new file here, its tests, and its name in `registry`.
"""
