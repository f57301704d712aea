package mq

import (
	"sync"
	"time"
)

// acks are the messages that are to be acknowledged. The next pull takes them along; if none comes in time, they are sent.
type acks struct {
	delay time.Duration
	send  func([]*Message)

	lock    sync.Mutex
	pending []*Message
	timer   *time.Timer
	sending sync.WaitGroup
}

func newAcks(delay time.Duration, send func([]*Message)) *acks {
	a := &acks{delay: max(0, delay), send: send}
	a.timer = time.AfterFunc(time.Hour, a.flush)
	a.timer.Stop()
	return a
}

func (a *acks) add(message *Message) {
	a.restore([]*Message{message})
}

// restore adds messages, also those that a pull took and may not have acknowledged.
func (a *acks) restore(messages []*Message) {
	a.lock.Lock()
	defer a.lock.Unlock()
	if len(a.pending) == 0 && len(messages) > 0 {
		a.timer.Reset(a.delay)
	}
	a.pending = append(a.pending, messages...)
}

func (a *acks) take() []*Message {
	a.lock.Lock()
	defer a.lock.Unlock()
	return a.takeLocked()
}

func (a *acks) takeLocked() []*Message {
	a.timer.Stop()
	taken := a.pending
	a.pending = nil
	return taken
}

// flush sends what is there.
func (a *acks) flush() {
	a.lock.Lock()
	messages := a.takeLocked()
	if len(messages) > 0 {
		a.sending.Add(1)
		defer a.sending.Done()
	}
	a.lock.Unlock()
	a.send(messages)
}

// close sends what is there, and waits for what is being sent.
func (a *acks) close() {
	a.flush()
	a.sending.Wait()
}
