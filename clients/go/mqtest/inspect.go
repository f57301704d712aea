package mqtest

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	mq "redis-mq/clients/go"
)

// Peek is as that of [mq.Client].
func (f *Fake) Peek(_ context.Context, name string, options *mq.PeekOptions) ([]*mq.Message, error) {
	if options == nil {
		options = &mq.PeekOptions{}
	}
	count := cmp.Or(options.Count, 10)
	if count < 1 || count > 1000 {
		return nil, invalid("COUNT must be an integer from 1 to 1000")
	}
	messages := []*mq.Message{}
	err := f.on(name, func(q *queue) error {
		state := cmp.Or(options.State, mq.StateReady)
		if state == mq.StateDead {
			q, state = f.queue(q.settings.DeadLetter), mq.StateReady
		}
		found := q.in(state)
		if state == mq.StateReady {
			found = q.grouped()
		}
		found = found[min(options.Offset, len(found)):]
		for _, e := range found[:min(count, len(found))] {
			messages = append(messages, e.show(q.name))
		}
		return nil
	})
	return messages, err
}

// Get is as that of [mq.Client].
func (f *Fake) Get(_ context.Context, name, id string) (message *mq.Message, err error) {
	err = f.on(name, func(q *queue) error {
		message, err = q.get(id)
		return err
	})
	return message, err
}

// GetByDedup is as that of [mq.Client].
func (f *Fake) GetByDedup(_ context.Context, name, key string) (message *mq.Message, err error) {
	if err := checkText("DEDUP", key); err != nil {
		return nil, err
	}
	err = f.on(name, func(q *queue) error {
		message, err = q.get(q.keys[key].id)
		return err
	})
	return message, err
}

func (q *queue) get(id string) (*mq.Message, error) {
	e := q.entries[id]
	if e == nil {
		return nil, mq.ErrNotFound
	}
	return e.show(q.name), nil
}

// Len is as that of [mq.Client].
func (f *Fake) Len(_ context.Context, name string, state mq.State) (count int, err error) {
	err = f.on(name, func(q *queue) error {
		if state == mq.StateDead {
			q, state = f.queue(q.settings.DeadLetter), mq.StateAny
		}
		count = len(q.in(state))
		return nil
	})
	return count, err
}

// Info is as that of [mq.Client].
func (f *Fake) Info(_ context.Context, name string) (info *mq.Info, err error) {
	err = f.on(name, func(q *queue) error {
		all := q.counters
		all.Settings, all.Exists, all.DedupKeys = q.settings, q.exists(), len(q.keys)
		all.BlockedClients = f.waiting[q.name]
		all.Paused, all.PausedUntil = q.isPaused, q.pausedUntil
		all.DeadLetterWaiting = len(f.queue(q.settings.DeadLetter).in(mq.StateReady))
		all.Ready, all.InFlight, all.Delayed = len(q.in(mq.StateReady)), len(q.in(mq.StateInFlight)), len(q.in(mq.StateDelayed))
		all.RateWindowStart, all.RateWindowCount = q.windowStart, q.windowCount
		all.Priorities = map[int]int{}
		groups := map[string]bool{}
		for _, e := range q.entries {
			all.HighestRetryCount = max(all.HighestRetryCount, e.shown.RetryCount)
			if e.group() != "" {
				groups[e.group()] = true
			}
			if e.state == mq.StateReady {
				all.Priorities[e.priority()]++
			}
		}
		all.Groups = len(groups)
		info = &all
		return nil
	})
	return info, err
}

// Queues is as that of [mq.Client].
func (f *Fake) Queues(_ context.Context, match string) ([]string, error) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.sweep()
	pattern, err := glob(cmp.Or(match, "*"))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(f.names(), func(name string) bool { return !pattern.MatchString(name) }), nil
}

// Stats is as that of [mq.Client].
func (f *Fake) Stats(ctx context.Context, match string) ([]*mq.Stats, error) {
	names, err := f.Queues(ctx, match)
	all := []*mq.Stats{}
	for _, name := range names {
		info, err := f.Info(ctx, name)
		if err != nil {
			return nil, err
		}
		all = append(all, &mq.Stats{Queue: name, Info: *info})
	}
	return all, err
}

// glob returns a pattern as that of KEYS as a regular expression.
func glob(match string) (*regexp.Regexp, error) {
	pattern := regexp.QuoteMeta(match)
	pattern = strings.NewReplacer(`\*`, ".*", `\?`, ".", `\[`, "[", `\]`, "]", `\^`, "^", `\\\`, `\`).Replace(pattern)
	compiled, err := regexp.Compile("(?s)^" + pattern + "$")
	if err != nil {
		return nil, invalid("%v", err)
	}
	return compiled, nil
}

// Delete is as that of [mq.Client].
func (f *Fake) Delete(_ context.Context, name string, ids ...string) (count int, err error) {
	err = f.on(name, func(q *queue) error {
		count = q.delete(ids)
		return nil
	})
	return count, err
}

// DeleteByDedup is as that of [mq.Client].
func (f *Fake) DeleteByDedup(_ context.Context, name, key string) (wasThere bool, err error) {
	if err := checkText("DEDUP", key); err != nil {
		return false, err
	}
	err = f.on(name, func(q *queue) error {
		wasThere = q.delete([]string{q.keys[key].id}) == 1
		return nil
	})
	return wasThere, err
}

func (q *queue) delete(ids []string) (count int) {
	for _, id := range ids {
		if e := q.entries[id]; e != nil {
			q.remove(e)
			count++
		}
	}
	q.counters.Deleted += count
	return count
}

// RescheduleIn is as that of [mq.Client].
func (f *Fake) RescheduleIn(ctx context.Context, name, id string, delay time.Duration) (bool, error) {
	delay = max(0, delay)
	if err := checkLength("DELAY", delay, 0); err != nil {
		return false, err
	}
	return f.RescheduleAt(ctx, name, id, f.Now().Add(delay))
}

// RescheduleAt is as that of [mq.Client].
func (f *Fake) RescheduleAt(_ context.Context, name, id string, at time.Time) (isThere bool, err error) {
	err = f.on(name, func(q *queue) error {
		e := q.entries[id]
		if isThere = e != nil && e.state == mq.StateDelayed; !isThere {
			return nil
		}
		if at.After(f.now) {
			e.delay(at)
		} else {
			e.becomeReady(q.behind(e))
		}
		return nil
	})
	return isThere, err
}
