package mq_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	mq "redis-mq/clients/go"
	"redis-mq/clients/go/internal/testserver"
)

func TestTheWorkerGoesOnAfterAFailoverBySentinel(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	master := testserver.Start(t)
	host, port, _ := net.SplitHostPort(master)
	replica := redis.NewClient(&redis.Options{Addr: testserver.Start(t, "--replicaof", host, port)})
	defer replica.Close()
	eventually(t, "the replica follows", func() bool {
		return strings.Contains(replica.Info(ctx, "replication").Val(), "master_link_status:up")
	})
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor orders %s %s 1\nsentinel down-after-milliseconds orders 300\nsentinel failover-timeout orders 3000\n", host, port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := testserver.StartSentinel(t, config)
	eventually(t, "the sentinel knows the replica", func() bool {
		client := redis.NewSentinelClient(&redis.Options{Addr: sentinel})
		defer client.Close()
		return len(client.Replicas(ctx, "orders").Val()) == 1
	})

	connection := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "orders", SentinelAddrs: []string{sentinel}})
	defer connection.Close()
	client := mq.New(connection)
	handled := make(chan string, 10)
	worker := mq.NewWorker(client, []string{"orders"}, func(_ context.Context, m *mq.Message) error {
		handled <- string(m.Payload)
		return nil
	}, &mq.WorkerOptions{IgnoreSignals: true})
	ended := make(chan error)
	go func() { ended <- worker.Run(ctx) }()
	publish(t, client, handled, "before")
	eventually(t, "it is acknowledged", func() bool {
		count, err := client.Len(ctx, "orders", mq.StateAny)
		return err == nil && count == 0
	})

	dying := redis.NewClient(&redis.Options{Addr: master, MaxRetries: -1})
	defer dying.Close()
	_ = dying.ShutdownNoSave(ctx) // the reply is a closed connection
	publish(t, client, handled, "after")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// publish pushes a message and waits until the worker has it.
func publish(t *testing.T, client *mq.Client, handled <-chan string, payload string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := mq.Publish(ctx, client, "orders", []byte(payload), nil); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-handled:
		if got != payload {
			t.Fatalf("%q came instead of %q", got, payload)
		}
	case <-ctx.Done():
		t.Fatal("it was not handled")
	}
}
