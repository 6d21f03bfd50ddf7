"""`POST /backups`: a checkpoint of the running log for `router backup`, which copies it away and then deletes it."""

import msgspec
from quart import Quart, Response

from router.http import problems
from router.pipeline.checkpoints import Checkpoints
from router.store.engine import Damaged, NoSpace


class Backups:
    """The endpoints."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints

    def attach(self, app: Quart) -> None:
        app.add_url_rule("/backups", "make_backup", self.make, methods=["POST"])
        app.add_url_rule("/backups/<name>", "discard_backup", self.discard, methods=["DELETE"])

    async def make(self) -> Response:
        try:
            name, path, size = await self._checkpoints.make()
        except (NoSpace, Damaged) as error:
            return problems.problem(503, f"no checkpoint could be made: {error}", retry_after=60)
        body = msgspec.json.encode({"id": name, "path": str(path.resolve()), "bytes": size})
        return Response(body, status=201, content_type="application/json")

    async def discard(self, name: str) -> Response:
        if not await self._checkpoints.discard(name):
            return problems.problem(404, f"no backup {name!r} is held")
        return Response(b"", status=204)
