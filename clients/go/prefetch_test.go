package mq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	mq "redis-mq/clients/go"
	"redis-mq/clients/go/mqtest"
)

// prefetching runs a worker with one handler on a fake with so many messages, until stop.
func prefetching(t *testing.T, messages int, handler mq.Handler, options mq.WorkerOptions) (fake *mqtest.Fake, stop func()) {
	t.Helper()
	fake = mqtest.New()
	for i := range messages {
		if _, err := fake.Push(ctx, "orders", fmt.Append(nil, i), nil); err != nil {
			t.Fatal(err)
		}
	}
	options.Concurrency, options.IgnoreSignals = 1, true
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- mq.NewWorker(fake, []string{"orders"}, handler, &options).Run(running) }()
	return fake, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func count(t *testing.T, fake *mqtest.Fake, state mq.State) int {
	t.Helper()
	count, err := fake.Len(ctx, "orders", state)
	if err != nil {
		t.Fatal(err)
	}
	return count
}

func TestPrefetchedMessagesStartInOrder(t *testing.T) {
	started, proceed := make(chan string), make(chan struct{})
	fake, stop := prefetching(t, 6, func(_ context.Context, m *mq.Message) error {
		started <- string(m.Payload)
		<-proceed
		return nil
	}, mq.WorkerOptions{Prefetch: 3})
	var order []string
	for range 6 {
		order = append(order, <-started)
		if len(order) == 1 {
			eventually(t, "four are in flight", func() bool { return count(t, fake, mq.StateInFlight) == 4 })
		}
		proceed <- struct{}{}
	}
	stop()
	if !slices.Equal(order, []string{"0", "1", "2", "3", "4", "5"}) || count(t, fake, mq.StateAny) != 0 {
		t.Errorf("%v, %d left", order, count(t, fake, mq.StateAny))
	}
}

func TestAPrefetchedMessageThatIsLostNeverStarts(t *testing.T) {
	started, proceed := make(chan string, 3), make(chan struct{})
	fake, stop := prefetching(t, 3, func(_ context.Context, m *mq.Message) error {
		started <- string(m.Payload)
		<-proceed
		return nil
	}, mq.WorkerOptions{Prefetch: 2, Visibility: 300 * time.Millisecond})
	eventually(t, "three are in flight", func() bool { return count(t, fake, mq.StateInFlight) == 3 })
	held, err := fake.Peek(ctx, "orders", &mq.PeekOptions{State: mq.StateInFlight})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(held, func(m *mq.Message) bool { return string(m.Payload) == "1" })
	if _, err := fake.Delete(ctx, "orders", held[i].ID); err != nil {
		t.Fatal(err)
	}
	// There is room again once the loss is known.
	if _, err := fake.Push(ctx, "orders", []byte("3"), nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another one is held", func() bool { return count(t, fake, mq.StateInFlight) == 3 })
	close(proceed)
	eventually(t, "all are done", func() bool { return count(t, fake, mq.StateAny) == 0 })
	stop()
	close(started)
	var order []string
	for one := range started {
		order = append(order, one)
	}
	if !slices.Equal(order, []string{"0", "2", "3"}) {
		t.Error(order)
	}
}

func TestAShutdownReleasesPrefetchedMessagesAtOnce(t *testing.T) {
	proceed := make(chan struct{})
	fake, stop := prefetching(t, 3, func(context.Context, *mq.Message) error {
		<-proceed
		return nil
	}, mq.WorkerOptions{Prefetch: 2})
	eventually(t, "three are in flight", func() bool { return count(t, fake, mq.StateInFlight) == 3 })
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop()
	}()
	eventually(t, "two are released", func() bool { return count(t, fake, mq.StateReady) == 2 })
	if inFlight := count(t, fake, mq.StateInFlight); inFlight != 1 {
		t.Errorf("%d are in flight", inFlight)
	}
	close(proceed)
	<-stopped
	for _, payload := range []string{"1", "2"} {
		if m, err := fake.Pull(ctx, "orders", nil); err != nil || string(m.Payload) != payload || m.RetryCount != 0 {
			t.Errorf("%+v, %v", m, err)
		}
	}
}

func TestMaxProcessingDoesNotCountTheTimeInAdvance(t *testing.T) {
	var fine, late int
	done := make(chan struct{})
	fake, stop := prefetching(t, 2, func(ctx context.Context, m *mq.Message) error {
		if string(m.Payload) == "0" {
			<-ctx.Done()
			late++
			return ctx.Err()
		}
		if ctx.Err() == nil {
			fine++
		}
		close(done)
		return nil
	}, mq.WorkerOptions{Prefetch: 1, MaxProcessing: 50 * time.Millisecond})
	<-done
	stop()
	if fine != 1 || late != 1 || count(t, fake, mq.StateDelayed) != 1 {
		t.Errorf("%d, %d", fine, late)
	}
}

func TestTheLimitsOfPrefetch(t *testing.T) {
	for _, prefetch := range []int{-1, 5001} {
		worker := mq.NewWorker(mqtest.New(), []string{"orders"}, nil, &mq.WorkerOptions{Prefetch: prefetch})
		if err := worker.Run(ctx); !errors.Is(err, mq.ErrInvalidArgument) {
			t.Errorf("%d: %v", prefetch, err)
		}
	}
}
