package mq

import (
	"context"
	"fmt"
	"time"
)

// PullOptions are the options of a pull. The zero value leaves all to the queue's settings, and does not wait.
type PullOptions struct {
	// Then are more queues, tried in this order if the first has nothing. In a cluster all must be in one slot.
	Then []string
	// Visibility is how long the messages are hidden from others. 0: the queue's setting, 30 seconds by default.
	Visibility time.Duration
	// Block is how long to wait for a message if there is none. 0: not at all. go-redis ignores the context while it waits for a reply, so
	// a pull ends only when it is answered: keep Block at a few seconds, or use a [Worker].
	Block time.Duration
	// Consumer is a name that Peek and Get show.
	Consumer string
	// OnDisconnect returns the messages when the connection closes, which counts as a retry. Connections of a pool stay open as long as
	// the go-redis client, unless they fail.
	OnDisconnect bool
	// DisconnectNoCount, with OnDisconnect, leaves the retry count as it is, and has no backoff.
	DisconnectNoCount bool
	// DisconnectGrace, with OnDisconnect, is how long after the close the messages return, unless they are extended or done meanwhile.
	DisconnectGrace time.Duration
	// NoAck removes the messages on delivery: they are delivered at most once.
	NoAck bool
}

func (o *PullOptions) add(w *words) {
	w.length("VISIBILITY", o.Visibility)
	w.length("BLOCK", o.Block)
	w.text("CONSUMER", o.Consumer)
	w.flag("ONDISCONNECT", o.OnDisconnect)
	w.flag("NOCOUNT", o.DisconnectNoCount)
	w.length("GRACE", o.DisconnectGrace)
	w.flag("NOACK", o.NoAck)
}

// Pull takes the next message. Errors: [ErrQueueEmpty] if there is none, [ErrCorrupt].
func (c *Client) Pull(ctx context.Context, queue string, options *PullOptions) (*Message, error) {
	return one(c.PullMany(ctx, queue, 1, options))
}

// PullMany takes up to count messages, all from the first queue that has some. It returns none if all are empty. Up to 10,000.
func (c *Client) PullMany(ctx context.Context, queue string, count int, options *PullOptions) ([]*Message, error) {
	_, messages, err := c.AckPullMany(ctx, nil, queue, count, options)
	return messages, err
}

// AckPull acknowledges messages of this queue and takes the next one, in one round trip. acked are outcomes as those of AckMany; they are
// valid also if the error is [ErrQueueEmpty]. After any other error the acknowledgments may have taken effect: repeat them; [ErrNotFound]
// then means that they have.
func (c *Client) AckPull(ctx context.Context, done []*Message, queue string, options *PullOptions) ([]error, *Message, error) {
	acked, messages, err := c.AckPullMany(ctx, done, queue, 1, options)
	message, err := one(messages, err)
	return acked, message, err
}

// AckPullMany is AckPull for up to count messages. It returns none if the queue is empty.
func (c *Client) AckPullMany(ctx context.Context, done []*Message, queue string, count int, options *PullOptions) ([]error, []*Message, error) {
	pull, err := newPull(done, queue, count, options)
	if err != nil {
		return nil, nil, err
	}
	return pull.parse(c.once(ctx, queue, pull.block, pull.words...))
}

// pull is the command of a pull.
type pull struct {
	words
	block  time.Duration
	isDone bool // it acknowledges too
}

func newPull(done []*Message, queue string, count int, options *PullOptions) (*pull, error) {
	if options == nil {
		options = &PullOptions{}
	}
	command := &pull{block: options.Block, isDone: len(done) > 0}
	if len(options.Then) == 0 {
		command.words = words{"MQ.PULL", queue}
	} else {
		command.words = words{"MQ.MPULL", 1 + len(options.Then), queue}
		for _, name := range options.Then {
			command.words = append(command.words, name)
		}
	}
	command.words = append(command.words, "COUNT", count)
	options.add(&command.words)
	if command.isDone {
		if err := sameQueue(done, queue); err != nil {
			return nil, err
		}
		if len(options.Then) > 0 {
			return nil, fmt.Errorf("%w: a pull from several queues can't acknowledge", ErrInvalidArgument)
		}
		command.pairs("ACK", done)
	}
	return command, nil
}

func (p *pull) parse(reply any, err error) ([]error, []*Message, error) {
	if err != nil {
		return nil, nil, err
	}
	if !p.isDone {
		messages, err := asMessages(reply)
		return nil, messages, err
	}
	both, err := asList(reply)
	if err != nil || len(both) != 2 {
		return nil, nil, unexpected(reply)
	}
	acked, err := asOutcomes(both[0])
	if err != nil {
		return nil, nil, err
	}
	messages, err := asMessages(both[1])
	return acked, messages, err
}

func one(messages []*Message, err error) (*Message, error) {
	if err != nil {
		return nil, err
	}
	if len(messages) == 0 {
		return nil, ErrQueueEmpty
	}
	return messages[0], nil
}
