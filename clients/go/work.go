package mq

import (
	"context"
	"slices"
	"sync"
	"time"
)

// delivery is a message that the worker has.
type delivery struct {
	message *Message
	until   time.Time // the end of its visibility
	// What follows is set when a handler begins.
	ctx  context.Context
	lose context.CancelCauseFunc
	end  context.CancelFunc
}

// work is what a worker has in work and holds in advance.
type work struct {
	lock sync.Mutex
	// held has what the server holds for this worker, waiting those of it that no handler has begun, in the order in which they came.
	held    map[*delivery]struct{}
	waiting []*delivery
	idle    int // how many handlers can begin
}

func newWork(concurrency int) *work {
	return &work{held: map[*delivery]struct{}{}, idle: concurrency}
}

// add holds messages until begin takes them.
func (w *work) add(messages []*Message, until time.Time) {
	w.lock.Lock()
	defer w.lock.Unlock()
	for _, message := range messages {
		d := &delivery{message: message, until: until}
		w.held[d] = struct{}{}
		w.waiting = append(w.waiting, d)
	}
}

// begin returns the next delivery for a handler, or nil if none waits, or no handler is idle. It drops those whose visibility has ended, and
// returns how many.
func (w *work) begin(ctx context.Context, limit time.Duration) (next *delivery, dropped int) {
	w.lock.Lock()
	defer w.lock.Unlock()
	for w.idle > 0 && len(w.waiting) > 0 {
		d := w.waiting[0]
		w.waiting = w.waiting[1:]
		if time.Now().After(d.until) {
			delete(w.held, d)
			dropped++
			continue
		}
		w.idle--
		d.ctx, d.lose = context.WithCancelCause(ctx)
		if limit > 0 {
			d.ctx, d.end = context.WithTimeoutCause(d.ctx, limit, ErrMaxProcessing)
		}
		return d, dropped
	}
	return nil, dropped
}

// returned lets another handler begin, after one returned.
func (w *work) returned() {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.idle++
}

// remove ends a delivery that has begun, and reports whether it was still held.
func (w *work) remove(d *delivery) bool {
	w.lock.Lock()
	defer w.lock.Unlock()
	_, isHeld := w.held[d]
	delete(w.held, d)
	d.lose(nil)
	if d.end != nil {
		d.end()
	}
	return isHeld
}

func (w *work) extended(d *delivery, until time.Time) {
	w.lock.Lock()
	defer w.lock.Unlock()
	d.until = until
}

// lost ends the handler of a delivery that is held no more. It reports whether none had begun: then none will.
func (w *work) lost(d *delivery) (wasWaiting bool) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if _, isHeld := w.held[d]; !isHeld {
		return false
	}
	delete(w.held, d)
	if i := slices.Index(w.waiting, d); i >= 0 {
		w.waiting = slices.Delete(w.waiting, i, i+1)
		return true
	}
	d.lose(ErrMessageLost)
	return false
}

// unbegun returns what no handler has begun, and holds it no more.
func (w *work) unbegun() []*Message {
	w.lock.Lock()
	defer w.lock.Unlock()
	var messages []*Message
	for _, d := range w.waiting {
		messages = append(messages, d.message)
		delete(w.held, d)
	}
	w.waiting = nil
	return messages
}

// abandon returns all that is still held, and holds it no more.
func (w *work) abandon() []*Message {
	w.lock.Lock()
	defer w.lock.Unlock()
	var messages []*Message
	for d := range w.held {
		messages = append(messages, d.message)
	}
	clear(w.held)
	return messages
}

// toExtend returns what waits, and what is in work and within its limit, by queue.
func (w *work) toExtend() map[string][]*delivery {
	w.lock.Lock()
	defer w.lock.Unlock()
	batches := map[string][]*delivery{}
	for d := range w.held {
		if d.ctx == nil || context.Cause(d.ctx) != ErrMaxProcessing {
			batches[d.message.Queue] = append(batches[d.message.Queue], d)
		}
	}
	return batches
}

// keepHeld extends all that is held: at a third of the visibility or of the disconnect grace, because the waiting connection may end
// unnoticed, and at once when it is known to have ended.
func (r *run) keepHeld() {
	interval := r.options.Visibility / 3
	if grace := r.options.DisconnectGrace; grace > 0 {
		interval = grace / 3
	}
	for pause := interval; ; {
		select {
		case <-r.settling.Done():
			return
		case <-r.source.ended:
		case <-time.After(pause):
		}
		pause = interval
		for queue, batch := range r.work.toExtend() {
			if err := r.extend(batch); err != nil {
				r.log.Warn("extending messages failed and is retried", "queue", queue, "count", len(batch), "error", err)
				pause = interval / 4
			}
		}
	}
}

func (r *run) extend(batch []*delivery) error {
	messages := make([]*Message, len(batch))
	for i, d := range batch {
		messages[i] = d.message
	}
	until := time.Now().Add(r.options.Visibility)
	extensions, err := r.commands.ExtendMany(r.settling, messages, r.options.Visibility)
	for i, extension := range extensions {
		if extension.Err == nil {
			r.work.extended(batch[i], until)
		} else if r.work.lost(batch[i]) {
			r.addFree(1)
		}
	}
	return err
}
