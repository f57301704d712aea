package mq

import (
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"
)

// Message is a message as the server shows it. Fields that do not apply are zero.
type Message struct {
	ID      string // UUID, version 7
	Queue   string // as it was named in the command
	Payload []byte
	// Timestamp is the time of the push.
	Timestamp time.Time
	// RetryCount is 0 on the first delivery. Releases do not count.
	RetryCount int
	// Headers are text by convention. Names and values may be any bytes, and come back unchanged.
	Headers  map[string]string
	Priority int // 1 to 9, 0: none
	Group    string
	// ExpiresAt is the end of the time to live.
	ExpiresAt time.Time

	// Receipt proves that this consumer holds the message. Only pulls show it, and not with NoAck.
	Receipt string
	// VisibilityUntil is the end of the delivery: afterwards others can get the message.
	VisibilityUntil time.Time
	// Deliveries counts all deliveries including this one. 0: this is the first.
	Deliveries       int
	FirstDeliveredAt time.Time
	// LastError is the last reason with which the message was given back.
	LastError string

	// State, Consumer and DueAt are shown by Peek and Get only.
	State    State
	Consumer string    // who holds a message in flight
	DueAt    time.Time // when a delayed message becomes ready

	// DeadFrom is the queue in which the message died. This and the following fields are for dead letters only.
	DeadFrom    string
	DeadAt      time.Time
	DeadReason  string // "retries", "rejected" or "expired"
	DeadRetries int
}

// State selects messages in [Client.Peek], [Client.Len] and [Client.Purge].
type State string

// The states of a message. StateDead selects the messages of the queue's dead-letter queue; StateAny, of Len and Purge, all of the queue.
const (
	StateAny      State = ""
	StateReady    State = "ready"
	StateInFlight State = "inflight"
	StateDelayed  State = "delayed"
	StateDead     State = "dead"
)

var errNoText = errors.New("the payload is not UTF-8 text")

// Text returns the payload as text, or an error if it is not UTF-8.
func (m *Message) Text() (string, error) {
	if !utf8.Valid(m.Payload) {
		return "", errNoText
	}
	return string(m.Payload), nil
}

// JSON decodes the payload into the value that v points to, as [json.Unmarshal] does.
func (m *Message) JSON(v any) error {
	return json.Unmarshal(m.Payload, v)
}
