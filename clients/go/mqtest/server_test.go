package mqtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	mq "redis-mq/clients/go"
	"redis-mq/clients/go/internal/testserver"
	"redis-mq/clients/go/mqtest"
)

// both runs the same calls on the fake and on a server. Ids and receipts differ, so messages are known by their payloads.
type both struct {
	sides [2]mq.Commands
	held  [2]map[string]*mq.Message // the last delivery of each payload
	known []string                  // payloads that were delivered
	count int
	// queues are two, and the dead-letter queue of the first.
	queues [3]string
	seed   *rand.Rand
}

const seeds = 10

// TestTheFakeDoesWhatTheServerDoes makes random calls and compares all that they return.
func TestTheFakeDoesWhatTheServerDoes(t *testing.T) {
	ctx := context.Background()
	connection := redis.NewClient(&redis.Options{Addr: testserver.Start(t)})
	defer connection.Close()
	for seed := range uint64(seeds) {
		b := &both{sides: [2]mq.Commands{mqtest.New(), mq.New(connection)}, seed: rand.New(rand.NewPCG(seed, 0))}
		b.queues = [3]string{fmt.Sprint("orders", seed), fmt.Sprint("mails", seed), fmt.Sprintf("{orders%d}:dead", seed)}
		for i := range b.held {
			b.held[i] = map[string]*mq.Message{}
		}
		settings := mq.Changes{"maxretries": b.seed.IntN(4), "maxlen": 20, "backoff": 0, "groupinflight": 1 + b.seed.IntN(2), "maxinflight": b.seed.IntN(6)}
		for _, side := range b.sides {
			for _, queue := range b.queues {
				if err := side.Configure(ctx, queue, mq.Changes{"backoff": 0}); err != nil {
					t.Fatal(err)
				}
			}
		}
		var calls []string
		for range 120 {
			call, results := b.step(ctx, settings)
			calls = append(calls, fmt.Sprintf("%s: %s", call, results[1]))
			if results[0] != results[1] {
				t.Fatalf("seed %d, after\n%s\nthe fake returned\n%s", seed, join(calls), results[0])
			}
		}
	}
}

// TestMessagesReturnToTheirOriginalPosition also after a retry had put them behind others.
func TestMessagesReturnToTheirOriginalPosition(t *testing.T) {
	ctx := context.Background()
	connection := redis.NewClient(&redis.Options{Addr: testserver.Start(t)})
	defer connection.Close()
	for name, side := range map[string]mq.Commands{"fake": mqtest.New(), "server": mq.New(connection)} {
		returned := func(queue string, count int, options *mq.NackOptions) (payloads string) {
			messages, err := side.PullMany(ctx, queue, count, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range messages {
				if err := side.Nack(ctx, m, options); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Millisecond) // the server orders what dies in the same millisecond by id
			}
			shown, err := side.Peek(ctx, queue, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range shown {
				payloads += string(m.Payload)
			}
			return payloads
		}
		front := &mq.NackOptions{NoCount: true, Front: true}
		if _, err := side.PushMany(ctx, "orders", [][]byte{[]byte("a"), []byte("b"), []byte("c")}, nil); err != nil {
			t.Fatal(err)
		}
		got := []string{
			returned("orders", 1, &mq.NackOptions{NoCount: true}), returned("orders", 3, front),
			returned("orders", 1, &mq.NackOptions{NoCount: true}), returned("orders", 3, &mq.NackOptions{Dead: true}),
			returned("{orders}:dead", 1, &mq.NackOptions{NoCount: true}), returned("{orders}:dead", 3, front),
		}
		if expected := []string{"bca", "abc", "bca", "", "cab", "bca"}; !slices.Equal(got, expected) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestARedriveTakesTheOldestDeathFirst wherever it waits, and messages that never died last.
func TestARedriveTakesTheOldestDeathFirst(t *testing.T) {
	ctx := context.Background()
	connection := redis.NewClient(&redis.Options{Addr: testserver.Start(t)})
	defer connection.Close()
	for name, side := range map[string]mq.Commands{"fake": mqtest.New(), "server": mq.New(connection)} {
		nack := func(queue string, options *mq.NackOptions) {
			m, err := side.Pull(ctx, queue, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := side.Nack(ctx, m, options); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Millisecond) // the server orders what dies in the same millisecond by id
		}
		push := func(queue, payload string) {
			if _, err := side.Push(ctx, queue, []byte(payload), nil); err != nil {
				t.Fatal(err)
			}
		}
		push("orders", "old")
		push("orders", "young")
		nack("orders", &mq.NackOptions{Dead: true})
		push("{orders}:dead", "living")
		nack("orders", &mq.NackOptions{Dead: true})
		nack("{orders}:dead", &mq.NackOptions{NoCount: true}) // the old one goes behind
		var got []string
		for range 3 {
			if count, err := side.Redrive(ctx, "{orders}:dead", &mq.RedriveOptions{Count: 1, To: "mails"}); err != nil || count != 1 {
				t.Fatalf("%s: %d were redriven, %v", name, count, err)
			}
			m, err := side.Pull(ctx, "mails", nil)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(m.Payload))
		}
		if expected := []string{"old", "young", "living"}; !slices.Equal(got, expected) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func join(calls []string) (text string) {
	for _, call := range calls[max(0, len(calls)-60):] {
		text += "  " + call + "\n"
	}
	return text
}

// step makes a call on both sides, and returns what they returned as text.
func (b *both) step(ctx context.Context, settings mq.Changes) (call string, results [2]string) {
	kind, queue, number := b.seed.IntN(18), b.queues[b.seed.IntN(2)], b.seed.IntN(4)
	payload := b.anyPayload()
	var options mq.PushOptions
	switch b.seed.IntN(6) {
	case 0:
		options.Priority = 1 + number
	case 1:
		options.Group = fmt.Sprint("g", number%2)
	case 2:
		options.Delay, options.TTL, options.TTLDead = time.Hour, 2*time.Hour, number%2 == 0
	case 3:
		options.Dedup, options.UntilDone = fmt.Sprint("k", number), number%2 == 0
	}
	for i, side := range b.sides {
		switch kind {
		case 0, 1, 2, 3:
			call = fmt.Sprintf("push %s m%d %+v", queue, b.count, options)
			_, err := side.Push(ctx, queue, []byte(fmt.Sprint("m", b.count)), &options)
			results[i] = text(nil, err)
		case 4, 5, 6:
			from := b.queues[b.count%3]
			call = fmt.Sprintf("pull %s %d", from, 1+number)
			messages, err := side.PullMany(ctx, from, 1+number, &mq.PullOptions{Consumer: fmt.Sprint("c", number%2)})
			for _, m := range messages {
				b.held[i][string(m.Payload)] = m
				b.known = append(b.known, string(m.Payload))
			}
			results[i] = text(messages, err)
		case 7, 8:
			call, results[i] = b.settle(i, payload, "ack", func(m *mq.Message) error { return side.Ack(ctx, m) })
		case 9:
			nack := &mq.NackOptions{Delay: mq.None, Reason: fmt.Sprint("r", number)}
			call, results[i] = b.settle(i, payload, "nack", func(m *mq.Message) error { return side.Nack(ctx, m, nack) })
		case 10:
			nack := []*mq.NackOptions{{NoCount: true, Front: b.count%2 == 0}, {Dead: true}, {Delay: time.Hour}, nil}[number]
			call, results[i] = b.settle(i, payload, fmt.Sprintf("nack %+v", nack), func(m *mq.Message) error { return side.Nack(ctx, m, nack) })
		case 11:
			call, results[i] = b.settle(i, payload, "reschedule", func(m *mq.Message) error {
				isThere, err := side.RescheduleIn(ctx, m.Queue, m.ID, 0)
				return errors.Join(err, fmt.Errorf("there: %v", isThere))
			})
		case 12:
			call = fmt.Sprintf("redrive %d", number)
			count, err := side.Redrive(ctx, b.queues[2], &mq.RedriveOptions{Count: 1 + number, To: b.queues[0]})
			results[i] = text(nil, errors.Join(err, fmt.Errorf("%d", count)))
		case 13:
			call = "configure " + queue
			results[i] = text(nil, side.Configure(ctx, queue, settings))
		case 14:
			state := []mq.State{mq.StateReady, mq.StateInFlight, mq.StateDelayed, mq.StateReady}[number]
			if number == 3 {
				queue = b.queues[2] // as StateDead, which Redis 6 refuses
			}
			call = fmt.Sprintf("info and peek %s %s", queue, state)
			info, err := side.Info(ctx, queue)
			if err != nil {
				results[i] = text(nil, err)
				continue
			}
			messages, err := side.Peek(ctx, queue, &mq.PeekOptions{State: state, Count: 100})
			if state == mq.StateInFlight || state == mq.StateDelayed { // their order depends on milliseconds
				slices.SortFunc(messages, func(a, b *mq.Message) int { return bytes.Compare(a.Payload, b.Payload) })
			}
			results[i] = text(messages, err) + fmt.Sprint(info.Ready, info.InFlight, info.Delayed, info.DeadLetterWaiting, info.Groups, info.DedupKeys,
				info.HighestRetryCount, info.Pushed, info.Pulled, info.Acked, info.Nacked, info.Dead, info.BadReceipts, info.Deduplicated,
				info.Redriven, info.RefusedFull, info.Deleted, info.MaxRetries, info.DeadLetter)
		case 15:
			call = fmt.Sprintf("purge %s %d", queue, number)
			count, err := side.Purge(ctx, queue, []mq.State{mq.StateReady, mq.StateDelayed, mq.StateDelayed, mq.StateInFlight}[number])
			results[i] = text(nil, errors.Join(err, fmt.Errorf("%d", count)))
		case 16:
			call = fmt.Sprintf("extend consumer %s c%d", queue, number)
			count, err := side.ExtendConsumer(ctx, queue, fmt.Sprint("c", number), time.Hour)
			results[i] = text(nil, errors.Join(err, fmt.Errorf("%d", count)))
		case 17:
			key := fmt.Sprint("k", number)
			call = fmt.Sprintf("get and delete %s %s", queue, key)
			shown := []*mq.Message{}
			if m, err := side.GetByDedup(ctx, queue, key); err == nil {
				shown = append(shown, m)
			}
			wasThere, err := side.DeleteByDedup(ctx, queue, key)
			results[i] = text(shown, err) + fmt.Sprint(wasThere)
		}
	}
	if kind >= 9 {
		time.Sleep(2 * time.Millisecond) // the server orders what is pushed in the same millisecond before what is given back
	}
	b.count++
	return call, results
}

// anyPayload returns a payload that was delivered, rather one of late.
func (b *both) anyPayload() string {
	late := b.known[max(0, len(b.known)-1-b.seed.IntN(12)):]
	if len(late) == 0 {
		return ""
	}
	return late[0]
}

func (b *both) settle(side int, payload, name string, send func(*mq.Message) error) (call, result string) {
	m := b.held[side][payload]
	if m == nil {
		return name, "never delivered"
	}
	return name + " " + payload, text(nil, send(m))
}

func text(messages []*mq.Message, err error) string {
	var all string
	for _, kind := range []error{mq.ErrNotFound, mq.ErrInvalidReceipt, mq.ErrQueueFull, mq.ErrInvalidArgument} {
		if errors.Is(err, kind) {
			err = kind
		}
	}
	for _, m := range messages {
		all += fmt.Sprintf("[%s %s retry %d, deliveries %d, %q, %s %s %d, priority %d, group %q, %s]",
			m.Queue, m.Payload, m.RetryCount, m.Deliveries, m.LastError, m.DeadFrom, m.DeadReason, m.DeadRetries, m.Priority, m.Group, m.State)
	}
	return fmt.Sprintf("%s %v ", all, err)
}
