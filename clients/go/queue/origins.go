package queue

import (
	"sync"
	"time"
)

// A message can be acknowledged as long as no other delivery has begun, which may be long after its visibility.
const rememberedFor = 24 * time.Hour

// origins remembers the queues of messages that were pulled and not yet acknowledged.
type origins struct {
	lock    sync.Mutex
	entries map[string]origin
	sweepAt int // the number of entries at which the old ones are forgotten
}

type origin struct {
	queue string
	until time.Time
}

const firstSweep = 1024

func newOrigins() *origins {
	return &origins{entries: map[string]origin{}, sweepAt: firstSweep}
}

func (o *origins) remember(id, queue string, visibilityUntil time.Time) {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.entries[id] = origin{queue, visibilityUntil.Add(rememberedFor)}
	if len(o.entries) < o.sweepAt {
		return
	}
	now := time.Now()
	for id, one := range o.entries {
		if now.After(one.until) {
			delete(o.entries, id)
		}
	}
	o.sweepAt = max(firstSweep, 2*len(o.entries))
}

func (o *origins) of(id string) (string, bool) {
	o.lock.Lock()
	defer o.lock.Unlock()
	one, isKnown := o.entries[id]
	return one.queue, isKnown
}

func (o *origins) forget(id string) {
	o.lock.Lock()
	defer o.lock.Unlock()
	delete(o.entries, id)
}
