package mq

import (
	"context"
	"time"
)

// RedriveOptions say which dead letters are moved, and where to. The zero value: the first 1,000, each to the queue in which it died.
type RedriveOptions struct {
	Count  int      // up to 100,000
	All    bool     // instead of Count
	IDs    []string // only these, instead of Count
	From   string   // only those that died in this queue
	Reason string   // only those with this DeadReason or LastError
	To     string   // the target; needed on Redis 6
}

// Redrive moves dead letters out of a dead-letter queue, and returns how many.
func (c *Client) Redrive(ctx context.Context, queue string, options *RedriveOptions) (int, error) {
	arguments := words{"MQ.REDRIVE", queue}
	if options != nil {
		// TO comes first: servers look for the key behind the first word that reads TO.
		arguments.text("TO", options.To)
		arguments.number("COUNT", options.Count)
		arguments.flag("ALL", options.All)
		if len(options.IDs) > 0 {
			arguments = append(arguments, "IDS", len(options.IDs))
			for _, id := range options.IDs {
				arguments = append(arguments, id)
			}
		}
		arguments.text("FROM", options.From)
		arguments.text("REASON", options.Reason)
	}
	return asCount(c.once(ctx, queue, 0, arguments...))
}

// Pause stops the deliveries of a queue for a time; 0: until Resume.
func (c *Client) Pause(ctx context.Context, queue string, length time.Duration) error {
	arguments := words{"MQ.PAUSE", queue}
	arguments.length("FOR", length)
	_, err := c.do(ctx, arguments...)
	return err
}

// Resume ends the pause of a queue.
func (c *Client) Resume(ctx context.Context, queue string) error {
	_, err := c.do(ctx, "MQ.RESUME", queue)
	return err
}

// Purge deletes the messages of a queue in a state, [StateReady] or [StateDelayed], or all of them, [StateAny]. It keeps the settings, and
// returns how many messages there were.
func (c *Client) Purge(ctx context.Context, queue string, state State) (int, error) {
	arguments := words{"MQ.PURGE", queue}
	arguments.flag(string(state), state != StateAny)
	return asCount(c.once(ctx, queue, 0, arguments...))
}

// Drop deletes a queue with its messages and settings, and reports whether there was one.
func (c *Client) Drop(ctx context.Context, queue string) (bool, error) {
	return asTruth(c.once(ctx, queue, 0, "MQ.DROP", queue))
}
