"""Posts an environment's log on to one target, and moves its durable cursor when the target has it.

It begins anew from the cursor after any crash, of its own or of the process, so an event may be sent twice and is never
left out; what makes the repeat harmless is the target's business (`outgoing_*`).
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from random import Random
from typing import Final

import structlog
import trio

from router.actors.actor import Context
from router.actors.restart import Backoff
from router.clocks import Clock
from router.errors import Busy, Interrupted
from router.pipeline.delivery import Answer, Outcome, Verdict
from router.pipeline.forwarding import Forwarding, State
from router.pipeline.outgoing import Post, Unsendable
from router.pipeline.selection import Selection, newest, select
from router.pipeline.transport import Send, Unreached
from router.ranges import Ranges, Span
from router.store.engine import NoSpace, Stalled
from router.store.quarantine import Item

_log = structlog.get_logger(__name__)

PROBE: Final = 300.0  # seconds between looks whether a parked target takes anything again
GRACE: Final = 5.0  # seconds that requests in flight have to end at a stop
ROW: Final = 10  # single events refused in a row, after which it is the target that is at fault, not the events
DELAYS: Final = Backoff(first=1.0, cap=60.0)
ZONE: Final = 3600.0  # seconds; a wait is told by name, and looked at again, at least this often

Connect = Callable[[int], AbstractAsyncContextManager[Send]]
SetAside = Callable[[Item], Awaitable[None]]


class Forwarder:
    """Actor without a mailbox: its work is the log.

    connect: makes connections, at most so many. set_aside: keeps an event that the target refuses, durably.
    """

    def __init__(
        self,
        forwarding: Forwarding,
        connect: Connect,
        set_aside: SetAside,
        clock: Clock,
        random: Random,
        *,
        delays: Backoff = DELAYS,
        probe: float = PROBE,
        grace: float = GRACE,
    ) -> None:
        self._forwarding = forwarding
        self._connect = connect
        self._set_aside = set_aside
        self._clock = clock
        self._random = random
        self._delays = delays
        self._probe = probe
        self._grace = grace
        self._taken = Ranges()
        self._claimed = 0
        self._sending = 0
        self._quiet = trio.Event()
        self._quiet.set()
        self._row = 0
        self._failures = 0
        self._not_before = 0.0
        self._held_at = 0.0
        self._unsendable = ""

    async def run(self, context: Context[None]) -> None:
        forwarding = self._forwarding
        forwarding.restore()
        forwarding.drop_lost(forwarding.done)
        self._taken = forwarding.done
        # A new cursor is durable before the first event: "from now on" must mean the same after a crash.
        self._save()
        context.started()
        async with self._connect(forwarding.outgoing.in_flight) as send, trio.open_nursery() as nursery:
            for _ in range(forwarding.outgoing.in_flight):
                nursery.start_soon(self._work, context, send)
            await context.stopping.wait()
            with trio.move_on_after(self._grace):
                await self._quiet.wait()
            nursery.cancel_scope.cancel("the forwarder was asked to stop")
        self._save()

    async def _work(self, context: Context[None], send: Send) -> None:
        while not context.stopping.is_set():
            await self._wait_for_more(context)
            await self._wait_for_leave(context)
            if (span := self._claim()) is None:
                await trio.lowlevel.checkpoint()
                continue
            self._claimed += 1
            try:
                await self._deliver(context, send, span)
            finally:
                self._claimed -= 1
            context.progress()

    async def _wait_for_more(self, context: Context[None]) -> None:
        """Until something durable is neither delivered nor on the way; for ever, once the router is stopping."""
        settled = self._forwarding.settled
        while next(self._taken.gaps(0, settled.end), None) is None:
            if not self._claimed:
                self._tell(State.IDLE)
            with context.waiting_on("more events", limit=ZONE):
                if not await settled.wait_beyond(settled.end):
                    await trio.sleep_forever()
            await trio.sleep(self._forwarding.outgoing.linger)

    async def _wait_for_leave(self, context: Context[None]) -> None:
        """Until the target, the caps and the time of day let a request go."""
        forwarding = self._forwarding
        while True:
            now = trio.current_time()
            closed = forwarding.pace.closed(self._clock.now())
            paced = forwarding.pace.wait(now)
            held = self._not_before - now
            if closed <= 0 and paced <= 0 and held <= 0:
                forwarding.pace.begin(now)
                return
            if held <= 0:
                self._tell(State.CLOSED if closed > 0 else State.PACED)
            delay = max(closed, paced, held)
            with context.waiting_on(f"{forwarding.state}: {forwarding.reason}".rstrip(": "), limit=ZONE):
                await trio.sleep(min(delay, ZONE / 2))

    def _claim(self) -> Span | None:
        """Offsets for one request, which no other worker will take."""
        forwarding = self._forwarding
        forwarding.drop_lost(self._taken)
        self._taken = Ranges.of((*self._taken.spans, *forwarding.done.spans))
        gaps = list(self._taken.gaps(0, forwarding.settled.end))
        if not gaps:
            return None
        span = gaps[0]
        if forwarding.filter.newest_first:
            span = newest(forwarding.log, gaps[-1], min(forwarding.outgoing.entries, 256))
        span = self._select(span).span
        self._taken = self._taken.with_span(*span)
        return span

    def _select(self, span: Span) -> Selection:
        forwarding = self._forwarding
        outgoing = forwarding.outgoing
        return select(forwarding.log, span, forwarding.wanted, entries=outgoing.entries, size=outgoing.size)

    async def _deliver(self, context: Context[None], send: Send, span: Span) -> None:
        """Until all of it is delivered, set aside or passed over: a claim is never given up.

        Read anew before each try: what waits for a target, for days perhaps, waits on the disk and not in memory.
        """
        rest = [span]
        while rest:
            await trio.lowlevel.checkpoint()
            span = rest.pop()
            if (low := self._forwarding.log.low) > span[0]:  # deleted while it waited for another try
                self._forwarding.lose(span[0], min(low, span[1]))
                if low < span[1]:
                    rest.append((low, span[1]))
                continue
            part = self._select(span)
            if part.span[1] < span[1]:
                rest.append((part.span[1], span[1]))
            if part.damaged:
                self._lose(part)
            if not part.slices:
                self._finish(part, skipped=not part.damaged)
                continue
            try:
                verdict = await self._try(send, part)
            except Unsendable as error:
                self._tell_unsendable(error.reason)
                self._forwarding.tally.unsendable += part.events
                self._finish(part)
                continue
            if verdict.outcome is Outcome.SPLIT:
                halves = part.halves()
                if halves is not None:
                    self._forwarding.tally.splits += 1
                    rest += [half.span for half in reversed(halves)]
                    continue
                self._row += 1
                if self._row >= ROW:
                    verdict = Verdict(Outcome.PARK, f"it refuses everything: {verdict.reason}")
                elif await self._refuse(part, verdict.reason):
                    continue
                else:
                    verdict = Verdict(Outcome.RETRY, f"it cannot be set aside now: {verdict.reason}")
            if verdict.outcome is Outcome.DELIVERED:
                self._row = self._failures = 0
                self._tell(State.DELIVERING)
                self._forwarding.tally.delivered += part.events
                self._forwarding.tally.delivered_at = self._clock.now()
                self._finish(part)
                continue
            rest.append(part.span)
            del part
            self._hold(verdict)
            if context.stopping.is_set():
                return
            await self._wait_for_leave(context)

    async def _try(self, send: Send, part: Selection) -> Verdict:
        forwarding, tally = self._forwarding, self._forwarding.tally
        post = forwarding.outgoing.build(part, self._clock.now())
        began = trio.current_time()
        forwarding.pace.sent(len(post.body), began)
        tally.requests += 1
        tally.bytes += len(post.body)
        if not self._failures:
            self._tell(State.DELIVERING)
        try:
            answer = await self._send(send, post)
        except Unreached as error:
            verdict = Verdict(Outcome.RETRY, str(error))
        else:
            verdict = forwarding.outgoing.judge(answer, self._clock.now())
        if verdict.outcome in (Outcome.RETRY, Outcome.PARK) and began >= self._held_at:
            self._failures += 1  # once for all requests that were in flight together
        return verdict

    async def _send(self, send: Send, post: Post) -> Answer:
        if not self._sending:
            self._quiet = trio.Event()
        self._sending += 1
        try:
            return await send(post)
        finally:
            self._sending -= 1
            if not self._sending:
                self._quiet.set()

    def _hold(self, verdict: Verdict) -> None:
        """Let nothing go for a while: what one request was told holds for its neighbours."""
        self._forwarding.tally.retries += 1
        self._held_at = trio.current_time()
        if verdict.outcome is Outcome.PARK:
            delay = self._probe * self._random.uniform(0.9, 1.1)
        else:
            own = self._delays.delay(self._failures, self._random)
            delay = own if verdict.after is None else verdict.after + min(own, 1.0)
        self._not_before = max(self._not_before, trio.current_time() + delay)
        self._tell(State.PARKED if verdict.outcome is Outcome.PARK else State.RETRYING, verdict.reason)

    async def _refuse(self, part: Selection, reason: str) -> bool:
        """Set a single event aside: only then is it dealt with. False where it could not be kept, on a full disk."""
        piece = part.slices[0]
        event = piece.events[0][1]
        entry = piece.entry
        text = f"{self._forwarding.name} refuses it: {reason}"
        try:
            await self._set_aside(Item(0, entry.dialect, entry.endpoint, text, event.raw, len(event.raw)))
        except (Busy, Interrupted, TimeoutError):
            return False
        self._forwarding.tally.set_aside += 1
        self._finish(part)
        return True

    def _finish(self, part: Selection, *, skipped: bool = False) -> None:
        forwarding = self._forwarding
        first, end = part.span
        forwarding.done = forwarding.done.with_span(first, end)
        if not part.damaged:
            forwarding.tally.skipped += end - first if skipped else end - first - part.events
        self._save()

    def _lose(self, part: Selection) -> None:
        first, end = part.span
        self._forwarding.tally.lost += end - first
        _log.error("events cannot be read", forward=self._forwarding.name, first=first, last=end - 1)

    def _save(self) -> None:
        # What is not written now the next move of the cursor writes too; until then a crash sends some again.
        with suppress(Stalled, NoSpace):
            self._forwarding.save(self._clock.now())

    def _tell_unsendable(self, reason: str) -> None:
        if reason != self._unsendable:  # once a reason: a whole backlog may be of one
            self._unsendable = reason
            _log.warning("events cannot be forwarded", forward=self._forwarding.name, reason=reason)

    def _tell(self, state: State, reason: str = "") -> None:
        forwarding = self._forwarding
        if state is not forwarding.state and state in (State.RETRYING, State.PARKED):
            _log.warning("forward", forward=forwarding.name, state=state.value, reason=reason)
        elif forwarding.state in (State.RETRYING, State.PARKED) and state is State.DELIVERING:
            _log.info("forward", forward=forwarding.name, state=state.value)
        forwarding.state = state
        forwarding.reason = reason
