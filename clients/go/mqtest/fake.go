// Package mqtest has a fake of the client for tests: it holds queues in memory, by the rules of the server, with a clock that the test
// advances. A [mq.Worker] runs on it too:
//
//	fake := mqtest.New()
//	fake.Push(ctx, "orders", []byte("order 1"), nil)
//	worker := mq.NewWorker(fake, []string{"orders"}, handle, nil)
//	worker.RunUntilEmpty(ctx, 0)
//	fake.Advance(time.Second) // what failed is ready again
//
// It does not simulate AGING, nor connections: ONDISCONNECT has no effect. It has no schedules, and its histograms are empty.
package mqtest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	mq "redis-mq/clients/go"
)

// Fake is a fake of [mq.Client]. It is safe for concurrent use.
type Fake struct {
	lock    sync.Mutex
	now     time.Time
	queues  map[string]*queue
	number  int64          // the last order, id and receipt
	changed chan struct{}  // closed with the next change
	waiting map[string]int // blocked pulls of each queue
}

var _ mq.Commands = (*Fake)(nil)

// New returns a fake without queues, whose clock shows the present time and stands still.
func New() *Fake {
	f := &Fake{changed: make(chan struct{}), waiting: map[string]int{}}
	f.Reset()
	return f
}

// Reset deletes everything and sets the clock to the present time.
func (f *Fake) Reset() {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.now = time.Now().Truncate(time.Millisecond)
	f.queues = map[string]*queue{}
	f.wake()
}

// Now is what the clock shows.
func (f *Fake) Now() time.Time {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.now
}

// Advance sets the clock forward. What becomes due is done at once: visibilities, delays and pauses end.
func (f *Fake) Advance(length time.Duration) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.now = f.now.Add(length)
	f.sweep()
	f.wake()
}

func (f *Fake) wake() {
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *Fake) next() int64 {
	f.number++
	return f.number
}

// on runs a command on a queue, creating it if there is none.
func (f *Fake) on(name string, command func(*queue) error) error {
	if err := checkName(name); err != nil {
		return err
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	f.sweep()
	defer f.wake()
	q := f.queue(name)
	defer q.schedule()
	return command(q)
}

func (f *Fake) queue(name string) *queue {
	q := f.queues[name]
	if q == nil {
		q = newQueue(f, name)
		f.queues[name] = q
	}
	return q
}

// sweep does all that is due.
func (f *Fake) sweep() {
	for _, name := range f.names() {
		q := f.queues[name]
		if f.waiting[name] > 0 {
			q.usedAt = f.now
		}
		if q.isUnused() {
			delete(f.queues, name)
			continue
		}
		q.sweep()
	}
}

func (f *Fake) names() []string {
	names := []string{}
	for name, q := range f.queues {
		if q.exists() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Push is as that of [mq.Client].
func (f *Fake) Push(_ context.Context, name string, payload []byte, options *mq.PushOptions) (id string, err error) {
	err = f.on(name, func(q *queue) error {
		ids, err := q.push([][]byte{payload}, options)
		if err == nil {
			id = ids[0]
		}
		return err
	})
	return id, err
}

// PushMany is as that of [mq.Client].
func (f *Fake) PushMany(_ context.Context, name string, payloads [][]byte, options *mq.PushOptions) (ids []string, err error) {
	if len(payloads) < 1 || len(payloads) > 10_000 {
		return nil, invalid("n must be an integer from 1 to 10000")
	}
	if options != nil && options.Dedup != "" {
		return nil, invalid("DEDUP is not an option of MQ.MPUSH")
	}
	err = f.on(name, func(q *queue) error {
		ids, err = q.push(payloads, options)
		return err
	})
	return ids, err
}

// Pull is as that of [mq.Client].
func (f *Fake) Pull(ctx context.Context, name string, options *mq.PullOptions) (*mq.Message, error) {
	_, message, err := f.AckPull(ctx, nil, name, options)
	return message, err
}

// PullMany is as that of [mq.Client].
func (f *Fake) PullMany(ctx context.Context, name string, count int, options *mq.PullOptions) ([]*mq.Message, error) {
	_, messages, err := f.AckPullMany(ctx, nil, name, count, options)
	return messages, err
}

// AckPull is as that of [mq.Client].
func (f *Fake) AckPull(ctx context.Context, done []*mq.Message, name string, options *mq.PullOptions) ([]error, *mq.Message, error) {
	acked, messages, err := f.AckPullMany(ctx, done, name, 1, options)
	if err == nil && len(messages) == 0 {
		err = mq.ErrQueueEmpty
	}
	if err != nil {
		return acked, nil, err
	}
	return acked, messages[0], nil
}

// AckPullMany is as that of [mq.Client], except that a Block waits by the real clock, and ends with the context.
func (f *Fake) AckPullMany(ctx context.Context, done []*mq.Message, name string, count int, options *mq.PullOptions) ([]error, []*mq.Message, error) {
	if options == nil {
		options = &mq.PullOptions{}
	}
	queues := append([]string{name}, options.Then...)
	if err := checkPull(queues, count, options); err != nil {
		return nil, nil, err
	}
	acked, err := f.AckMany(ctx, done)
	if err != nil {
		return nil, nil, err
	}
	if options.Block > 0 {
		f.wait(queues, 1)
		defer f.wait(queues, -1)
	}
	timeout := time.After(options.Block)
	for {
		messages, changed := f.take(queues, count, options)
		if len(messages) > 0 || options.Block == 0 {
			return acked, messages, nil
		}
		select {
		case <-ctx.Done():
			return acked, nil, ctx.Err()
		case <-timeout:
			return acked, messages, nil
		case <-changed:
		}
	}
}

// wait counts a pull that waits for queues, or does no more.
func (f *Fake) wait(queues []string, count int) {
	f.lock.Lock()
	defer f.lock.Unlock()
	for _, name := range queues {
		f.waiting[name] += count
	}
}

// take takes messages from the first queue that has some, and returns what tells of the next change.
func (f *Fake) take(queues []string, count int, options *mq.PullOptions) ([]*mq.Message, <-chan struct{}) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.sweep()
	for _, name := range queues {
		if messages := f.queue(name).pull(count, options); len(messages) > 0 {
			return messages, nil
		}
	}
	return []*mq.Message{}, f.changed
}

// Ack is as that of [mq.Client].
func (f *Fake) Ack(ctx context.Context, message *mq.Message) error {
	return only(f.AckMany(ctx, []*mq.Message{message}))
}

// AckMany is as that of [mq.Client].
func (f *Fake) AckMany(_ context.Context, messages []*mq.Message) ([]error, error) {
	return f.settle(messages, func(q *queue, m *mq.Message) error { return q.ack(m) })
}

// Nack is as that of [mq.Client].
func (f *Fake) Nack(ctx context.Context, message *mq.Message, options *mq.NackOptions) error {
	return only(f.NackMany(ctx, []*mq.Message{message}, options))
}

// NackMany is as that of [mq.Client].
func (f *Fake) NackMany(_ context.Context, messages []*mq.Message, options *mq.NackOptions) ([]error, error) {
	if options == nil {
		options = &mq.NackOptions{}
	}
	if err := checkNack(options); err != nil {
		return nil, err
	}
	if err := f.checkDead(messages, options); err != nil {
		return nil, err
	}
	return f.settle(messages, func(q *queue, m *mq.Message) error { return q.nack(m, options) })
}

// checkDead refuses a batch with a dead letter that is to die again.
func (f *Fake) checkDead(messages []*mq.Message, options *mq.NackOptions) error {
	f.lock.Lock()
	defer f.lock.Unlock()
	for _, m := range messages {
		if e := f.queue(m.Queue).entries[m.ID]; options.Dead && e != nil && e.isDead() && e.receipt == m.Receipt {
			return invalid("a dead letter can't be sent to the dead-letter queue")
		}
	}
	return nil
}

// Extend is as that of [mq.Client].
func (f *Fake) Extend(ctx context.Context, message *mq.Message, visibility time.Duration) (time.Time, error) {
	extensions, err := f.ExtendMany(ctx, []*mq.Message{message}, visibility)
	if err != nil {
		return time.Time{}, err
	}
	return extensions[0].Until, extensions[0].Err
}

// ExtendMany is as that of [mq.Client].
func (f *Fake) ExtendMany(_ context.Context, messages []*mq.Message, visibility time.Duration) ([]mq.Extension, error) {
	if err := checkLength("VISIBILITY", visibility, 0); err != nil {
		return nil, err
	}
	extensions := make([]mq.Extension, 0, len(messages))
	_, err := f.settle(messages, func(q *queue, m *mq.Message) error {
		until, err := q.extend(m, visibility)
		extensions = append(extensions, mq.Extension{Until: until, Err: err})
		return err
	})
	return extensions, err
}

// ExtendConsumer is as that of [mq.Client].
func (f *Fake) ExtendConsumer(_ context.Context, name, consumer string, visibility time.Duration) (count int, err error) {
	if err := cmp.Or(checkText("CONSUMER", consumer), checkLength("VISIBILITY", visibility, 0)); err != nil {
		return 0, err
	}
	err = f.on(name, func(q *queue) error {
		count = q.extendConsumer(consumer, visibility)
		return nil
	})
	return count, err
}

// settle runs a command for each message of a batch.
func (f *Fake) settle(messages []*mq.Message, command func(*queue, *mq.Message) error) ([]error, error) {
	if len(messages) == 0 {
		return nil, nil
	}
	name := messages[0].Queue
	if slices.ContainsFunc(messages, func(m *mq.Message) bool { return m.Queue != name }) {
		return nil, invalid("the messages of a batch are of one queue")
	}
	var outcomes []error
	err := f.on(name, func(q *queue) error {
		for _, message := range messages {
			outcomes = append(outcomes, command(q, message))
			q.schedule()
		}
		return nil
	})
	return outcomes, err
}

func only(outcomes []error, err error) error {
	if err != nil {
		return err
	}
	return outcomes[0]
}

func invalid(text string, values ...any) error {
	return fmt.Errorf("%w: "+text, append([]any{mq.ErrInvalidArgument}, values...)...)
}
