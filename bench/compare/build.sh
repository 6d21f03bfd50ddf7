#!/bin/sh
# Gathers the peers of bench.compare in a directory, without touching the system: build.sh DIR
# What needs a tool that is not here (go, cargo, apt-get) is left out and named.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?usage: build.sh DIR}/bin" "$1/source"
to=$(cd "$1" && pwd)
left=""

if command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
    (
        cd "$to/source"
        apt-get download libnginx-mod-nchan redis-server redis-tools libjemalloc2 liblzf1
        for package in *.deb; do dpkg -x "$package" "$to"; done
    )
    command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || {
        (cd "$to/source" && apt-get download nginx nginx-core && for package in nginx*.deb; do dpkg -x "$package" "$to"; done)
    }
else
    left="$left nchan redis"
fi

if command -v go >/dev/null; then
    GOBIN="$to/bin" nice go install github.com/nats-io/nats-server/v2@v2.14.5
    mkdir -p "$to/source/mercure"
    cp "$here/peers/mercure.go" "$to/source/mercure/main.go"
    (
        cd "$to/source/mercure"
        [ -f go.mod ] || go mod init mercurebench
        go get github.com/dunglas/mercure@v0.24.2
        go mod tidy
        nice go build -o "$to/bin/mercure-bench" .
    )
else
    left="$left nats-server mercure"
fi

if command -v cargo >/dev/null; then
    nice cargo install durable-streams --version 0.1.5 --root "$to"
else
    left="$left durable-streams"
fi
[ -z "$left" ] || echo "left out for want of their tools:$left" >&2
