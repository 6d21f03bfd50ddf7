"""Floor 2: what is on disk. Only `engine` knows RocksDB, only `threads` knows trio; nothing of HTTP or vendors."""
