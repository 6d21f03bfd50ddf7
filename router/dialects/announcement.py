"""What a vendor's webhook says of one flag's change, before it is known which environments of ours that concerns."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from router.changes import Change, Member, change_id
from router.names import EnvironmentName


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One change of one flag.

    name: in the vendor's words, for the log. audit_id: tells this change from all others of its source, the same at a
    second delivery. environments: keys of those it was made in; empty for all of the project. project: empty where the
    vendor does not say, or not by key. everywhere: it may affect any environment. versions: of the flag since then, by
    environment key, where told. raw: its JSON as received.
    """

    flag: str
    type: str
    time: int
    description: str
    source: str
    name: str
    audit_id: str
    raw: bytes
    environments: tuple[str, ...] = ()
    project: str = ""
    everywhere: bool = False
    actions: tuple[str, ...] = ()
    member: Member | None = None
    versions: Mapping[str, int] = field(default_factory=dict)

    @property
    def identity(self) -> bytes:
        """What a second delivery has in common with the first, and with nothing else."""
        return "\0".join(("change", self.source, self.audit_id, self.flag)).encode()

    def concerns(self, name: EnvironmentName) -> bool:
        """Whether it was made in this environment, of the project that the webhook is of."""
        return self.project in ("", name.project) and (not self.environments or name.key in self.environments)

    def change(self, name: EnvironmentName) -> Change:
        """The change as the environment keeps it."""
        return Change(
            change_id(name, self.source, self.audit_id, self.flag),
            self.flag,
            self.type,
            self.time,
            self.description,
            self.source,
            self.everywhere,
            self.actions,
            self.audit_id,
            self.member,
            self.versions.get(name.key),
        )


def signed(secret: str, signed_bytes: bytes, signature: str) -> bool:
    """Whether `signature`, in hex of either case, is the HMAC-SHA256 of the bytes; in constant time."""
    try:
        shown = bytes.fromhex(signature.strip())
    except ValueError:
        return False
    return hmac.compare_digest(shown, hmac.digest(secret.encode(), signed_bytes, sha256))
