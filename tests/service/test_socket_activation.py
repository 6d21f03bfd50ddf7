"""Restarts under load with a socket that is held by the service manager: connections wait, none is refused."""

import contextlib
import socket
import threading
import time
from pathlib import Path

from tests.crash.load import Poster, Reader, key_of
from tests.service.manager import Manager

RESTARTS = 3
POSTERS = 4


def test_no_post_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        port = listener.getsockname()[1]
        with contextlib.closing(Manager(tmp_path, listener=listener)) as manager:
            manager.start()
            assert manager.url == f"http://127.0.0.1:{port}"
            posters = [Poster(number, port) for number in range(POSTERS)]
            threads = [threading.Thread(target=poster.run, args=(stop,)) for poster in posters]
            reader = Reader(port)
            reader.start()
            for thread in threads:
                thread.start()
            for _ in range(RESTARTS):
                before = sum(len(poster.acknowledged) for poster in posters)
                end = time.monotonic() + 20
                while sum(len(poster.acknowledged) for poster in posters) < before + 50:
                    assert time.monotonic() < end, [poster.troubles[:3] for poster in posters]
                    time.sleep(0.01)
                assert manager.stop() == 0
                manager.start()
            stop.set()
            for thread in threads:
                thread.join(40)
            acknowledged = [key for poster in posters for key in poster.acknowledged]
            reader.stop(len(acknowledged))
    assert [poster.troubles for poster in posters] == [[] for _ in posters]
    assert reader.connections > RESTARTS, "the reader came back after each"
    assert sorted(map(key_of, (message for message in reader.messages if message.event == "message"))) == sorted(
        acknowledged
    )
