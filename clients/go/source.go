package mq

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// source is where a worker pulls from: a connection of its own if the commands are those of a Client. It connects with the first pull.
//
// When that connection closes, the messages that came over it return after the grace, unless they are extended or done after that.
type source struct {
	commands Commands
	queue    string
	options  PullOptions
	grace    time.Duration // 0: only the visibility returns them
	waiting  *waiting
	ended    chan struct{} // says that the connection was closed or lost
}

func newSource(commands Commands, queue string, options PullOptions, grace time.Duration) *source {
	return &source{commands: commands, queue: queue, options: options, grace: grace, ended: make(chan struct{}, 1)}
}

// pull is AckPullMany, except that it ends with the context, and returns what it was given by then.
func (s *source) pull(ctx context.Context, done []*Message, count int) ([]error, []*Message, error) {
	if client, ok := s.commands.(*Client); ok && s.waiting == nil {
		var err error
		if s.waiting, err = client.wait(ctx, s.queue, s.options.Block); err != nil {
			return nil, nil, err
		}
	}
	options := s.options
	if s.waiting == nil {
		return s.commands.AckPullMany(ctx, done, s.queue, count, &options)
	}
	options.OnDisconnect, options.DisconnectGrace = s.grace > 0, s.grace
	return s.waiting.pull(ctx, done, s.queue, count, &options)
}

// reconnect lets the next pull connect again, after a failure.
func (s *source) reconnect(ctx context.Context) {
	s.close()
	if client, ok := s.commands.(*Client); ok {
		client.reload(ctx)
	}
}

func (s *source) close() {
	if s.waiting == nil {
		return
	}
	s.waiting.conn.Close()
	s.waiting = nil
	select {
	case s.ended <- struct{}{}:
	default: // it was said already
	}
}

// waiting is a connection that waits in pulls.
type waiting struct {
	conn *redis.Conn
	node *redis.Client
	id   int64 // CLIENT ID of conn, 0 if the user may not ask for it
}

// wait reserves a connection, or returns nil for a client of an unknown type.
func (c *Client) wait(ctx context.Context, queue string, block time.Duration) (*waiting, error) {
	node, err := c.node(ctx, queue)
	if node == nil || err != nil {
		return nil, err
	}
	conn, err := c.conn(ctx, queue, block)
	if err != nil {
		return nil, err
	}
	id, err := conn.ClientID(ctx).Result()
	if err != nil && code(err) != "NOPERM" {
		conn.Close()
		return nil, typed(err)
	}
	return &waiting{conn, node, id}, nil
}

func (w *waiting) pull(ctx context.Context, done []*Message, queue string, count int, options *PullOptions) ([]error, []*Message, error) {
	command, err := newPull(done, queue, count, options)
	if err != nil {
		return nil, nil, err
	}
	answered := make(chan struct{})
	defer context.AfterFunc(ctx, func() { w.unblock(answered) })()
	defer close(answered)
	return command.parse(result(w.conn.Process, context.WithoutCancel(ctx), command.words))
}

// unblock ends the wait of a pull: the server then answers it as if its time were over.
func (w *waiting) unblock(answered <-chan struct{}) {
	for w.id != 0 {
		count, err := w.node.ClientUnblock(context.Background(), w.id).Result()
		if count > 0 || code(err) == "NOPERM" {
			return
		}
		// It does not wait yet, or no more.
		select {
		case <-answered:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
