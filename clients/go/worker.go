package mq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Handler processes a message. If it returns nil, the message is acknowledged; after an error it is given back, with the error's text as
// LastError, and comes again after the queue's backoff. [Retry], [Release] and [Dead] are errors with other outcomes. A panic is a failure.
//
// The context ends when the message is no longer this worker's, the processing took too long, or the worker must stop: context.Cause is
// then [ErrMessageLost], [ErrMaxProcessing] or [ErrShutdown].
type Handler func(ctx context.Context, message *Message) error

// Middleware is a function around handlers.
type Middleware func(Handler) Handler

// Why the context of a handler ended.
var (
	ErrMessageLost   = errors.New("mq: the message is no longer held: it was deleted, or another consumer has it")
	ErrMaxProcessing = errors.New("mq: the processing took too long")
	ErrShutdown      = errors.New("mq: the worker stops")
)

// WorkerOptions are the options of a worker. Zero values stand for the defaults.
type WorkerOptions struct {
	// Concurrency is how many messages are in work at once; no more than these and Prefetch are pulled. Default 10, at most 5,000.
	Concurrency int
	// Prefetch is how many messages are held in advance, beside those in work: for handlers of a few milliseconds or less, where the round
	// trip counts. Others can't have them meanwhile, so leave it at 0 where handlers are slow. Default 0, at most 5,000.
	Prefetch int
	// Visibility of each delivery. It is extended for as long as the handler runs. Default 30 s.
	Visibility time.Duration
	// MaxProcessing ends the context of a handler after this time, and the extending. Default: none.
	MaxProcessing time.Duration
	// Grace is how long a shutdown waits for handlers before it cancels them. Default 25 s. [None]: not at all.
	Grace time.Duration
	// DisconnectGrace is how soon the messages of a killed worker come back, instead of after their visibility: so long after its
	// connection closed. It has no effect unless it is shorter than Visibility. Default 5 s. [None]: only the visibility returns them.
	DisconnectGrace time.Duration
	// Block is the longest wait of one pull. Default 5 s.
	Block time.Duration
	// AckDelay is how long an acknowledgment may wait for the next pull. Default 50 ms. [None]: not at all.
	AckDelay time.Duration
	// Consumer is the name that Peek shows of messages in work. Default: host name and process id.
	Consumer string
	// Middleware around the handler, the first outermost.
	Middleware []Middleware
	// Logger gets a line with queue, id and retry_count for each message: failures as warnings, the rest for debugging. Default slog.Default.
	Logger *slog.Logger
	// IgnoreSignals leaves SIGTERM and SIGINT alone: only the context stops the worker.
	IgnoreSignals bool
}

// Worker runs a handler for the messages of its queues.
type Worker struct {
	commands Commands
	queues   []string
	handler  Handler
	options  WorkerOptions
}

// NewWorker returns a worker. The queues are served in this order: a later one only when the earlier have nothing; in a cluster all must be
// in one slot. With a [Client], it takes a connection of the go-redis client for itself and shares the others, so its pool needs at least two.
func NewWorker(commands Commands, queues []string, handler Handler, options *WorkerOptions) *Worker {
	w := &Worker{commands: commands, queues: queues, handler: handler}
	if options != nil {
		w.options = *options
	}
	o := &w.options
	o.Concurrency = cmp.Or(o.Concurrency, 10)
	o.Visibility = cmp.Or(o.Visibility, 30*time.Second)
	o.Grace = cmp.Or(o.Grace, 25*time.Second)
	o.DisconnectGrace = cmp.Or(o.DisconnectGrace, 5*time.Second)
	if o.DisconnectGrace < 0 || o.DisconnectGrace >= o.Visibility {
		o.DisconnectGrace = 0
	}
	o.Block = cmp.Or(o.Block, 5*time.Second)
	o.AckDelay = cmp.Or(o.AckDelay, 50*time.Millisecond)
	o.Consumer = cmp.Or(o.Consumer, consumerName())
	o.Logger = cmp.Or(o.Logger, slog.Default())
	for i := len(o.Middleware) - 1; i >= 0; i-- {
		w.handler = o.Middleware[i](w.handler)
	}
	return w
}

func consumerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}

// Run processes messages until the context ends, or SIGTERM or SIGINT arrives. Then it stops pulling, waits up to Grace for its handlers,
// cancels the others, returns their messages to their original position, and returns nil. A second signal ends the process.
//
// It reconnects for ever. It returns an error if the server refuses pulls permanently: the module is not loaded, a permission is missing.
func (w *Worker) Run(ctx context.Context) error {
	return w.run(ctx, nil)
}

// RunUntilEmpty works until no queue has a message that is ready, in flight, or delayed for less than the given time. It waits for the end of
// a pause.
func (w *Worker) RunUntilEmpty(ctx context.Context, delayed time.Duration) error {
	return w.run(ctx, func(ctx context.Context) (bool, error) { return w.isEmpty(ctx, delayed) })
}

func (w *Worker) run(ctx context.Context, isDone func(context.Context) (bool, error)) error {
	if len(w.queues) == 0 {
		return fmt.Errorf("%w: a worker needs a queue", ErrInvalidArgument)
	}
	if n := w.options.Concurrency; n < 1 || n > 5000 {
		return fmt.Errorf("%w: the concurrency is 1 to 5000, not %d", ErrInvalidArgument, n)
	}
	if n := w.options.Prefetch; n < 0 || n > 5000 {
		return fmt.Errorf("%w: the prefetch is 0 to 5000, not %d", ErrInvalidArgument, n)
	}
	stopping := ctx
	if !w.options.IgnoreSignals {
		notified, release := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
		defer release()
		context.AfterFunc(notified, release) // from now on, a signal ends the process
		stopping = notified
	}
	stopping, stop := context.WithCancel(stopping)
	defer stop()
	options := PullOptions{Then: w.queues[1:], Visibility: w.options.Visibility, Block: w.options.Block, Consumer: w.options.Consumer}
	if isDone != nil {
		options.Block = min(options.Block, emptyBlock)
	}
	r := newRun(w, ctx, stopping, newSource(w.commands, w.queues[0], options, w.options.DisconnectGrace))
	context.AfterFunc(stopping, r.startGrace)
	err := r.pullAll(isDone)
	stop()
	r.finish()
	return err
}

func (w *Worker) isEmpty(ctx context.Context, delayed time.Duration) (bool, error) {
	for _, queue := range w.queues {
		info, err := w.commands.Info(ctx, queue)
		if err != nil || info.Ready > 0 || info.InFlight > 0 {
			return false, err
		}
		if info.Delayed == 0 || delayed <= 0 {
			continue
		}
		next, err := w.commands.Peek(ctx, queue, &PeekOptions{State: StateDelayed, Count: 1})
		if err != nil || len(next) > 0 && time.Until(next[0].DueAt) < delayed {
			return false, err
		}
	}
	return true, nil
}
