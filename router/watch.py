"""What the daemon knows about itself while it runs: everything that is measured, and the actor that feels its pulse."""

from router import metrics
from router.actors.supervisor import Child
from router.http.guard import Guard
from router.http.ingest import Ingest
from router.http.server import Server
from router.http.services import Services
from router.pipeline.committer import Commits
from router.pulse import Pulse, PulseActor, status_line
from router.store.engine import Engine
from router.systemd import Notifier
from router.trimming import Trimming


class Watch:
    """Made once for a run; `GET /metrics` reads it from then on.

    commits: where every incarnation of the committer counts.
    """

    def __init__(
        self, services: Services, ingest: Ingest, guard: Guard, server: Server, engine: Engine, notifier: Notifier
    ) -> None:
        self.commits = Commits()
        self._services = services
        self._ingest = ingest
        self._notifier = notifier
        self._pulse = Pulse()
        self._trimming = Trimming(lambda: server.open, services.threads)
        measured = metrics.Metrics()
        for source in (
            metrics.of_process(lambda: services.started, services.readiness),
            metrics.of_posts(ingest.tally),
            metrics.of_committer(self.commits.statistics),
            metrics.of_engine(engine),
            metrics.of_environments(services.environments, engine),
            metrics.of_insights(services.environments),
            metrics.of_forwards(services.environments),
            metrics.of_streams(services.audience, services.environments),
            metrics.of_http(guard.statistics, server.statistics),
            metrics.of_actors(services.registry),
            metrics.of_pulse(self._pulse.statistics),
            metrics.of_trimming(self._trimming.statistics),
        ):
            measured.add(source)
        services.metrics = measured.text

    def child(self) -> Child:
        """The actor `notifier`, to be the last of the tree: it starts when all else runs."""
        registry = self._services.registry
        return Child("notifier", lambda: PulseActor(self._pulse, registry, self._notifier, self._line))

    def trimmer(self) -> Child:
        """The actor that gives memory back after a peak."""
        return Child("trimmer", lambda: self._trimming)

    def _line(self) -> str:
        services = self._services
        ingest = self._ingest.statistics()
        return status_line(len(services.environments), services.readiness(), ingest, services.audience)
