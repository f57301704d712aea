package mq_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	mq "redis-mq/clients/go"
	"redis-mq/clients/go/mqtest"
)

var ctx = context.Background()

// work pushes a message, runs a worker on a fake until the queue is empty, and returns the fake.
func work(t *testing.T, handler mq.Handler, options mq.WorkerOptions) *mqtest.Fake {
	t.Helper()
	fake := mqtest.New()
	if _, err := fake.Push(ctx, "orders", []byte("a"), nil); err != nil {
		t.Fatal(err)
	}
	options.IgnoreSignals = true
	options.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	if err := mq.NewWorker(fake, []string{"orders"}, handler, &options).RunUntilEmpty(ctx, 0); err != nil {
		t.Fatal(err)
	}
	return fake
}

// left returns the only message in a queue.
func left(t *testing.T, fake *mqtest.Fake, queue string, state mq.State) *mq.Message {
	t.Helper()
	messages, err := fake.Peek(ctx, queue, &mq.PeekOptions{State: state})
	if err != nil || len(messages) != 1 {
		t.Fatalf("%d messages, %v", len(messages), err)
	}
	return messages[0]
}

func TestAHandlerThatReturnsIsDone(t *testing.T) {
	fake := work(t, func(context.Context, *mq.Message) error { return nil }, mq.WorkerOptions{})
	if info, _ := fake.Info(ctx, "orders"); info.Acked != 1 {
		t.Errorf("acked %d", info.Acked)
	}
}

func TestOutcomesOfFailures(t *testing.T) {
	for _, one := range []struct {
		name   string
		err    error
		retry  int
		after  time.Duration
		reason string
	}{
		{"an error", errors.New("no stock"), 1, time.Second, "no stock"},
		{"a retry", mq.Retry(time.Minute, "later"), 1, time.Minute, "later"},
		{"a wrapped retry", errors.Join(errors.New("why"), mq.Retry(time.Minute, "later")), 1, time.Minute, "later"},
	} {
		t.Run(one.name, func(t *testing.T) {
			fake := work(t, func(context.Context, *mq.Message) error { return one.err }, mq.WorkerOptions{})
			m := left(t, fake, "orders", mq.StateDelayed)
			if m.RetryCount != one.retry || m.DueAt.Sub(fake.Now()) != one.after || m.LastError != one.reason {
				t.Errorf("%+v", m)
			}
		})
	}
}

func TestADeadMessage(t *testing.T) {
	fake := work(t, func(context.Context, *mq.Message) error { return mq.Dead("no address") }, mq.WorkerOptions{})
	if m := left(t, fake, "{orders}:dead", mq.StateReady); m.DeadReason != "rejected" || m.LastError != "no address" {
		t.Errorf("%+v", m)
	}
}

func TestAReleasedMessageComesAgainUncounted(t *testing.T) {
	var retries []int
	work(t, func(_ context.Context, m *mq.Message) error {
		if retries = append(retries, m.RetryCount); len(retries) == 1 {
			return mq.Release()
		}
		return nil
	}, mq.WorkerOptions{Concurrency: 1})
	if len(retries) != 2 || retries[1] != 0 {
		t.Error(retries)
	}
}

func TestADeadLetterThatIsRejectedAgainIsAFailure(t *testing.T) {
	fake := work(t, func(context.Context, *mq.Message) error { return mq.Dead("no address") }, mq.WorkerOptions{})
	worker := mq.NewWorker(fake, []string{"{orders}:dead"}, func(context.Context, *mq.Message) error { return mq.Dead("still none") }, nil)
	if err := worker.RunUntilEmpty(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if m := left(t, fake, "{orders}:dead", mq.StateDelayed); m.LastError != "still none" {
		t.Errorf("%+v", m)
	}
}

func TestAPanicIsAFailure(t *testing.T) {
	fake := work(t, func(context.Context, *mq.Message) error { panic("oh") }, mq.WorkerOptions{})
	if m := left(t, fake, "orders", mq.StateDelayed); m.LastError != "panic: oh" {
		t.Error(m.LastError)
	}
}

func TestMiddlewareIsAroundTheHandlerInOrder(t *testing.T) {
	var words []string
	around := func(word string) mq.Middleware {
		return func(next mq.Handler) mq.Handler {
			return func(ctx context.Context, m *mq.Message) error {
				words = append(words, word)
				return next(ctx, m)
			}
		}
	}
	work(t, func(context.Context, *mq.Message) error {
		words = append(words, "handler")
		return nil
	}, mq.WorkerOptions{Middleware: []mq.Middleware{around("outer"), around("inner")}})
	if got := strings.Join(words, " "); got != "outer inner handler" {
		t.Error(got)
	}
}

func TestTooLongProcessingEndsTheContext(t *testing.T) {
	var cause error
	fake := work(t, func(ctx context.Context, _ *mq.Message) error {
		<-ctx.Done()
		cause = context.Cause(ctx)
		return ctx.Err()
	}, mq.WorkerOptions{MaxProcessing: 20 * time.Millisecond})
	if m := left(t, fake, "orders", mq.StateDelayed); cause != mq.ErrMaxProcessing || !strings.Contains(m.LastError, "too long") {
		t.Errorf("%v, %q", cause, m.LastError)
	}
}

func TestAShutdownReleasesWhatIsLeftToItsPlace(t *testing.T) {
	fake := mqtest.New()
	if _, err := fake.PushMany(ctx, "orders", [][]byte{[]byte("a"), []byte("b")}, nil); err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	var cause error
	var once sync.Once
	worker := mq.NewWorker(fake, []string{"orders"}, func(ctx context.Context, _ *mq.Message) error {
		once.Do(stop)
		<-ctx.Done()
		cause = context.Cause(ctx)
		return ctx.Err()
	}, &mq.WorkerOptions{Concurrency: 1, Grace: mq.None, IgnoreSignals: true})
	if err := worker.Run(running); err != nil {
		t.Fatal(err)
	}
	messages, err := fake.Peek(ctx, "orders", nil)
	if err != nil || len(messages) != 2 {
		t.Fatalf("%d messages, %v", len(messages), err)
	}
	if m := messages[0]; cause != mq.ErrShutdown || m.RetryCount != 0 || string(m.Payload) != "a" {
		t.Errorf("%v, %+v", cause, m)
	}
}

func TestAWorkerWithoutQueuesIsRefused(t *testing.T) {
	if err := mq.NewWorker(mqtest.New(), nil, nil, nil).Run(ctx); !errors.Is(err, mq.ErrInvalidArgument) {
		t.Error(err)
	}
}
