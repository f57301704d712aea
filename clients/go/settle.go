package mq

import (
	"context"
	"fmt"
	"time"
)

// NackOptions say how a message is given back. The zero value: after the queue's backoff, and it counts as a retry.
type NackOptions struct {
	// Delay is when the message becomes ready again, instead of after the backoff. [None]: at once.
	Delay time.Duration
	// NoCount leaves the retry count as it is, and has no backoff.
	NoCount bool
	// Front, with NoCount and without Delay, returns the message to its original position instead of behind all that wait.
	Front bool
	// Dead sends the message to the dead-letter queue.
	Dead bool
	// Reason is kept as LastError, up to 1,024 bytes.
	Reason string
}

func (o *NackOptions) add(w *words) {
	if o == nil {
		return
	}
	w.length("DELAY", o.Delay)
	w.flag("NOCOUNT", o.NoCount)
	w.flag("FRONT", o.Front)
	w.flag("DEAD", o.Dead)
	w.text("REASON", o.Reason)
}

// Ack removes a message that was pulled. Of the message only Queue, ID and Receipt are used, here and in the following methods. Errors:
// [ErrNotFound], [ErrInvalidReceipt]. If go-redis retried it after a lost reply, ErrNotFound means that the first attempt was executed.
func (c *Client) Ack(ctx context.Context, message *Message) error {
	_, err := c.do(ctx, "MQ.ACK", message.Queue, message.ID, message.Receipt)
	return err
}

// AckMany acknowledges messages of one queue, up to 10,000. The outcomes are nil, [ErrNotFound] or [ErrInvalidReceipt].
func (c *Client) AckMany(ctx context.Context, messages []*Message) ([]error, error) {
	return c.settle(ctx, "MQ.ACK", messages, nil)
}

// Nack gives a message back, or sends it to the dead-letter queue. Errors: [ErrNotFound], [ErrInvalidReceipt]; [ErrInvalidArgument] for a
// dead letter with Dead.
func (c *Client) Nack(ctx context.Context, message *Message, options *NackOptions) error {
	arguments := words{"MQ.NACK", message.Queue, message.ID, message.Receipt}
	options.add(&arguments)
	_, err := c.do(ctx, arguments...)
	return err
}

// NackMany gives messages of one queue back. The outcomes are those of AckMany.
func (c *Client) NackMany(ctx context.Context, messages []*Message, options *NackOptions) ([]error, error) {
	return c.settle(ctx, "MQ.NACK", messages, options)
}

func (c *Client) settle(ctx context.Context, command string, messages []*Message, options *NackOptions) ([]error, error) {
	if len(messages) == 0 {
		return nil, nil
	}
	queue := messages[0].Queue
	if err := sameQueue(messages, queue); err != nil {
		return nil, err
	}
	arguments := words{command, queue}
	arguments.pairs("IDS", messages)
	options.add(&arguments)
	reply, err := c.do(ctx, arguments...)
	if err != nil {
		return nil, err
	}
	return asOutcomes(reply)
}

// Extend restarts the visibility of a message from now, and returns when it ends. 0: the queue's setting. Errors: [ErrNotFound],
// [ErrInvalidReceipt].
func (c *Client) Extend(ctx context.Context, message *Message, visibility time.Duration) (time.Time, error) {
	arguments := words{"MQ.EXTEND", message.Queue, message.ID, message.Receipt}
	arguments.length("VISIBILITY", visibility)
	until, err := asInteger(c.do(ctx, arguments...))
	if err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(until), nil
}

// Extension is the outcome for one message of ExtendMany.
type Extension struct {
	Until time.Time // when the visibility ends, if Err is nil
	Err   error     // nil, ErrNotFound or ErrInvalidReceipt
}

// ExtendMany extends messages of one queue, up to 10,000.
func (c *Client) ExtendMany(ctx context.Context, messages []*Message, visibility time.Duration) ([]Extension, error) {
	if len(messages) == 0 {
		return nil, nil
	}
	queue := messages[0].Queue
	if err := sameQueue(messages, queue); err != nil {
		return nil, err
	}
	arguments := words{"MQ.EXTEND", queue}
	arguments.pairs("IDS", messages)
	arguments.length("VISIBILITY", visibility)
	reply, err := c.do(ctx, arguments...)
	if err != nil {
		return nil, err
	}
	return asExtensions(reply)
}

// ExtendConsumer extends all messages in flight in a queue that were pulled under this name, and returns how many. 0: the queue's setting.
func (c *Client) ExtendConsumer(ctx context.Context, queue, consumer string, visibility time.Duration) (int, error) {
	arguments := words{"MQ.EXTEND", queue, "CONSUMER", consumer}
	arguments.length("VISIBILITY", visibility)
	return asCount(c.do(ctx, arguments...))
}

func sameQueue(messages []*Message, queue string) error {
	for _, message := range messages {
		if message.Queue != queue {
			return fmt.Errorf("%w: the messages of a batch are of one queue, not of %q and %q", ErrInvalidArgument, queue, message.Queue)
		}
	}
	return nil
}
