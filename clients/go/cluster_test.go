package mq_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	mq "redis-mq/clients/go"
	"redis-mq/clients/go/internal/testserver"
)

// cluster returns a client of a cluster of one node.
func cluster(t *testing.T) *redis.ClusterClient {
	ctx := context.Background()
	address := testserver.Start(t, "--cluster-enabled", "yes")
	node := redis.NewClient(&redis.Options{Addr: address})
	defer node.Close()
	if err := node.ClusterAddSlotsRange(ctx, 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{address}})
	t.Cleanup(func() { client.Close() })
	for deadline := time.Now().Add(30 * time.Second); client.Set(ctx, "key", "", 0).Err() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the cluster has not come up")
		}
	}
	return client
}

func TestTheClientWorksOnACluster(t *testing.T) {
	client, ctx := mq.New(cluster(t)), context.Background()
	if _, err := client.Push(ctx, "orders", []byte("a"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Push(ctx, "mails", []byte("b"), nil); err != nil {
		t.Fatal(err)
	}
	if names, err := client.Queues(ctx, ""); err != nil || len(names) != 2 {
		t.Errorf("queues: %v, %v", names, err)
	}
	m, err := client.Pull(ctx, "orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Ack(ctx, m); err != nil {
		t.Error(err)
	}
	// Longer than the read timeout of go-redis, 3 seconds.
	if _, err := client.Pull(ctx, "orders", &mq.PullOptions{Block: 4 * time.Second}); !errors.Is(err, mq.ErrQueueEmpty) {
		t.Errorf("a long wait: %v", err)
	}
}

func TestTheWorkerWorksOnACluster(t *testing.T) {
	client, ctx := mq.New(cluster(t)), context.Background()
	if _, err := client.PushMany(ctx, "orders", [][]byte{[]byte("a"), []byte("b")}, nil); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(ctx)
	handled := 0
	worker := mq.NewWorker(client, []string{"orders"}, func(context.Context, *mq.Message) error {
		if handled++; handled == 2 {
			time.AfterFunc(200*time.Millisecond, stop) // it waits then
		}
		return nil
	}, &mq.WorkerOptions{Concurrency: 1, Block: time.Minute, IgnoreSignals: true})
	began := time.Now()
	if err := worker.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if time.Since(began) > 10*time.Second {
		t.Error("the stop did not end the waiting pull")
	}
	if count, err := client.Len(context.Background(), "orders", mq.StateAny); err != nil || count != 0 {
		t.Errorf("%d left, %v", count, err)
	}
}
