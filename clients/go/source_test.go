package mq_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	mq "redis-mq/clients/go"
	"redis-mq/clients/go/internal/testserver"
)

func TestALostConnectionExtendsAtOnceWhatIsInWork(t *testing.T) {
	connection := redis.NewClient(&redis.Options{Addr: testserver.Start(t)})
	defer connection.Close()
	client := mq.New(connection)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	worker := mq.NewWorker(client, []string{"orders"}, func(ctx context.Context, _ *mq.Message) error {
		<-ctx.Done()
		return ctx.Err()
	}, &mq.WorkerOptions{Visibility: time.Hour, DisconnectGrace: 59 * time.Minute, Grace: mq.None, IgnoreSignals: true})
	if _, err := client.Push(ctx, "orders", []byte("a"), nil); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- worker.Run(ctx) }()
	eventually(t, "it has a message and waits for more", func() bool {
		info, err := client.Info(ctx, "orders")
		return err == nil && info.InFlight == 1 && info.BlockedClients == 1
	})
	for _, line := range strings.Split(connection.ClientList(ctx).Val(), "\n") {
		if strings.Contains(strings.ToLower(line), "cmd=mq.pull") {
			id := regexp.MustCompile(`^id=(\d+)`).FindStringSubmatch(line)[1]
			if err := connection.ClientKillByFilter(ctx, "ID", id).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "the message is extended", func() bool {
		return strings.Contains(strings.ToLower(connection.Info(ctx, "commandstats").Val()), "cmdstat_mq.extend")
	})
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
