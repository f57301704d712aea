package mq

import (
	"context"
	"maps"
	"slices"
	"time"
)

// PushOptions are the options of a push. The zero value leaves all to the queue's settings.
type PushOptions struct {
	// Delay is how long the message is not delivered at first. [None] overrides the queue's setting.
	Delay time.Duration
	// At is when the message becomes ready, instead of Delay.
	At time.Time
	// TTL is the time after which the message is discarded. [None] overrides the queue's setting.
	TTL time.Duration
	// TTLDead, with TTL, sends the message to the dead-letter queue then, instead of discarding it.
	TTLDead bool
	// Priority is 1 to 9, 9 is delivered first. 0: none.
	Priority int
	// Group names messages that are delivered in order, one at a time. A message has a priority or a group.
	Group string
	// Headers are delivered with the message, up to 64.
	Headers map[string]string

	// Dedup is a key: while it is held, a push adds nothing, and returns the id of the message that took it. Not for PushMany.
	Dedup string
	// Window is how long the key is held. 0: the queue's setting, 5 minutes by default.
	Window time.Duration
	// UntilDone holds the key until the message is done or dead, instead of Window.
	UntilDone bool
}

func (o *PushOptions) add(w *words) {
	if o == nil {
		return
	}
	w.length("DELAY", o.Delay)
	w.timestamp("AT", o.At)
	w.length("TTL", o.TTL)
	w.flag("DEAD", o.TTLDead)
	w.number("PRIORITY", o.Priority)
	w.text("GROUP", o.Group)
	w.text("DEDUP", o.Dedup)
	w.length("WINDOW", o.Window)
	w.flag("UNTILDONE", o.UntilDone)
	if len(o.Headers) > 0 {
		*w = append(*w, "HEADERS", len(o.Headers))
		for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
			*w = append(*w, name, o.Headers[name])
		}
	}
}

// Push adds a message and returns its id. The payload may be any bytes, up to 128 MiB. Errors: [ErrQueueFull], [ErrInvalidArgument].
//
// If the reply is lost, the message may have been added or not: see [Publish].
func (c *Client) Push(ctx context.Context, queue string, payload []byte, options *PushOptions) (string, error) {
	arguments := words{"MQ.PUSH", queue, payload}
	options.add(&arguments)
	if options != nil && options.Dedup != "" {
		return asText(c.do(ctx, arguments...))
	}
	return asText(c.once(ctx, queue, 0, arguments...))
}

// PushMany adds messages with the same options, all or none, and returns their ids. Up to 10,000.
func (c *Client) PushMany(ctx context.Context, queue string, payloads [][]byte, options *PushOptions) ([]string, error) {
	arguments := words{"MQ.MPUSH", queue, len(payloads)}
	for _, payload := range payloads {
		arguments = append(arguments, payload)
	}
	options.add(&arguments)
	return asTexts(c.once(ctx, queue, 0, arguments...))
}
