"""Which events a reader wants, told from what was extracted when they came: no JSON is parsed again."""

from dataclasses import dataclass, fields
from typing import Final

from router.records import Event


@dataclass(frozen=True, slots=True)
class Filter:
    """Every field is a set of which one member must match; None matches everything.

    kinds: canonical kinds. names: the vendor's kind or event name. flags: keys; an event of several flags matches by
    any. contexts: `kind:key`, likewise. dialects: of the post.
    """

    kinds: frozenset[str] | None = None
    names: frozenset[str] | None = None
    flags: frozenset[str] | None = None
    contexts: frozenset[str] | None = None
    dialects: frozenset[str] | None = None

    @property
    def everything(self) -> bool:
        """Whether it lets every event through."""
        return all(getattr(self, item.name) is None for item in fields(self))

    def wants(self, dialect: str, event: Event) -> bool:
        """Whether an event of an entry of that dialect is wanted."""
        return (
            (self.kinds is None or event.kind in self.kinds)
            and (self.names is None or event.name in self.names)
            and (self.flags is None or not self.flags.isdisjoint(event.flags))
            and (self.contexts is None or not self.contexts.isdisjoint(event.contexts))
            and (self.dialects is None or dialect in self.dialects)
        )


EVERYTHING: Final = Filter()
