package mq

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Commands are the methods of [Client] that the fake in the package mqtest has too: all but those of schedules. Later versions may add methods.
type Commands interface {
	Pusher
	PushMany(ctx context.Context, queue string, payloads [][]byte, options *PushOptions) (ids []string, err error)
	Pull(ctx context.Context, queue string, options *PullOptions) (*Message, error)
	PullMany(ctx context.Context, queue string, count int, options *PullOptions) ([]*Message, error)
	AckPull(ctx context.Context, done []*Message, queue string, options *PullOptions) (acked []error, message *Message, err error)
	AckPullMany(ctx context.Context, done []*Message, queue string, count int, options *PullOptions) (acked []error, messages []*Message, err error)
	Ack(ctx context.Context, message *Message) error
	AckMany(ctx context.Context, messages []*Message) ([]error, error)
	Nack(ctx context.Context, message *Message, options *NackOptions) error
	NackMany(ctx context.Context, messages []*Message, options *NackOptions) ([]error, error)
	Extend(ctx context.Context, message *Message, visibility time.Duration) (until time.Time, err error)
	ExtendMany(ctx context.Context, messages []*Message, visibility time.Duration) ([]Extension, error)
	ExtendConsumer(ctx context.Context, queue, consumer string, visibility time.Duration) (int, error)
	Peek(ctx context.Context, queue string, options *PeekOptions) ([]*Message, error)
	Get(ctx context.Context, queue, id string) (*Message, error)
	GetByDedup(ctx context.Context, queue, key string) (*Message, error)
	Delete(ctx context.Context, queue string, ids ...string) (int, error)
	DeleteByDedup(ctx context.Context, queue, key string) (bool, error)
	RescheduleIn(ctx context.Context, queue, id string, delay time.Duration) (bool, error)
	RescheduleAt(ctx context.Context, queue, id string, at time.Time) (bool, error)
	Len(ctx context.Context, queue string, state State) (int, error)
	Info(ctx context.Context, queue string) (*Info, error)
	Config(ctx context.Context, queue string) (*Settings, error)
	Configure(ctx context.Context, queue string, changes Changes) error
	Pause(ctx context.Context, queue string, length time.Duration) error
	Resume(ctx context.Context, queue string) error
	Purge(ctx context.Context, queue string, state State) (int, error)
	Drop(ctx context.Context, queue string) (bool, error)
	Redrive(ctx context.Context, queue string, options *RedriveOptions) (int, error)
	Queues(ctx context.Context, match string) ([]string, error)
	Stats(ctx context.Context, match string) ([]*Stats, error)
}

// Client has a method for each command. It is safe for concurrent use, and needs no closing.
//
// Commands that must not be executed twice (pulls, pushes without a deduplication key, trigger, purge, drop, redrive) are sent once: if the reply is
// lost, they return the error. go-redis retries all others as its options say.
type Client struct {
	redis redis.UniversalClient
}

var _ Commands = (*Client)(nil)

// New returns a client that uses the connections of a go-redis client for one server, Sentinel or Cluster. If it is a UniversalClient of
// another type, set its MaxRetries to -1, and its ReadTimeout above the longest [PullOptions].Block.
func New(client redis.UniversalClient) *Client {
	return &Client{client}
}

// readMargin is how much longer than Block the client waits for the reply to a pull.
const readMargin = 5 * time.Second

// do sends a command that may be executed twice.
func (c *Client) do(ctx context.Context, arguments ...any) (any, error) {
	return result(c.redis.Process, ctx, arguments)
}

// once sends a command that must not be executed twice. The read timeout is extended to exceed block.
func (c *Client) once(ctx context.Context, queue string, block time.Duration, arguments ...any) (any, error) {
	conn, err := c.conn(ctx, queue, block)
	if err != nil {
		return nil, err
	}
	if conn == nil {
		return c.do(ctx, arguments...)
	}
	defer conn.Close()
	reply, err := result(conn.Process, ctx, arguments)
	switch word := code(err); {
	case word == "MOVED" || word == "ASK":
		// It was not executed, and a cluster client knows where to send it.
		return c.do(ctx, arguments...)
	case err != nil && word == "":
		c.reload(ctx)
	}
	return reply, err
}

// reload makes a cluster client fetch the current slots.
func (c *Client) reload(ctx context.Context) {
	if cluster, isCluster := c.redis.(*redis.ClusterClient); isCluster {
		cluster.ReloadState(ctx)
	}
}

// conn reserves a connection to the queue's server. go-redis never replaces such a connection, so it can't retry a command whose reply was
// lost with it. It returns nil for a client of an unknown type.
func (c *Client) conn(ctx context.Context, queue string, block time.Duration) (*redis.Conn, error) {
	node, err := c.node(ctx, queue)
	if node == nil || err != nil {
		return nil, err
	}
	if timeout := node.Options().ReadTimeout; block > 0 && timeout > 0 && timeout < block+readMargin {
		node = node.WithTimeout(block + readMargin)
	}
	return node.Conn(), nil
}

// node returns the client of the server that holds a queue, or nil for a client of an unknown type.
func (c *Client) node(ctx context.Context, queue string) (*redis.Client, error) {
	switch client := c.redis.(type) {
	case *redis.Client:
		return client, nil
	case *redis.ClusterClient:
		return client.MasterForKey(ctx, queue)
	}
	return nil, nil
}

func result(process func(context.Context, redis.Cmder) error, ctx context.Context, arguments []any) (any, error) {
	command := redis.NewCmd(ctx, arguments...)
	if err := process(ctx, command); err != nil && !errors.Is(err, redis.Nil) {
		return nil, typed(err)
	}
	return command.Val(), nil
}
