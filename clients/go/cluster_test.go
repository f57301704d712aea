package mq_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	mq "redis-mq/clients/go"
	"redis-mq/clients/go/internal/testserver"
)

// node starts a server of a cluster.
func node(t *testing.T) *redis.Client {
	node := redis.NewClient(&redis.Options{Addr: testserver.Start(t, "--cluster-enabled", "yes")})
	t.Cleanup(func() { node.Close() })
	return node
}

// cluster returns a client of a cluster whose slots are all on its first node.
func cluster(t *testing.T, nodes ...*redis.Client) *redis.ClusterClient {
	ctx := context.Background()
	if err := nodes[0].ClusterAddSlotsRange(ctx, 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	for _, other := range nodes[1:] {
		host, port, _ := net.SplitHostPort(other.Options().Addr)
		if err := nodes[0].ClusterMeet(ctx, host, port).Err(); err != nil {
			t.Fatal(err)
		}
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{nodes[0].Options().Addr}})
	t.Cleanup(func() { client.Close() })
	eventually(t, "the cluster is up", func() bool { return client.Set(ctx, "key", "", 0).Err() == nil })
	return client
}

func TestTheClientWorksOnACluster(t *testing.T) {
	client, ctx := mq.New(cluster(t, node(t))), context.Background()
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

func TestTheSchedulesOfACluster(t *testing.T) {
	client, ctx := mq.New(cluster(t, node(t))), context.Background()
	if isNew, err := client.Schedule(ctx, "orders", "hourly", nil, &mq.ScheduleOptions{Every: time.Hour}); err != nil || !isNew {
		t.Fatalf("%v, %v", isNew, err)
	}
	id, err := client.Trigger(ctx, "orders", "hourly")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := client.Pull(ctx, "orders", nil); err != nil || m.ID != id {
		t.Errorf("%+v, not %s, %v", m, id, err)
	}
	found, err := client.Schedules(ctx, "orders", nil)
	if err != nil || len(found) != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	if ticks, err := client.NextTicks(ctx, "orders", "hourly", &mq.NextTicksOptions{Count: 1}); err != nil || !ticks[0].Equal(found[0].NextTick) {
		t.Errorf("%v, not %v, %v", ticks, found[0].NextTick, err)
	}
}

func TestTheWorkerWorksOnACluster(t *testing.T) {
	client, ctx := mq.New(cluster(t, node(t))), context.Background()
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

func TestTheWorkerFollowsItsQueueToAnotherNode(t *testing.T) {
	from, to := node(t), node(t)
	connection := cluster(t, from, to)
	client, ctx := mq.New(connection), context.Background()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	worker := mq.NewWorker(client, []string{"orders"}, func(context.Context, *mq.Message) error {
		stop()
		return nil
	}, &mq.WorkerOptions{Block: time.Minute, IgnoreSignals: true})
	ended := make(chan error)
	go func() { ended <- worker.Run(ctx) }()
	eventually(t, "the worker waits", func() bool {
		info, err := client.Info(ctx, "orders")
		return err == nil && info.BlockedClients == 1
	})

	// All of the cluster must know both nodes before the slot moves.
	eventually(t, "the nodes know each other", func() bool {
		return strings.Count(to.ClusterNodes(ctx).Val(), "connected") == 2 && strings.Contains(to.ClusterInfo(ctx).Val(), "cluster_state:ok")
	})
	slot := connection.ClusterKeySlot(ctx, "orders").Val()
	target := to.Do(ctx, "CLUSTER", "MYID").Val()
	for _, node := range []*redis.Client{to, from} {
		if err := node.Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", target).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := mq.Publish(ctx, client, "orders", []byte("a"), nil); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the worker does not get the message")
	}
}

func eventually(t *testing.T, what string, isSo func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !isSo(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never came: " + what)
		}
	}
}
