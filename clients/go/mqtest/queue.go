package mqtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	mq "redis-mq/clients/go"
)

// queue is a queue by the rules of docs/delivery.md.
type queue struct {
	fake         *Fake
	name         string
	settings     mq.Settings
	isConfigured bool
	isPaused     bool
	pausedUntil  time.Time // zero: until it is resumed
	entries      map[string]*entry
	keys         map[string]key // deduplication keys
	turns        []string       // groups with something to deliver, and "" for all without a group
	windowStart  time.Time
	windowCount  int
	counters     mq.Info
	usedAt       time.Time // for EXPIRES
}

// key is who holds a deduplication key.
type key struct {
	id    string
	until time.Time // zero: until the message is done
}

func newQueue(f *Fake, name string) *queue {
	return &queue{fake: f, name: name, settings: defaults(name), entries: map[string]*entry{}, keys: map[string]key{}}
}

func (q *queue) exists() bool {
	return q.isConfigured || q.isPaused || len(q.entries) > 0 || len(q.keys) > 0
}

func (q *queue) push(payloads [][]byte, options *mq.PushOptions) ([]string, error) {
	if options == nil {
		options = &mq.PushOptions{}
	}
	if err := checkPush(options); err != nil {
		return nil, err
	}
	q.usedAt = q.fake.now
	if held, isHeld := q.keys[options.Dedup]; options.Dedup != "" && isHeld {
		q.counters.Deduplicated++
		return []string{held.id}, nil
	}
	full := ""
	if limit := q.settings.MaxLen; limit > 0 && len(q.entries)+len(payloads) > limit {
		full = fmt.Sprintf("MAXLEN of '%s' is %d", q.name, limit)
	} else if limit := q.settings.MaxDedup; limit > 0 && options.Dedup != "" && len(q.keys) >= limit {
		full = fmt.Sprintf("MAXDEDUP of '%s' is %d", q.name, limit)
	}
	if full != "" {
		q.counters.RefusedFull += len(payloads)
		return nil, fmt.Errorf("%w: %s", mq.ErrQueueFull, full)
	}
	ids := make([]string, len(payloads))
	for i, payload := range payloads {
		ids[i] = q.add(payload, options)
	}
	q.counters.Pushed += len(payloads)
	return ids, nil
}

func (q *queue) add(payload []byte, options *mq.PushOptions) string {
	now := q.fake.now
	e := newEntry(q.fake, payload, options)
	if ttl := cmp.Or(options.TTL, q.settings.TTL); ttl > 0 {
		e.shown.ExpiresAt, e.diesOfTTL = now.Add(ttl), options.TTLDead
	}
	due := options.At
	if due.IsZero() {
		due = now.Add(cmp.Or(options.Delay, q.settings.Delay))
	}
	q.entries[e.shown.ID] = e
	e.pushed = q.fake.next()
	e.becomeReady(e.pushed)
	if due.After(now) {
		e.delay(due)
	}
	if options.Dedup != "" {
		held := key{id: e.shown.ID}
		if !options.UntilDone {
			held.until = now.Add(cmp.Or(options.Window, q.settings.DedupWindow))
		}
		q.keys[options.Dedup] = held
	}
	return e.shown.ID
}

// pull takes up to count messages.
func (q *queue) pull(count int, options *mq.PullOptions) []*mq.Message {
	q.usedAt = q.fake.now
	messages := []*mq.Message{}
	for len(messages) < count && q.mayDeliver() {
		e := q.pick()
		if e == nil {
			break
		}
		q.windowCount++
		q.counters.Pulled++
		messages = append(messages, q.deliver(e, options))
	}
	return messages
}

func (q *queue) mayDeliver() bool {
	now := q.fake.now
	if q.isPaused || q.settings.MaxInFlight > 0 && len(q.in(mq.StateInFlight)) >= q.settings.MaxInFlight {
		return false
	}
	if !now.Before(q.windowStart.Add(q.settings.RatePeriod)) {
		q.windowStart, q.windowCount = now, 0
	}
	return q.settings.Rate == 0 || q.windowCount < q.settings.Rate
}

// pick returns the next message: groups with something to deliver take turns, and all without a group are one.
func (q *queue) pick() *entry {
	first := q.firsts()
	if len(q.turns) > 0 && first[""] != nil && !slices.Contains(q.turns, "") {
		q.turns = append(q.turns, "")
	}
	for _, group := range q.turns {
		if e := first[group]; e != nil {
			return e
		}
	}
	return first[""]
}

// pass ends the turn of a group.
func (q *queue) pass(group string) {
	q.turns = slices.DeleteFunc(q.turns, func(other string) bool { return other == group })
	if group == "" && len(q.turns) > 0 {
		q.turns = append(q.turns, group)
	}
	q.schedule()
}

// schedule gives each group a turn that can deliver something now, the last one. Messages without a group need turns only beside groups.
func (q *queue) schedule() {
	first := q.firsts()
	q.turns = slices.DeleteFunc(q.turns, func(group string) bool { return group != "" && first[group] == nil })
	for _, group := range slices.Sorted(maps.Keys(first)) {
		if group != "" && !slices.Contains(q.turns, group) {
			q.turns = append(q.turns, group)
		}
	}
	isGrouped := func(e *entry) bool { return e.group() != "" }
	if !slices.ContainsFunc(q.in(mq.StateReady), isGrouped) {
		q.turns = nil
	}
}

// firsts returns the next message of each group that may deliver one.
func (q *queue) firsts() map[string]*entry {
	first := map[string]*entry{}
	for _, e := range q.inOrder(mq.StateReady) {
		if group := e.group(); first[group] == nil && q.hasSlot(group) {
			first[group] = e
		}
	}
	return first
}

// hasSlot reports whether a group may have one more message in flight. Those that wait for their retry count too.
func (q *queue) hasSlot(group string) bool {
	used := 0
	for _, e := range q.entries {
		if e.group() == group && (e.state == mq.StateInFlight || e.state == mq.StateDelayed && e.deliveries > 0) {
			used++
		}
	}
	return group == "" || used < q.settings.GroupInFlight
}

func (q *queue) deliver(e *entry, options *mq.PullOptions) *mq.Message {
	now := q.fake.now
	e.deliveries++
	if e.firstDelivered.IsZero() {
		e.firstDelivered = now
	}
	e.wasHere = true
	if options.NoAck {
		q.remove(e)
		q.pass(e.group())
		return e.show(q.name)
	}
	e.state = mq.StateInFlight
	e.until = now.Add(cmp.Or(options.Visibility, q.settings.Visibility))
	e.consumer = options.Consumer
	e.receipt, e.lateReceipt = fmt.Sprintf("%016x", q.fake.next()), ""
	q.pass(e.group())
	message := e.show(q.name)
	message.State, message.Consumer, message.Receipt = "", "", e.receipt
	return message
}

// held returns the message that a receipt is for.
func (q *queue) held(m *mq.Message, acceptsLate bool) (*entry, error) {
	e := q.entries[m.ID]
	switch {
	case e == nil || !e.wasHere:
		return nil, mq.ErrNotFound
	case e.receipt != "" && e.receipt == m.Receipt, acceptsLate && e.lateReceipt != "" && e.lateReceipt == m.Receipt:
		return e, nil
	}
	q.counters.BadReceipts++
	return nil, mq.ErrInvalidReceipt
}

func (q *queue) ack(m *mq.Message) error {
	e, err := q.held(m, true)
	if err != nil {
		return err
	}
	q.counters.Acked++
	if e.state != mq.StateInFlight {
		q.counters.LateAcks++
	}
	q.remove(e)
	return nil
}

func (q *queue) nack(m *mq.Message, options *mq.NackOptions) error {
	e, err := q.held(m, false)
	if err != nil {
		return err
	}
	q.counters.Nacked++
	if options.Reason != "" {
		e.shown.LastError = shortened(options.Reason)
	}
	if options.Dead {
		q.die(e, "rejected")
		return nil
	}
	delay := options.Delay
	if delay == 0 && !options.NoCount {
		delay = q.backoff(e.shown.RetryCount + 1)
	}
	e.receipt = ""
	place := e.original()
	if !options.Front {
		place = q.behind(e)
	}
	q.giveBack(e, !options.NoCount, delay, place)
	return nil
}

// extend restarts a visibility, also one that has ended.
func (q *queue) extend(m *mq.Message, visibility time.Duration) (time.Time, error) {
	e, err := q.held(m, true)
	if err != nil {
		return time.Time{}, err
	}
	until := q.fake.now.Add(cmp.Or(visibility, q.settings.Visibility))
	if e.state != mq.StateInFlight {
		e.state, e.receipt, e.lateReceipt = mq.StateInFlight, e.lateReceipt, ""
		e.shown.RetryCount--
	} else if visibility == 0 && until.Before(e.until) {
		until = e.until
	}
	e.until = until
	return until, nil
}

// extendConsumer extends what is in flight under a name, and returns how many.
func (q *queue) extendConsumer(consumer string, visibility time.Duration) (count int) {
	for _, e := range q.in(mq.StateInFlight) {
		if e.consumer == consumer {
			_, _ = q.extend(&mq.Message{ID: e.shown.ID, Receipt: e.receipt}, visibility)
			count++
		}
	}
	return count
}

func (q *queue) backoff(retry int) time.Duration {
	delay := q.settings.Backoff
	for ; retry > 1 && delay < q.settings.BackoffMax; retry-- {
		delay *= 2
	}
	return min(delay, q.settings.BackoffMax)
}

// behind returns the order of a message that becomes ready: behind all others, but one that returns is the first of its group.
func (q *queue) behind(e *entry) int64 {
	if e.group() != "" && e.wasHere {
		return e.order
	}
	return q.fake.next()
}

// giveBack ends a delivery. order is the place of the message if it is ready at once.
func (q *queue) giveBack(e *entry, counts bool, delay time.Duration, order int64) {
	if e.isExpired(q.fake.now) {
		q.expire(e)
		return
	}
	if counts {
		if limit := q.settings.MaxRetries; limit >= 0 && e.shown.RetryCount+1 > limit && !e.isDead() {
			q.die(e, "retries")
			return
		}
		e.shown.RetryCount++
	}
	e.becomeReady(order)
	if delay > 0 {
		e.delay(q.fake.now.Add(delay))
	}
}

// expire ends a message whose time to live is over.
func (q *queue) expire(e *entry) {
	if e.diesOfTTL && !e.isDead() {
		q.die(e, "expired")
		return
	}
	q.counters.TTLExpired++
	q.remove(e)
}

// die moves a message to the dead-letter queue.
func (q *queue) die(e *entry, reason string) {
	q.remove(e)
	q.counters.Dead++
	now := q.fake.now
	m := &e.shown
	m.DeadFrom, m.DeadAt, m.DeadReason, m.DeadRetries = q.name, now, reason, m.RetryCount
	grave := q.fake.queue(q.settings.DeadLetter)
	if limit := grave.settings.MaxLen; limit > 0 && len(grave.entries) >= limit {
		for _, oldest := range grave.inOrder(mq.StateReady) {
			if oldest.isDead() {
				grave.remove(oldest)
				q.counters.DeadDiscarded++
				break
			}
		}
	}
	m.ExpiresAt = time.Time{}
	if ttl := grave.settings.TTL; ttl > 0 {
		m.ExpiresAt = now.Add(ttl)
	}
	grave.receive(e)
	e.died = e.order
}

// receive takes a message from another queue, behind all others.
func (q *queue) receive(e *entry) {
	e.shown.RetryCount = 0
	e.receipt, e.lateReceipt, e.wasHere = "", "", false
	q.entries[e.shown.ID] = e
	e.becomeReady(q.fake.next())
	q.schedule()
}

func (q *queue) remove(e *entry) {
	delete(q.entries, e.shown.ID)
	for name, held := range q.keys {
		if held.id == e.shown.ID && held.until.IsZero() {
			delete(q.keys, name)
		}
	}
}

// isUnused reports that the queue was not used for as long as its setting allows.
func (q *queue) isUnused() bool {
	return q.settings.Expires > 0 && !q.fake.now.Before(q.usedAt.Add(q.settings.Expires))
}

// sweep does what is due: times to live first, then visibilities, then delays.
func (q *queue) sweep() {
	now := q.fake.now
	if q.isPaused && !q.pausedUntil.IsZero() && !now.Before(q.pausedUntil) {
		q.isPaused, q.pausedUntil = false, time.Time{}
	}
	for name, held := range q.keys {
		if !held.until.IsZero() && !now.Before(held.until) {
			delete(q.keys, name)
		}
	}
	for _, e := range q.inOrder(mq.StateAny) {
		if e.isExpired(now) && e.state != mq.StateInFlight {
			q.expire(e)
		}
	}
	for _, e := range q.in(mq.StateInFlight) {
		if !now.Before(e.until) {
			q.counters.Expired++
			e.lateReceipt, e.receipt = e.receipt, ""
			q.giveBack(e, true, 0, e.original())
			q.schedule()
		}
	}
	for _, e := range q.in(mq.StateDelayed) {
		if !now.Before(e.due) {
			e.becomeReady(q.behind(e))
			q.schedule()
		}
	}
}

// in returns the messages in a state, those that are due first in front.
func (q *queue) in(state mq.State) []*entry {
	var found []*entry
	for _, e := range q.entries {
		if e.state == state || state == mq.StateAny {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *entry) int {
		switch state {
		case mq.StateInFlight:
			return cmp.Or(a.until.Compare(b.until), strings.Compare(a.receipt, b.receipt))
		case mq.StateDelayed:
			return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.order, b.order))
		}
		return cmp.Compare(a.order, b.order)
	})
	return found
}

// inOrder returns the messages in a state in the order of delivery, as far as groups do not change it.
func (q *queue) inOrder(state mq.State) []*entry {
	found := q.in(state)
	slices.SortStableFunc(found, func(a, b *entry) int { return b.priority() - a.priority() })
	return found
}

// grouped returns the ready messages as Peek shows them: those without a group, then the groups in turn, then those that must wait.
func (q *queue) grouped() []*entry {
	place := func(e *entry) int {
		if turn := slices.Index(q.turns, e.group()); turn >= 0 {
			return turn
		}
		return len(q.turns)
	}
	found := q.inOrder(mq.StateReady)
	slices.SortStableFunc(found, func(a, b *entry) int {
		if a.group() == "" || b.group() == "" {
			return cmp.Compare(min(1, len(a.group())), min(1, len(b.group())))
		}
		return cmp.Or(cmp.Compare(place(a), place(b)), strings.Compare(a.group(), b.group()))
	})
	return found
}
