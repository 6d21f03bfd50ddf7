"""Certificates for tests, each of a throw-away authority of its own."""

from pathlib import Path

import trustme


def write_pair(certificate: Path, key: Path, name: str = "localhost") -> trustme.CA:
    """Write a certificate chain and its key; returns the authority that a client must trust."""
    authority = trustme.CA()
    issued = authority.issue_cert(name, "127.0.0.1")
    issued.private_key_pem.write_to_path(key)
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    return authority
