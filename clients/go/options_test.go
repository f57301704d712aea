package mq

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// reply is an error of the server.
type reply string

func (r reply) Error() string { return string(r) }
func (r reply) RedisError()   {}

func TestMillisecondsRoundUp(t *testing.T) {
	for length, expected := range map[time.Duration]int64{
		None: 0, -time.Hour: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, time.Minute: 60_000,
	} {
		if got := milliseconds(length); got != expected {
			t.Errorf("%v: %d, not %d", length, got, expected)
		}
	}
}

func TestErrorsHaveAKindByTheirFirstWord(t *testing.T) {
	for text, kind := range map[string]error{
		"NOTFOUND no message":               ErrNotFound,
		"BADRECEIPT the receipt":            ErrInvalidReceipt,
		"QUEUEFULL the queue is full":       ErrQueueFull,
		"DEDUPFULL the queue holds":         ErrQueueFull,
		"ERR PRIORITY must be":              ErrInvalidArgument,
		"WRONGTYPE Operation against":       ErrWrongType,
		"TRYAGAIN the slot":                 ErrTryAgain,
		"CORRUPT a record can't be decoded": ErrCorrupt,
	} {
		err := typed(reply(text))
		var original redis.Error
		if !errors.Is(err, kind) || !errors.As(err, &original) || err.Error() != text {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, err := range []error{reply("ERR unknown command 'MQ.PUSH'"), reply("NOREPLICAS Not enough"), io.EOF} {
		if got := typed(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}

func TestWhatIsTemporary(t *testing.T) {
	for _, err := range []error{io.EOF, reply("LOADING Redis is"), reply("UNBLOCKED client"), typed(reply("TRYAGAIN x")), reply("OOM command"), typed(reply("ERR max number of clients reached"))} {
		if !isTemporary(err) {
			t.Errorf("%v is temporary", err)
		}
	}
	for _, err := range []error{redis.ErrClosed, typed(reply("ERR no")), reply("NOPERM this user"), reply("ERR unknown command"), ErrQueueFull} {
		if isTemporary(err) {
			t.Errorf("%v is not temporary", err)
		}
	}
}
