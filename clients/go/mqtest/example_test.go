package mqtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	mq "redis-mq/clients/go"
	"redis-mq/clients/go/mqtest"
)

func Example() {
	ctx := context.Background()
	handle := func(_ context.Context, message *mq.Message) error {
		if message.RetryCount == 0 {
			return errors.New("no stock")
		}
		fmt.Println("done:", string(message.Payload))
		return nil
	}

	fake := mqtest.New()
	if _, err := fake.Push(ctx, "orders", []byte("order 1"), nil); err != nil {
		panic(err)
	}
	worker := mq.NewWorker(fake, []string{"orders"}, handle, &mq.WorkerOptions{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	for range 2 {
		if err := worker.RunUntilEmpty(ctx, 0); err != nil {
			panic(err)
		}
		waiting, _ := fake.Len(ctx, "orders", mq.StateDelayed)
		fmt.Println("waiting for a retry:", waiting)
		fake.Advance(time.Second) // the backoff
	}
	// Output:
	// waiting for a retry: 1
	// done: order 1
	// waiting for a retry: 0
}
