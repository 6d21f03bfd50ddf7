"""`POST /backups`: a checkpoint of the running log for `router backup`, which copies it away and then deletes it."""

import msgspec
from quart import Quart, Response, request

from router.credentials import Scope
from router.errors import Rejected
from router.http import access, problems
from router.http.services import Services
from router.pipeline.checkpoints import Checkpoints
from router.store.engine import Damaged, NoSpace


class Backups:
    """The endpoints; scope `admin`, or a peer on this machine."""

    def __init__(self, services: Services, checkpoints: Checkpoints) -> None:
        self._services = services
        self._checkpoints = checkpoints

    def attach(self, app: Quart) -> None:
        app.add_url_rule("/backups", "make_backup", self.make, methods=["POST"])
        app.add_url_rule("/backups/<name>", "discard_backup", self.discard, methods=["DELETE"])

    async def make(self) -> Response:
        if refused := self._refusal():
            return refused
        try:
            name, path, size = await self._checkpoints.make()
        except (NoSpace, Damaged) as error:
            return problems.problem(503, f"no checkpoint could be made: {error}", retry_after=60)
        body = msgspec.json.encode({"id": name, "path": str(path.resolve()), "bytes": size})
        return Response(body, status=201, content_type="application/json")

    async def discard(self, name: str) -> Response:
        if refused := self._refusal():
            return refused
        if not await self._checkpoints.discard(name):
            return problems.problem(404, f"no backup {name!r} is held")
        return Response(b"", status=204)

    def _refusal(self) -> Response | None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if access.is_local(request.remote_addr, headers):
            return None
        try:
            access.require(self._services.keyring(), access.presented(headers, request.args), Scope.ADMIN)
        except Rejected as error:
            return problems.of_fault(error.fault, error.message)
        return None
