package queue_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"redis-mq/clients/go/internal/testserver"
	"redis-mq/clients/go/queue"
)

func newQueue(t *testing.T) queue.Queue {
	q, err := queue.NewRedisQueue(&queue.Config{RedisAddr: testserver.Start(t), DefaultVisibility: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

func TestAMessageIsPushedPulledAndAcknowledged(t *testing.T) {
	q, ctx := newQueue(t), context.Background()
	if err := q.PushMessage(ctx, "orders", []byte("Hello, World!")); err != nil {
		t.Fatal(err)
	}
	m, err := q.PullMessage(ctx, "orders", 0)
	if err != nil {
		t.Fatal(err)
	}
	if string(m.Payload) != "Hello, World!" || m.Queue != "orders" || m.RetryCount != 0 || time.Since(m.Timestamp).Abs() > 10*time.Second {
		t.Errorf("%+v", m)
	}
	if left := time.Until(m.VisibilityUntil); left < 50*time.Second || left > 70*time.Second {
		t.Errorf("the default visibility is a minute, not %v", left)
	}
	if err := q.Ack(ctx, m.ID, "0000000000000000"); !errors.Is(err, queue.ErrInvalidReceipt) {
		t.Errorf("a wrong receipt: %v", err)
	}
	if err := q.Ack(ctx, m.ID, m.Receipt); err != nil {
		t.Error(err)
	}
	if err := q.Ack(ctx, m.ID, m.Receipt); !errors.Is(err, queue.ErrMessageNotFound) {
		t.Errorf("acknowledged twice: %v", err)
	}
	if _, err := q.PullMessage(ctx, "orders", 0); !errors.Is(err, queue.ErrQueueEmpty) {
		t.Errorf("an empty queue: %v", err)
	}
}

func TestAckFindsTheQueueOfALateMessage(t *testing.T) {
	q, ctx := newQueue(t), context.Background()
	if err := q.PushMessage(ctx, "mails", nil); err != nil {
		t.Fatal(err)
	}
	m, err := q.PullMessage(ctx, "mails", 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if err := q.Ack(ctx, m.ID, m.Receipt); err != nil {
		t.Error("late:", err)
	}
}

func TestAnIDThatWasNeverPulledHereIsNotFound(t *testing.T) {
	q := newQueue(t)
	err := q.Ack(context.Background(), "01a2074d-d0e3-7207-9d96-f8bd257a1084", "0000000000000000")
	if !errors.Is(err, queue.ErrMessageNotFound) {
		t.Error(err)
	}
}

func TestNoServerIsAnError(t *testing.T) {
	if _, err := queue.NewRedisQueue(&queue.Config{RedisAddr: "127.0.0.1:1"}); err == nil {
		t.Error("there is no server")
	}
}
