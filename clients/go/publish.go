package mq

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	mathrand "math/rand/v2"
	"time"
)

// Pusher is what Publish needs: a [Client], or something around it.
type Pusher interface {
	Push(ctx context.Context, queue string, payload []byte, options *PushOptions) (id string, err error)
}

// Publish pushes a message without loss and without duplicates: under a deduplication key, a random one unless options name one, it repeats
// the push until it is answered or the context ends, through lost connections and temporary refusals. Any other refusal ends it at once.
//
// Give the context a deadline that is shorter than the time for which the key is held, 5 minutes by default. If it ends, the error is that
// of the last attempt, joined with that of the context; the message may have been added or not.
func Publish(ctx context.Context, pusher Pusher, queue string, payload []byte, options *PushOptions) (string, error) {
	var push PushOptions
	if options != nil {
		push = *options
	}
	if push.Dedup == "" {
		push.Dedup = randomKey()
	}
	for pause := newBackoff(); ; {
		id, err := pusher.Push(ctx, queue, payload, &push)
		if err == nil || !isTemporary(err) {
			return id, err
		}
		if ended := pause.wait(ctx); ended != nil {
			return "", errors.Join(err, ended)
		}
	}
}

func randomKey() string {
	var key [16]byte
	if _, err := rand.Read(key[:]); err != nil {
		panic(err) // documented never to happen
	}
	return hex.EncodeToString(key[:])
}

// backoff is a growing pause with jitter, from a tenth of a second to two seconds.
type backoff struct {
	next time.Duration
}

const firstPause, longestPause = 100 * time.Millisecond, 2 * time.Second

func newBackoff() *backoff {
	return &backoff{firstPause}
}

// wait pauses, or returns the error of a context that ends.
func (b *backoff) wait(ctx context.Context) error {
	pause := b.next/2 + mathrand.N(b.next/2)
	b.next = min(2*b.next, longestPause)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (b *backoff) reset() {
	b.next = firstPause
}
