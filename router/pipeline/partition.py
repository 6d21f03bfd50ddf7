"""One environment's door to the log: admits batches and passes them to the committer, which answers.

It holds what is of this environment alone, so that its trouble is not its neighbours'.
"""

import trio

from router.actors.actor import Context
from router.actors.mailbox import Mailbox
from router.pipeline.committer import Fragment
from router.pipeline.ledger import Append, Ledger

MAX_TURN = 256  # envelopes taken at once before other tasks have a turn


class Partition:
    """Actor. Takes `Append`s; hands each, and the duty to answer, to the committer."""

    def __init__(self, ledger: Ledger, committer: Mailbox[Fragment]) -> None:
        self._ledger = ledger
        self._committer = committer

    async def run(self, context: Context[Append]) -> None:
        context.started()
        while True:
            try:
                turn = await context.inbox.receive_many(MAX_TURN)
            except trio.EndOfChannel:
                return
            for envelope in turn:
                envelope.forward(self._committer, Fragment(self._ledger, envelope.message))
