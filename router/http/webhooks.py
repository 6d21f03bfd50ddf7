"""`POST /webhooks/…`: flag changes in. A change is an event like any other: durable in the log before the answer."""

from collections.abc import Awaitable, Callable, Mapping
from types import ModuleType
from typing import Final

import msgspec
import structlog
from quart import Quart, Response, request

from router.changes import as_attributes
from router.config import Vendor
from router.dialects import generic_changes, launchdarkly_changes, statsig_changes
from router.dialects.announcement import Announcement
from router.errors import Busy, Interrupted
from router.http import problems
from router.http.guard import oversize
from router.http.services import Services
from router.names import EnvironmentName
from router.pipeline.counting import LONGEST_FLAG
from router.pipeline.ledger import Append
from router.records import Event, Kind, pack_body
from router.store.dedup import Identities, digest

ENDPOINT: Final = "webhook"
RETRY_AFTER: Final = 1  # seconds

_MODULES: Final[Mapping[Vendor, ModuleType]] = {
    Vendor.LAUNCHDARKLY: launchdarkly_changes,
    Vendor.STATSIG: statsig_changes,
    Vendor.GENERIC: generic_changes,
}
_log = structlog.get_logger(__name__)


class Webhooks:
    """Takes the deliveries of all vendors."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def attach(self, app: Quart) -> None:
        for vendor in Vendor:
            app.add_url_rule(f"/webhooks/{vendor}", f"webhook {vendor}", self._handler(vendor), methods=["POST"])

    def _handler(self, vendor: Vendor) -> Callable[[], Awaitable[Response]]:
        async def deliver() -> Response:
            return await self._deliver(vendor)

        return deliver

    async def _deliver(self, vendor: Vendor) -> Response:
        services = self._services
        body = await request.get_data(cache=False, as_text=False, parse_form_data=False)
        if oversize(request.scope):
            return problems.problem(400, f"the body has more than {services.max_body} bytes")
        if vendor is Vendor.STATSIG and (answer := statsig_changes.handshake(body)) is not None:
            return Response(answer, content_type="application/json")
        headers = {name.lower(): value for name, value in request.headers.items()}
        module = _MODULES[vendor]
        now = services.clock.now()
        projects = [
            webhook.project
            for webhook in services.config.webhooks
            if webhook.vendor is vendor and module.verify(headers, body, webhook.secret, now)
        ]
        if not projects:
            return problems.problem(401, f"the signature is of no webhook secret that is configured for {vendor}")
        try:
            announcements: list[Announcement] = module.read(services.redact(body), now)
        except ValueError as error:
            return problems.problem(400, str(error))
        try:
            stored = [await self._keep(projects[0], name, announcements) for name in services.environments]
        except Busy as error:
            return problems.problem(503, error.message, retry_after=error.retry_after)
        except (Interrupted, TimeoutError):
            message = "the change may not be stored: deliver it again"
            return problems.problem(503, message, retry_after=RETRY_AFTER)
        _log.info("webhook", vendor=vendor.value, changes=len(announcements), stored=sum(stored))
        return Response(msgspec.json.encode({"changes": sum(stored)}), content_type="application/json")

    async def _keep(self, project: str, name: EnvironmentName, announcements: list[Announcement]) -> int:
        """How many of the changes concern the environment; they are durable in its log."""
        services = self._services
        wanted = [
            item
            for item in announcements
            if name.project == project and item.concerns(name) and len(item.flag) <= LONGEST_FLAG
        ]
        if not wanted:
            return 0
        if reasons := services.readiness():
            raise Busy("; ".join(reasons), retry_after=RETRY_AFTER)
        events = [
            Event(Kind.CHANGE.value, item.time, item.name, (item.flag,), (), as_attributes(item.change(name)), item.raw)
            for item in wanted
        ]
        body = pack_body(wanted[0].source, ENDPOINT, {}, events)
        identities = Identities(None, tuple(digest(item.identity) for item in wanted))
        await services.environments[name].mailbox.ask(
            Append(body, len(events), identities), timeout=services.ask_timeout
        )
        return len(wanted)
