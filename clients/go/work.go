package mq

import (
	"context"
	"sync"
	"time"
)

// delivery is a message in work.
type delivery struct {
	message *Message
	ctx     context.Context
	lose    context.CancelCauseFunc
	end     context.CancelFunc
}

// work is what a worker has in work and holds.
type work struct {
	lock sync.Mutex
	held map[*delivery]struct{}
}

func newWork() *work {
	return &work{held: map[*delivery]struct{}{}}
}

func (w *work) add(ctx context.Context, message *Message, limit time.Duration) *delivery {
	d := &delivery{message: message}
	d.ctx, d.lose = context.WithCancelCause(ctx)
	if limit > 0 {
		d.ctx, d.end = context.WithTimeoutCause(d.ctx, limit, ErrMaxProcessing)
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	w.held[d] = struct{}{}
	return d
}

// remove ends a delivery, and reports whether it was still held.
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

// lost ends the handler of a delivery that is held no more.
func (w *work) lost(d *delivery) {
	w.lock.Lock()
	defer w.lock.Unlock()
	delete(w.held, d)
	d.lose(ErrMessageLost)
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

// toExtend returns what is held and within its limit, by queue.
func (w *work) toExtend() map[string][]*delivery {
	w.lock.Lock()
	defer w.lock.Unlock()
	batches := map[string][]*delivery{}
	for d := range w.held {
		if context.Cause(d.ctx) != ErrMaxProcessing {
			batches[d.message.Queue] = append(batches[d.message.Queue], d)
		}
	}
	return batches
}

// keepHeld extends all that is in work: at a third of the visibility or of the disconnect grace, because the waiting connection may end
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
	extensions, err := r.commands.ExtendMany(r.settling, messages, r.options.Visibility)
	for i, extension := range extensions {
		if extension.Err != nil {
			r.work.lost(batch[i])
		}
	}
	return err
}
