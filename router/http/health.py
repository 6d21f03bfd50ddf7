"""Health: live fails slow, ready fails fast and says why, and the actor tree for who has to find out."""

from dataclasses import asdict

import msgspec
import structlog
import trio
from quart import Quart, Response

from router import __version__
from router.actors.health import as_json
from router.http import problems
from router.http.services import Services

RESTART_TIMEOUT = 30.0  # seconds; an actor has its stop budget to end and then as long as its start takes
MOST_STREAMS = 500  # that are listed; more are counted only

_log = structlog.get_logger(__name__)


class Health:
    """The endpoints below `/health`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def attach(self, app: Quart) -> None:
        app.add_url_rule("/health/live", "live", self.live, methods=["GET"])
        app.add_url_rule("/health/ready", "ready", self.ready, methods=["GET"])
        app.add_url_rule("/health", "health", self.health, methods=["GET"])
        app.add_url_rule("/health/streams", "streams", self.streams, methods=["GET"])
        app.add_url_rule("/health/actors", "actors", self.actors, methods=["GET"])
        app.add_url_rule("/health/actors/<path:name>", "actor", self.actor, methods=["GET"])
        app.add_url_rule("/health/actors/<path:name>/restart", "restart", self.restart, methods=["POST"])

    async def live(self) -> Response:
        """200 whenever it can be answered at all: that the loop turns is the whole claim."""
        return _json({"status": "live"})

    async def ready(self) -> Response:
        """200 when events can be made durable now, else 503 with the reasons."""
        reasons = self._services.readiness()
        if reasons:
            return _json({"status": "not ready", "reasons": reasons}, 503)
        return _json({"status": "ready"})

    async def health(self) -> Response:
        services = self._services
        reasons = services.readiness()
        environments = [
            {
                "environment": str(name),
                "state": services.registry.find(str(name)).state.value,
                "head": (statistics := environment.statistics()).head,
                "low": statistics.low,
                "epoch": statistics.epoch,
                "fault": environment.fault,
                "forwards": [asdict(forwarding.statistics()) for forwarding in environment.forwardings],
                "indexed": statistics.indexed,
            }
            for name, environment in services.environments.items()
        ]
        environments += [
            {"environment": str(name), "state": services.registry.find(str(name)).state.value, "fault": reason}
            for name, reason in services.damaged.items()
        ]
        body = {
            "live": True,
            "ready": not reasons,
            "reasons": reasons,
            "version": __version__,
            "uptime": (services.clock.now() - services.started) // 1000,
            "environments": environments,
        }
        return _json(body, 503 if reasons else 200)

    async def streams(self) -> Response:
        """Streams that are open, the oldest first, and how many there are in all."""
        audience = self._services.audience
        items = [
            {
                "number": seat.number,
                "environment": str(seat.environment),
                "consumer": seat.consumer,
                "since": seat.since,
                "lag": seat.subscription.lag,
                "delivered": seat.subscription.delivered,
                "gaps": seat.subscription.gaps,
            }
            for seat in audience.seats(MOST_STREAMS)
        ]
        return _json({"open": len(audience), "items": items})

    async def actors(self) -> Response:
        return _json(as_json(self._services.registry.snapshot()))

    async def actor(self, name: str) -> Response:
        try:
            found = self._services.registry.find(name)
        except KeyError:
            return problems.problem(404, f"no actor is named {name!r}: GET /health/actors lists them")
        return _json(as_json(found, detail=True))

    async def restart(self, name: str) -> Response:
        """Start an actor anew, above all an environment that is parked; answers when it runs, with its health."""
        registry = self._services.registry
        try:
            with trio.fail_after(RESTART_TIMEOUT):
                await registry.restart(name)
        except KeyError:
            return problems.problem(404, f"no actor is named {name!r}: GET /health/actors lists them")
        except ValueError as error:
            return problems.problem(400, str(error))
        except trio.TooSlowError:
            message = f"{name} has not started within {RESTART_TIMEOUT:g} s: GET /health/actors/{name} tells how it is"
            return problems.problem(503, message, retry_after=5)
        except Exception as error:  # noqa: BLE001 - whatever an actor fails with at its start is the answer
            _log.warning("a restart that was asked for failed", actor=name, error=str(error))
            return problems.problem(503, f"{name} could not be started: {type(error).__name__}: {error}", retry_after=5)
        _log.info("restarted, as it was asked for", actor=name)
        return _json(as_json(registry.find(name), detail=True))


def _json(body: object, status: int = 200) -> Response:
    response = Response(msgspec.json.encode(body), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
