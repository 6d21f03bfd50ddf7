"""Two real routers: what is posted to the edge is at the hub, once, in order, byte for byte."""

from pathlib import Path

from tests.edge.routers import events, forwards, post_custom, running, to_router, until


def test_events_of_the_edge_are_at_the_hub_once_and_in_order(tmp_path: Path) -> None:
    with running(tmp_path, "hub") as hub, running(tmp_path, "edge", to_router(hub.url)) as edge:
        for batch in range(20):
            assert post_custom(edge.port, [f"{batch}/{n}" for n in range(5)])
        at_edge = events(edge.port, 100)
        at_hub = events(hub.port, 100)

        assert [message.data for message in at_hub] == [message.data for message in at_edge]
        until(lambda: forwards(edge.port)[f"router {hub.url}"]["state"] == "idle", "the forward is idle")
        forward = forwards(edge.port)[f"router {hub.url}"]
        assert (forward["lag"], forward["delivered"], forward["offset"]) == (0, 100, 100)
        assert "HTTP Request" not in edge.errors.read_text(), "no line for every request"


def test_a_hub_that_is_away_is_waited_for(tmp_path: Path) -> None:
    with running(tmp_path, "hub") as hub, running(tmp_path, "edge", to_router(hub.url)) as edge:
        assert post_custom(edge.port, ["before"])
        events(hub.port, 1)
        hub.kill()
        assert post_custom(edge.port, ["while away"])
        until(lambda: forwards(edge.port)[f"router {hub.url}"]["state"] == "retrying", "the forward says that it waits")
        edge.kill()
        edge.start()
        hub.start()
        assert ["before" in message.data for message in events(hub.port, 2)] == [True, False]
