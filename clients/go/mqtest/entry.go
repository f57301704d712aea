package mqtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
	"unicode/utf8"

	mq "redis-mq/clients/go"
)

// entry is a message of a queue.
type entry struct {
	shown          mq.Message // what does not depend on its state
	state          mq.State
	order          int64     // its place among the messages of its priority
	pushed, died   int64     // its places when it was pushed and when it died
	diesOfTTL      bool      // at the end of its time to live, instead of being discarded
	due            time.Time // if it is delayed
	until          time.Time // if it is in flight
	consumer       string
	receipt        string // of the delivery that is current
	lateReceipt    string // of the last delivery, if that ended with its visibility
	deliveries     int
	firstDelivered time.Time
	wasHere        bool // it was delivered in this queue
}

func newEntry(f *Fake, payload []byte, options *mq.PushOptions) *entry {
	return &entry{shown: mq.Message{
		ID: newID(f), Payload: slices.Clone(payload), Timestamp: f.now, Headers: maps.Clone(options.Headers),
		Priority: options.Priority, Group: options.Group,
	}}
}

// newID returns a UUID of version 7. Ids of later messages are greater.
func newID(f *Fake) string {
	ms, number := f.now.UnixMilli(), f.next()
	return fmt.Sprintf("%08x-%04x-7%03x-8%03x-%012x", ms>>16, ms&0xffff, number>>12&0xfff, number&0xfff, rand.Uint64()>>16)
}

func (e *entry) becomeReady(order int64) {
	e.state, e.order, e.due, e.until, e.consumer = mq.StateReady, order, time.Time{}, time.Time{}, ""
}

func (e *entry) delay(until time.Time) {
	e.state, e.due = mq.StateDelayed, until
}

func (e *entry) isDead() bool { return e.shown.DeadFrom != "" }

// group and priority have no effect on dead letters.
func (e *entry) group() string {
	if e.isDead() {
		return ""
	}
	return e.shown.Group
}

func (e *entry) priority() int {
	if e.isDead() {
		return 0
	}
	return e.shown.Priority
}

func (e *entry) isExpired(now time.Time) bool {
	return !e.shown.ExpiresAt.IsZero() && !now.Before(e.shown.ExpiresAt)
}

// original is the place of a message that returns as if it had not been delivered. In a group it is the first in any case.
func (e *entry) original() int64 {
	switch {
	case e.isDead():
		return e.died
	case e.shown.Group != "":
		return e.order
	}
	return e.pushed
}

// show returns the message as Peek shows it.
func (e *entry) show(queue string) *mq.Message {
	message := e.shown
	message.Queue, message.State, message.Consumer, message.DueAt, message.VisibilityUntil = queue, e.state, e.consumer, e.due, e.until
	message.Payload, message.Headers = slices.Clone(message.Payload), maps.Clone(message.Headers)
	if e.deliveries > 1 || e.deliveries == 1 && e.state != mq.StateInFlight {
		message.Deliveries, message.FirstDeliveredAt = e.deliveries, e.firstDelivered
	}
	return &message
}

// shortened keeps the first 1,024 bytes of a reason, and no part of a character.
func shortened(reason string) string {
	const limit = 1024
	if len(reason) <= limit {
		return reason
	}
	end := limit
	for end > 0 && !utf8.RuneStart(reason[end]) {
		end--
	}
	return reason[:end]
}
