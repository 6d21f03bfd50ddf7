"""Bodies that inflate to much more than they are."""

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def zstd_bomb(size: int) -> bytes:
    """zstd data that inflates to `size` spaces."""
    return zstd.compress(b" " * size)
