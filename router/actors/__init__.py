"""Floor 1: tasks that crash, are restarted and lose no message. Knows trio and `router.errors`, and nothing of events.

An `Actor` takes messages from its `Mailbox`, which outlives it; a `Supervisor` starts, watches, restarts and stops its
actors, and is one itself; a `Registry` reads the health of the whole tree without waiting for anyone.
"""
