package mq

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// PeekOptions say which messages are shown. The zero value: the first 10 that are ready.
type PeekOptions struct {
	State  State // StateAny: those that are ready
	Offset int
	Count  int // up to 1,000
}

// Peek shows messages without delivering them.
func (c *Client) Peek(ctx context.Context, queue string, options *PeekOptions) ([]*Message, error) {
	arguments := words{"MQ.PEEK", queue}
	if options != nil {
		arguments.flag(string(options.State), options.State != StateAny)
		arguments.number("OFFSET", options.Offset)
		arguments.number("COUNT", options.Count)
	}
	reply, err := c.do(ctx, arguments...)
	if err != nil {
		return nil, err
	}
	return asMessages(reply)
}

// Get shows one message. Errors: [ErrNotFound] if the queue has none with this id.
func (c *Client) Get(ctx context.Context, queue, id string) (*Message, error) {
	return shown(c.do(ctx, "MQ.GET", queue, id))
}

// GetByDedup shows the message that took a deduplication key. Errors: [ErrNotFound] if the key is not held, or its message is gone.
func (c *Client) GetByDedup(ctx context.Context, queue, key string) (*Message, error) {
	return shown(c.do(ctx, "MQ.GET", queue, "DEDUP", key))
}

func shown(reply any, err error) (*Message, error) {
	if err != nil {
		return nil, err
	}
	if reply == nil {
		return nil, ErrNotFound
	}
	return asMessage(reply)
}

// Len counts messages in a state, or all of them.
func (c *Client) Len(ctx context.Context, queue string, state State) (int, error) {
	arguments := words{"MQ.LEN", queue}
	arguments.flag(string(state), state != StateAny)
	return asCount(c.do(ctx, arguments...))
}

// Delete deletes messages in any state, up to 10,000, and returns how many there were.
func (c *Client) Delete(ctx context.Context, queue string, ids ...string) (int, error) {
	arguments := words{"MQ.DEL", queue}
	for _, id := range ids {
		arguments = append(arguments, id)
	}
	return asCount(c.do(ctx, arguments...))
}

// DeleteByDedup deletes the message that took a deduplication key, and reports whether there was one. A key with a window stays held.
func (c *Client) DeleteByDedup(ctx context.Context, queue, key string) (bool, error) {
	return asTruth(c.do(ctx, "MQ.DEL", queue, "DEDUP", key))
}

// RescheduleIn makes a delayed message ready after a time; 0: at once. It reports whether there was such a delayed message.
func (c *Client) RescheduleIn(ctx context.Context, queue, id string, delay time.Duration) (bool, error) {
	return asTruth(c.do(ctx, "MQ.RESCHEDULE", queue, id, "DELAY", milliseconds(delay)))
}

// RescheduleAt makes a delayed message ready at a time. It reports whether there was such a delayed message.
func (c *Client) RescheduleAt(ctx context.Context, queue, id string, at time.Time) (bool, error) {
	return asTruth(c.do(ctx, "MQ.RESCHEDULE", queue, id, "AT", at.UnixMilli()))
}

// Queues lists the queues whose names match a pattern as that of KEYS, "" for all: in byte order, in a cluster those of all masters.
func (c *Client) Queues(ctx context.Context, match string) ([]string, error) {
	arguments := words{"MQ.QUEUES"}
	arguments.text("MATCH", match)
	all, err := onMasters(ctx, c, arguments, asTexts)
	slices.Sort(all)
	return all, err
}

// onMasters sends a command without a key to the server, in a cluster to all masters, and joins the replies.
func onMasters[T any](ctx context.Context, c *Client, arguments words, convert func(reply any, err error) ([]T, error)) ([]T, error) {
	cluster, isCluster := c.redis.(*redis.ClusterClient)
	if !isCluster {
		return convert(c.do(ctx, arguments...))
	}
	var lock sync.Mutex
	var all []T
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		part, err := convert(result(node.Process, ctx, arguments))
		lock.Lock()
		defer lock.Unlock()
		all = append(all, part...)
		return err
	})
	return all, err
}
