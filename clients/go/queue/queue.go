// Package queue is the interface of the Go library that redis-mq descends from: its users change one import. New programs use the package mq beside it,
// which has all options, and a worker.
package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	mq "redis-mq/clients/go"
)

// Errors, also found by errors.Is in those of the package mq.
var (
	ErrQueueEmpty      = mq.ErrQueueEmpty
	ErrMessageNotFound = mq.ErrNotFound
	ErrInvalidReceipt  = mq.ErrInvalidReceipt
)

// Config says where the server is.
type Config struct {
	RedisAddr     string // host:port
	RedisPassword string
	RedisDB       int
	// DefaultVisibility is that of pulls with a visibility of 0. If it is 0 too, the queue's setting applies, 30 seconds by default.
	DefaultVisibility time.Duration
}

// Message is a message that was pulled.
type Message struct {
	ID              string
	Queue           string
	Payload         []byte
	Timestamp       time.Time // of the push
	RetryCount      int       // 0 on the first delivery
	VisibilityUntil time.Time // afterwards others can get the message
	Receipt         string
}

// Queue pushes, pulls and acknowledges messages. It is safe for concurrent use.
type Queue interface {
	// PushMessage adds a message. If the reply is lost, it returns an error, and the message may have been added or not.
	PushMessage(ctx context.Context, queue string, payload []byte) error
	// PullMessage takes the next message and hides it from others for a time, or returns ErrQueueEmpty.
	PullMessage(ctx context.Context, queue string, visibility time.Duration) (*Message, error)
	// Ack removes a message that this Queue has pulled. It returns ErrMessageNotFound for a message that is gone, was never pulled by this
	// Queue, or whose visibility ended a day ago; ErrInvalidReceipt if another delivery has begun.
	Ack(ctx context.Context, messageID, receipt string) error
	// Close closes the connections. Messages that were not acknowledged are delivered again after their visibility.
	Close() error
}

type redisQueue struct {
	redis             *redis.Client
	client            *mq.Client
	defaultVisibility time.Duration
	origins           *origins
}

// NewRedisQueue connects to a server with the module.
func NewRedisQueue(config *Config) (Queue, error) {
	connection := redis.NewClient(&redis.Options{Addr: config.RedisAddr, Password: config.RedisPassword, DB: config.RedisDB})
	if err := connection.Ping(context.Background()).Err(); err != nil {
		connection.Close()
		return nil, fmt.Errorf("no connection to redis: %w", err)
	}
	return &redisQueue{connection, mq.New(connection), config.DefaultVisibility, newOrigins()}, nil
}

func (q *redisQueue) PushMessage(ctx context.Context, queue string, payload []byte) error {
	_, err := q.client.Push(ctx, queue, payload, nil)
	return err
}

func (q *redisQueue) PullMessage(ctx context.Context, queue string, visibility time.Duration) (*Message, error) {
	if visibility == 0 {
		visibility = q.defaultVisibility
	}
	m, err := q.client.Pull(ctx, queue, &mq.PullOptions{Visibility: visibility})
	if err != nil {
		return nil, err
	}
	q.origins.remember(m.ID, queue, m.VisibilityUntil)
	return &Message{m.ID, m.Queue, m.Payload, m.Timestamp, m.RetryCount, m.VisibilityUntil, m.Receipt}, nil
}

func (q *redisQueue) Ack(ctx context.Context, messageID, receipt string) error {
	queue, isKnown := q.origins.of(messageID)
	if !isKnown {
		return fmt.Errorf("%w: %s was not pulled here", ErrMessageNotFound, messageID)
	}
	err := q.client.Ack(ctx, &mq.Message{Queue: queue, ID: messageID, Receipt: receipt})
	if err == nil {
		q.origins.forget(messageID)
	}
	return err
}

func (q *redisQueue) Close() error {
	return q.redis.Close()
}
