package mq

import (
	"errors"
	"fmt"
	"time"
)

// RetryError is the outcome of [Retry]. A handler may wrap it.
type RetryError struct {
	After  time.Duration
	Reason string
}

func (e *RetryError) Error() string { return fmt.Sprintf("retry after %v: %s", e.After, e.Reason) }

// Retry is returned by a handler that wants its message again after a time, instead of after the queue's backoff. It counts as a retry.
func Retry(after time.Duration, reason string) error { return &RetryError{after, reason} }

// ReleaseError is the outcome of [Release].
type ReleaseError struct{}

func (e *ReleaseError) Error() string { return "released" }

// Release is returned by a handler that did not begin: the message goes back behind all that wait, and no retry is counted.
func Release() error { return &ReleaseError{} }

// DeadError is the outcome of [Dead].
type DeadError struct{ Reason string }

func (e *DeadError) Error() string { return "dead: " + e.Reason }

// Dead is returned by a handler whose message no retry can help: it goes to the dead-letter queue.
func Dead(reason string) error { return &DeadError{reason} }

// nackFor returns how a message is given back whose handler returned this error.
func nackFor(err error) *NackOptions {
	var retry *RetryError
	var release *ReleaseError
	var dead *DeadError
	switch {
	case errors.As(err, &retry):
		if retry.After == 0 {
			return &NackOptions{Delay: None, Reason: retry.Reason}
		}
		return &NackOptions{Delay: retry.After, Reason: retry.Reason}
	case errors.As(err, &release):
		return &NackOptions{NoCount: true}
	case errors.As(err, &dead):
		return &NackOptions{Dead: true, Reason: dead.Reason}
	}
	return &NackOptions{Reason: err.Error()}
}
