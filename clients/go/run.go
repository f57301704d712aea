package mq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// cancelWait is how long cancelled handlers have to return.
	cancelWait = time.Second
	// closeWait is how long a shutdown tries to send what is left.
	closeWait = 5 * time.Second
	// emptyBlock is the Block of pulls that wait for the queues to be empty.
	emptyBlock = 50 * time.Millisecond
)

// givenBack is how a message is returned that the worker, and not its handler, has given up: as if it had not been delivered.
var givenBack = &NackOptions{NoCount: true, Front: true}

// run is one run of a worker.
type run struct {
	*Worker
	log    *slog.Logger
	source *source
	work   *work
	acks   *acks
	// free has a token for each message that can be pulled: to start, or to be held in advance.
	free     chan struct{}
	handlers sync.WaitGroup
	// stopping ends when nothing more is pulled and begins.
	stopping context.Context
	// handling is the context of all handlers, settling that of what is sent after them.
	handling, settling context.Context
	cancelHandlers     context.CancelCauseFunc
	stopSettling       context.CancelFunc
}

func newRun(w *Worker, ctx, stopping context.Context, source *source) *run {
	r := &run{
		Worker: w, log: w.options.Logger, source: source, stopping: stopping, work: newWork(w.options.Concurrency),
		free: make(chan struct{}, w.options.Concurrency+w.options.Prefetch),
	}
	r.addFree(cap(r.free))
	ctx = context.WithoutCancel(ctx)
	r.handling, r.cancelHandlers = context.WithCancelCause(ctx)
	r.settling, r.stopSettling = context.WithCancel(ctx)
	r.acks = newAcks(w.options.AckDelay, r.acknowledge)
	go r.keepHeld()
	return r
}

// pullAll pulls and starts handlers until the worker stops, or there is nothing left to do.
func (r *run) pullAll(isDone func(context.Context) (bool, error)) error {
	for pause := newBackoff(); ; {
		count := r.waitForFree()
		if r.stopping.Err() != nil {
			r.addFree(count)
			return nil
		}
		pulled, err := r.pull(count)
		r.addFree(count - pulled)
		r.startHandlers()
		if err == nil && pulled == 0 && isDone != nil && len(r.free) == cap(r.free) {
			r.acks.flush()
			var done bool
			if done, err = isDone(r.stopping); done {
				return nil
			}
		}
		if err = r.afterPull(pause, err); err != nil {
			return err
		}
	}
}

// afterPull prepares the next pull, or returns an error that no repetition can help.
func (r *run) afterPull(pause *backoff, err error) error {
	switch {
	case err == nil:
		pause.reset()
	case r.stopping.Err() != nil:
	case errors.Is(err, ErrCorrupt):
		r.log.Error("a record can't be decoded and was set aside, the next pull continues", "queue", r.queues[0], "error", err)
	case isTemporary(err):
		r.log.Warn("the pull failed and is retried", "queue", r.queues[0], "error", err)
		r.source.reconnect(r.stopping)
		_ = pause.wait(r.stopping)
	default:
		return err
	}
	return nil
}

// waitForFree takes tokens: at least one, unless the worker stops.
func (r *run) waitForFree() (count int) {
	select {
	case <-r.stopping.Done():
		return 0
	case <-r.free:
	}
	for count = 1; ; count++ {
		select {
		case <-r.free:
		default:
			return count
		}
	}
}

func (r *run) addFree(count int) {
	for range count {
		r.free <- struct{}{}
	}
}

// pull sends what is to be acknowledged and takes messages, and returns how many.
func (r *run) pull(count int) (int, error) {
	var done []*Message
	if len(r.queues) == 1 {
		done = r.acks.take()
	} else {
		r.acks.flush() // MQ.MPULL can't acknowledge
	}
	acked, messages, err := r.source.pull(r.stopping, done, count)
	if err != nil {
		r.acks.restore(done)
		return 0, err
	}
	r.logLate(done, acked)
	r.work.add(messages, time.Now().Add(r.options.Visibility))
	return len(messages), nil
}

// startHandlers starts as many handlers as can begin. When one returns, what waits is next.
func (r *run) startHandlers() {
	for d := r.begin(); d != nil; d = r.begin() {
		r.handlers.Add(1)
		go r.handle(d)
	}
}

func (r *run) handle(d *delivery) {
	defer r.handlers.Done()
	for ; d != nil; d = r.begin() {
		r.process(d)
		r.work.returned()
		r.addFree(1)
	}
}

func (r *run) begin() *delivery {
	if r.stopping.Err() != nil {
		return nil
	}
	next, dropped := r.work.begin(r.handling, r.options.MaxProcessing)
	r.addFree(dropped)
	return next
}

func (r *run) process(d *delivery) {
	began := time.Now()
	err := r.call(d)
	cause := context.Cause(d.ctx)
	if isHeld := r.work.remove(d); !isHeld {
		r.logMessage(slog.LevelWarn, "the message was lost while it was processed", d.message, "cause", cause)
		return
	}
	if err == nil {
		r.logMessage(slog.LevelDebug, "done", d.message, "duration", time.Since(began))
		r.acks.add(d.message)
		return
	}
	options := nackFor(err)
	isFailure := *options == NackOptions{Reason: err.Error()}
	switch {
	case isFailure && cause == ErrShutdown:
		options = givenBack
	case isFailure && cause == ErrMaxProcessing:
		options.Reason = cause.Error() + ": " + options.Reason
	}
	r.logMessage(slog.LevelWarn, "failed", d.message, "error", err, "duration", time.Since(began))
	r.giveBack(d.message, options)
}

// call calls the handler.
func (r *run) call(d *delivery) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
			r.logMessage(slog.LevelError, "the handler panicked", d.message, "error", err, "stack", string(debug.Stack()))
		}
	}()
	return r.handler(d.ctx, d.message)
}

// giveBack nacks a message, for as long as it takes.
func (r *run) giveBack(message *Message, options *NackOptions) {
	err := r.untilAnswered(func() error { return r.commands.Nack(r.settling, message, options) })
	if options.Dead && errors.Is(err, ErrInvalidArgument) {
		// A dead letter can't die again.
		failure := &NackOptions{Reason: options.Reason}
		err = r.untilAnswered(func() error { return r.commands.Nack(r.settling, message, failure) })
	}
	if err != nil {
		r.logMessage(slog.LevelWarn, "the message could not be given back", message, "error", err)
	}
}

// release gives messages back that no handler has begun, or finished.
func (r *run) release(messages []*Message) {
	for _, batch := range byQueue(messages) {
		err := r.untilAnswered(func() error {
			_, err := r.commands.NackMany(r.settling, batch, givenBack)
			return err
		})
		if err != nil {
			r.log.Error("messages could not be released", "queue", batch[0].Queue, "count", len(batch), "error", err)
		}
	}
}

// acknowledge is what acks are sent with.
func (r *run) acknowledge(messages []*Message) {
	for _, batch := range byQueue(messages) {
		var acked []error
		err := r.untilAnswered(func() (err error) {
			acked, err = r.commands.AckMany(r.settling, batch)
			return err
		})
		if err != nil {
			r.log.Error("messages could not be acknowledged", "queue", batch[0].Queue, "count", len(batch), "error", err)
		}
		r.logLate(batch, acked)
	}
}

// logLate logs acknowledgments that came too late. ErrNotFound is done: the acknowledgment was repeated, or the message deleted.
func (r *run) logLate(messages []*Message, acked []error) {
	for i, err := range acked {
		if errors.Is(err, ErrInvalidReceipt) {
			r.logMessage(slog.LevelWarn, "the acknowledgment was too late, the message is delivered again", messages[i])
		}
	}
}

// untilAnswered repeats a command through lost connections and temporary refusals, until the worker closes.
func (r *run) untilAnswered(send func() error) error {
	for pause := newBackoff(); ; {
		err := send()
		if err == nil || !isTemporary(err) || pause.wait(r.settling) != nil {
			return err
		}
	}
}

// startGrace begins the shutdown: after the grace time handlers are cancelled.
func (r *run) startGrace() {
	time.AfterFunc(r.options.Grace, func() { r.cancelHandlers(ErrShutdown) })
}

// finish releases what no handler has begun, waits for the handlers, and sends what is left. Until then the waiting connection stays open: its
// end would return the messages.
func (r *run) finish() {
	defer r.source.close()
	defer r.stopSettling()
	released, returned := make(chan struct{}), make(chan struct{})
	go func() {
		r.release(r.work.unbegun())
		close(released)
	}()
	go func() {
		r.handlers.Wait()
		close(returned)
	}()
	select {
	case <-returned:
	case <-r.handling.Done():
		select {
		case <-returned:
		case <-time.After(cancelWait):
		}
	}
	time.AfterFunc(closeWait, r.stopSettling)
	<-released
	r.release(r.work.abandon())
	r.acks.close()
}

func (r *run) logMessage(level slog.Level, text string, message *Message, more ...any) {
	r.log.Log(r.settling, level, text, append([]any{"queue", message.Queue, "id", message.ID, "retry_count", message.RetryCount}, more...)...)
}

func byQueue(messages []*Message) map[string][]*Message {
	batches := map[string][]*Message{}
	for _, message := range messages {
		batches[message.Queue] = append(batches[message.Queue], message)
	}
	return batches
}
