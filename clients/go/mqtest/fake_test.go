package mqtest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	mq "redis-mq/clients/go"
	"redis-mq/clients/go/mqtest"
)

func TestAQueueForWhichAPullWaitsIsUsed(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	fake := mqtest.New()
	if err := fake.Configure(ctx, "orders", mq.Changes{"expires": time.Minute}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := fake.Pull(ctx, "orders", &mq.PullOptions{Block: time.Hour})
		ended <- err
	}()
	for isWaiting := false; !isWaiting; time.Sleep(time.Millisecond) {
		info, err := fake.Info(ctx, "orders")
		if err != nil {
			t.Fatal(err)
		}
		isWaiting = info.BlockedClients == 1
	}
	fake.Advance(time.Hour)
	if names, err := fake.Queues(ctx, ""); err != nil || len(names) != 1 {
		t.Errorf("while it waits: %v, %v", names, err)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	fake.Advance(time.Minute)
	if names, err := fake.Queues(ctx, ""); err != nil || len(names) != 0 {
		t.Errorf("after the wait: %v, %v", names, err)
	}
}
