// A Mercure hub as small as it can be: Bolt's log, no limit to its size, one publisher's key, anyone may read.
package main

import (
	"context"
	"log"
	"log/slog"
	"net/http"
	"os"

	"github.com/dunglas/mercure"
)

func main() {
	address, path, key := os.Args[1], os.Args[2], os.Args[3]
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	subscribers := mercure.NewSubscriberList(mercure.DefaultSubscriberListCacheSize)
	transport, err := mercure.NewBoltTransport(subscribers, logger, path, "", 0, 0)
	if err != nil {
		log.Fatal(err)
	}
	hub, err := mercure.NewHub(
		context.Background(),
		mercure.WithTransport(transport),
		mercure.WithLogger(logger),
		mercure.WithAnonymous(),
		mercure.WithPublisherJWT([]byte(key), "HS256"),
	)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(address, hub))
}
