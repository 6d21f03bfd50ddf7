"""nchan: a module of nginx, in C, that keeps messages in memory."""

from pathlib import Path

from bench.compare.event import events
from bench.compare.peer import Beginning, Peer, Purpose, Resume, request

CONFIG = """
load_module {module};
daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
pid nginx.pid;
error_log stderr error;
events {{ worker_connections {files}; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    client_body_buffer_size 1m;
    nchan_shared_memory_size 4096M;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /pub {{
            nchan_publisher; nchan_channel_id bench; nchan_message_buffer_length 10000; nchan_message_timeout 1h;
        }}
        location = /keep {{
            nchan_publisher; nchan_channel_id bench; nchan_message_buffer_length 20000000; nchan_message_timeout 1h;
        }}
        location = /latest {{
            nchan_subscriber eventsource; nchan_channel_id bench; nchan_subscriber_first_message newest;
        }}
        location = /earliest {{
            nchan_subscriber eventsource; nchan_channel_id bench; nchan_subscriber_first_message oldest;
        }}
    }}
}}
"""


class Nchan(Peer):
    name = "nchan"
    about = "nginx with nchan, one worker, in memory; one event a publish; replays no second of more than 32,767"
    durable = False
    batched = False
    history = 20_000  # it numbers the messages of a second in 16 bits, and finds none of them again once they overflow

    def missing(self) -> str | None:
        if self.tools.find("nginx") is None:
            return "nginx (Debian: nginx-core)"
        if self.tools.module("ngx_nchan_module.so") is None:
            return "nginx's module nchan (Debian: libnginx-mod-nchan)"
        return None

    def command(self, folder: Path) -> list[str]:
        config = CONFIG.format(module=self.tools.module("ngx_nchan_module.so"), port=self.port, files=19_000)
        (folder / "nginx.conf").write_text(config)
        (folder / "logs").mkdir(exist_ok=True)
        return [str(self.tools.find("nginx")), "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]

    def posts(self, batch: int, purpose: Purpose = "live") -> list[bytes]:
        (event,) = events(1)
        return [request("POST", "/keep" if purpose == "keep" else "/pub", {"Content-Type": "application/json"}, event)]

    def streams(self, beginning: Beginning) -> dict[str, bytes]:
        return {"server-sent events": request("GET", f"/{beginning}", {"Accept": "text/event-stream"})}

    def resume(self) -> Resume:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": "@RESUME@"}
        return Resume(request("GET", "/latest", headers), "id: ", 1)
