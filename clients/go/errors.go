package mq

import (
	"errors"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// What errors.Is finds in an error of the server, by the first word of its reply. Errors with other first words are those of go-redis.
var (
	// ErrQueueEmpty: a pull found nothing to deliver.
	ErrQueueEmpty = errors.New("mq: the queue is empty")
	// ErrNotFound (NOTFOUND): no message with this id is in flight or waits for its retry. Of Get: there is no such message.
	ErrNotFound = errors.New("mq: message not found")
	// ErrInvalidReceipt (BADRECEIPT): the delivery has ended, or another consumer has the message.
	ErrInvalidReceipt = errors.New("mq: invalid receipt")
	// ErrQueueFull (QUEUEFULL, DEDUPFULL): the queue has as many messages or deduplication keys as its settings allow.
	ErrQueueFull = errors.New("mq: the queue is full")
	// ErrInvalidArgument (ERR): the text names the argument and the valid choices.
	ErrInvalidArgument = errors.New("mq: invalid argument")
	// ErrWrongType (WRONGTYPE): one of the queue's keys holds another type.
	ErrWrongType = errors.New("mq: wrong type")
	// ErrTryAgain (TRYAGAIN): the slot is migrating.
	ErrTryAgain = errors.New("mq: try again")
	// ErrCorrupt (CORRUPT): a record can't be decoded. The next pull continues behind it.
	ErrCorrupt = errors.New("mq: corrupt record")
)

// Error is an error reply of the server. errors.Is finds its kind, for example [ErrNotFound], and errors.As the error of go-redis.
type Error struct {
	kind  error
	reply error
}

// Error returns the server's text.
func (e *Error) Error() string { return e.reply.Error() }

// Unwrap returns the kind and the error of go-redis.
func (e *Error) Unwrap() []error { return []error{e.kind, e.reply} }

// code returns the first word of an error reply, or "" for any other error.
func code(err error) string {
	var reply redis.Error
	if !errors.As(err, &reply) || errors.Is(err, redis.Nil) {
		return ""
	}
	word, _, _ := strings.Cut(reply.Error(), " ")
	return word
}

// typed gives an error reply its kind, and returns any other error as it is.
func typed(err error) error {
	var kind error
	switch code(err) {
	case "NOTFOUND":
		kind = ErrNotFound
	case "BADRECEIPT":
		kind = ErrInvalidReceipt
	case "QUEUEFULL", "DEDUPFULL":
		kind = ErrQueueFull
	case "ERR":
		if strings.HasPrefix(err.Error(), "ERR unknown command") || isCrowded(err) {
			return err
		}
		kind = ErrInvalidArgument
	case "WRONGTYPE":
		kind = ErrWrongType
	case "TRYAGAIN":
		kind = ErrTryAgain
	case "CORRUPT":
		kind = ErrCorrupt
	default:
		return err
	}
	return &Error{kind, err}
}

// temporary are the first words of refusals that end by themselves.
var temporary = []string{"ASK", "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOREPLICAS", "OOM", "READONLY", "TRYAGAIN", "UNBLOCKED"}

// permanent are the errors that repeating the command does not change.
var permanent = []error{ErrQueueEmpty, ErrNotFound, ErrInvalidReceipt, ErrQueueFull, ErrInvalidArgument, ErrWrongType, ErrCorrupt, redis.ErrClosed}

// isTemporary reports whether the same command may succeed later: the connection was lost, or the server refuses for a time.
func isTemporary(err error) bool {
	if word := code(err); word != "" {
		return slices.Contains(temporary, word) || isCrowded(err)
	}
	return !slices.ContainsFunc(permanent, func(kind error) bool { return errors.Is(err, kind) })
}

// isCrowded reports that the server refused the connection because it has too many.
func isCrowded(err error) bool {
	return strings.HasPrefix(err.Error(), "ERR max number of clients")
}
