package mqtest

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	mq "redis-mq/clients/go"
)

// Config is as that of [mq.Client].
func (f *Fake) Config(_ context.Context, name string) (settings *mq.Settings, err error) {
	err = f.on(name, func(q *queue) error {
		all := q.settings
		settings = &all
		return nil
	})
	return settings, err
}

// Configure is as that of [mq.Client].
func (f *Fake) Configure(_ context.Context, name string, changes mq.Changes) error {
	return f.on(name, func(q *queue) error {
		settings, err := changed(q.settings, q.name, changes)
		if err != nil {
			return err
		}
		if settings.Expires != q.settings.Expires {
			q.usedAt = f.now
		}
		q.settings, q.isConfigured = settings, settings != defaults(q.name)
		return nil
	})
}

// Pause is as that of [mq.Client].
func (f *Fake) Pause(_ context.Context, name string, length time.Duration) error {
	if err := checkLength("FOR", length, 0); err != nil {
		return err
	}
	return f.on(name, func(q *queue) error {
		q.isPaused, q.pausedUntil = true, time.Time{}
		if length > 0 {
			q.pausedUntil = f.now.Add(length)
		}
		return nil
	})
}

// Resume is as that of [mq.Client].
func (f *Fake) Resume(_ context.Context, name string) error {
	return f.on(name, func(q *queue) error {
		q.isPaused, q.pausedUntil = false, time.Time{}
		return nil
	})
}

// Purge is as that of [mq.Client].
func (f *Fake) Purge(_ context.Context, name string, state mq.State) (count int, err error) {
	if state != mq.StateAny && state != mq.StateReady && state != mq.StateDelayed {
		return 0, invalid("unknown option '%s' for MQ.PURGE", state)
	}
	err = f.on(name, func(q *queue) error {
		for _, e := range q.in(state) {
			q.remove(e)
			count++
		}
		q.counters.Deleted += count
		if state == mq.StateAny {
			clear(q.keys)
		}
		return nil
	})
	return count, err
}

// Drop is as that of [mq.Client].
func (f *Fake) Drop(_ context.Context, name string) (isThere bool, err error) {
	err = f.on(name, func(q *queue) error {
		isThere = q.exists()
		delete(f.queues, q.name)
		return nil
	})
	return isThere, err
}

// Redrive is as that of [mq.Client].
func (f *Fake) Redrive(_ context.Context, name string, options *mq.RedriveOptions) (count int, err error) {
	if options == nil {
		options = &mq.RedriveOptions{}
	}
	if options.To == name {
		return 0, invalid("a queue can't be redriven to itself")
	}
	if options.To != "" {
		if err := checkName(options.To); err != nil {
			return 0, err
		}
	}
	err = f.on(name, func(q *queue) error {
		limit := cmp.Or(options.Count, 1000)
		if options.All || len(options.IDs) > 0 {
			limit = len(q.entries)
		}
		for _, e := range q.oldestDeathFirst() {
			if count < limit && isRedriven(e, options) {
				q.redrive(e, cmp.Or(options.To, e.shown.DeadFrom))
				count++
			}
		}
		q.counters.Redriven += count
		return nil
	})
	return count, err
}

// oldestDeathFirst returns the ready messages in the order of a redrive, those that never died last.
func (q *queue) oldestDeathFirst() []*entry {
	death := func(e *entry) int64 {
		if e.isDead() {
			return e.died
		}
		return math.MaxInt64
	}
	found := q.inOrder(mq.StateReady)
	slices.SortStableFunc(found, func(a, b *entry) int { return cmp.Compare(death(a), death(b)) })
	return found
}

func isRedriven(e *entry, options *mq.RedriveOptions) bool {
	m := &e.shown
	switch {
	case len(options.IDs) > 0 && !slices.Contains(options.IDs, m.ID):
		return false
	case !e.isDead():
		return options.To != "" && options.From == "" && options.Reason == ""
	case options.From != "" && options.From != m.DeadFrom:
		return false
	}
	return options.Reason == "" || options.Reason == m.DeadReason || options.Reason == m.LastError
}

func (q *queue) redrive(e *entry, target string) {
	q.remove(e)
	m := &e.shown
	if e.isDead() {
		m.ExpiresAt = time.Time{}
	}
	m.DeadFrom, m.DeadAt, m.DeadReason, m.DeadRetries = "", time.Time{}, "", 0
	q.fake.queue(target).receive(e)
}
