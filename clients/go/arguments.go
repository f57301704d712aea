package mq

import (
	"time"
)

// None is a duration that overrides a setting of the queue with nothing: no delay, no time to live. So does any other negative duration.
const None time.Duration = -1

// words collects the arguments of a command.
type words []any

// length adds an option with a duration; 0 leaves it to the queue's setting.
func (w *words) length(option string, length time.Duration) {
	if length != 0 {
		*w = append(*w, option, milliseconds(length))
	}
}

// timestamp adds an option with a time, unless it is zero.
func (w *words) timestamp(option string, at time.Time) {
	if !at.IsZero() {
		*w = append(*w, option, at.UnixMilli())
	}
}

// number adds an option with a number, unless it is 0.
func (w *words) number(option string, number int) {
	if number != 0 {
		*w = append(*w, option, number)
	}
}

// text adds an option with a text, unless it is empty.
func (w *words) text(option, text string) {
	if text != "" {
		*w = append(*w, option, text)
	}
}

// flag adds an option without a value, if it is set.
func (w *words) flag(option string, isSet bool) {
	if isSet {
		*w = append(*w, option)
	}
}

// pairs adds the ids and receipts of messages.
func (w *words) pairs(option string, messages []*Message) {
	*w = append(*w, option, len(messages))
	for _, message := range messages {
		*w = append(*w, message.ID, message.Receipt)
	}
}

// milliseconds rounds up, so that a short time does not become none.
func milliseconds(length time.Duration) int64 {
	return max(0, int64((length+time.Millisecond-1)/time.Millisecond))
}
