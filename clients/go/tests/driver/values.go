package main

import (
	"encoding/json"
	"reflect"
	"time"

	mq "redis-mq/clients/go"
)

// message is what the contract shows of a message: fields that do not apply are left out.
type message struct {
	ID               string            `json:"id"`
	Queue            string            `json:"queue"`
	Payload          []byte            `json:"payload"`
	Timestamp        int64             `json:"timestamp"`
	RetryCount       int               `json:"retry_count"`
	Headers          map[string]string `json:"headers,omitempty"`
	Priority         int               `json:"priority,omitempty"`
	Group            string            `json:"group,omitempty"`
	ExpiresAt        int64             `json:"expires_at,omitempty"`
	Receipt          string            `json:"receipt,omitempty"`
	VisibilityUntil  int64             `json:"visibility_until,omitempty"`
	Deliveries       int               `json:"deliveries,omitempty"`
	FirstDeliveredAt int64             `json:"first_delivered_at,omitempty"`
	LastError        string            `json:"last_error,omitempty"`
	State            mq.State          `json:"state,omitempty"`
	Consumer         string            `json:"consumer,omitempty"`
	DueAt            int64             `json:"due_at,omitempty"`
	DeadFrom         string            `json:"dead_from,omitempty"`
	DeadAt           int64             `json:"dead_at,omitempty"`
	DeadReason       string            `json:"dead_reason,omitempty"`
	DeadRetries      *int              `json:"dead_retries,omitempty"`
}

func shown(m *mq.Message) *message {
	if m == nil {
		return nil
	}
	all := &message{
		ID: m.ID, Queue: m.Queue, Payload: m.Payload, Timestamp: unixMilli(m.Timestamp), RetryCount: m.RetryCount, Headers: m.Headers,
		Priority: m.Priority, Group: m.Group, ExpiresAt: unixMilli(m.ExpiresAt), Receipt: m.Receipt, VisibilityUntil: unixMilli(m.VisibilityUntil),
		Deliveries: m.Deliveries, FirstDeliveredAt: unixMilli(m.FirstDeliveredAt), LastError: m.LastError, State: m.State, Consumer: m.Consumer,
		DueAt: unixMilli(m.DueAt), DeadFrom: m.DeadFrom, DeadAt: unixMilli(m.DeadAt), DeadReason: m.DeadReason,
	}
	if m.DeadFrom != "" {
		all.DeadRetries = &m.DeadRetries
	}
	return all
}

func shownAll(messages []*mq.Message) []*message {
	all := make([]*message, len(messages))
	for i, one := range messages {
		all[i] = shown(one)
	}
	return all
}

func (m *message) delivery() *mq.Message {
	return &mq.Message{Queue: m.Queue, ID: m.ID, Receipt: m.Receipt}
}

func deliveries(messages []*message) []*mq.Message {
	all := make([]*mq.Message, len(messages))
	for i, one := range messages {
		all[i] = one.delivery()
	}
	return all
}

// onDisconnect is true, or an object.
type onDisconnect struct {
	NoCount bool  `json:"no_count"`
	Grace   int64 `json:"grace"`
}

func (o *onDisconnect) UnmarshalJSON(text []byte) error {
	if string(text) == "true" {
		return nil
	}
	type object onDisconnect
	return json.Unmarshal(text, (*object)(o))
}

func outcomes(results []error, err error) ([]string, error) {
	words := make([]string, len(results))
	for i, result := range results {
		if words[i] = "done"; result != nil {
			words[i] = nameOf(result)
		}
	}
	return words, err
}

func extensions(results []mq.Extension, err error) ([]any, error) {
	all := make([]any, len(results))
	for i, result := range results {
		if all[i] = result.Until.UnixMilli(); result.Err != nil {
			all[i] = nameOf(result.Err)
		}
	}
	return all, err
}

// fields shows Settings and Info by the names that the server has for their fields.
func fields(structure any) map[string]any {
	value := reflect.ValueOf(structure)
	if value.IsNil() {
		return nil
	}
	all := map[string]any{}
	for _, field := range reflect.VisibleFields(value.Elem().Type()) {
		name := field.Tag.Get("mq")
		if name == "" {
			continue
		}
		switch one := value.Elem().FieldByIndex(field.Index).Interface().(type) {
		case time.Duration:
			all[name] = one.Milliseconds()
		case time.Time:
			all[name] = unixMilli(one)
		case bool:
			all[name] = bit(one)
		case mq.Histogram:
			all[name] = histogram(one)
		default:
			all[name] = one
		}
	}
	return all
}

func histogram(one mq.Histogram) map[string]any {
	buckets := map[int64]int{}
	for bound, count := range one.Buckets {
		buckets[bound.Milliseconds()] = count
	}
	return map[string]any{"count": one.Count, "sum_ms": one.Sum.Milliseconds(), "buckets": buckets}
}

// stats are the fields of info and the name of the queue, or that and the error.
func stats(one *mq.Stats) map[string]any {
	if one.Error != "" {
		return map[string]any{"queue": one.Queue, "error": one.Error}
	}
	all := fields(one)
	delete(all, "error")
	return all
}

// changes turns the numbers of JSON into those of the settings: the contract has lengths of time in milliseconds.
func changes(settings map[string]any) mq.Changes {
	all := mq.Changes{}
	for name, value := range settings {
		number, isNumber := value.(float64)
		switch name {
		case "visibility", "backoff", "backoffmax", "delay", "ttl", "rateperiod", "aging", "dedupwindow", "expires":
			all[name] = length(int64(number))
		default:
			if all[name] = value; isNumber {
				all[name] = int(number)
			}
		}
	}
	return all
}

func length(ms int64) time.Duration {
	return time.Duration(ms) * time.Millisecond
}

// overriding is the length of an argument that may be 0.
func overriding(ms *int64) time.Duration {
	switch {
	case ms == nil:
		return 0
	case *ms == 0:
		return mq.None
	}
	return length(*ms)
}

func bit(isSet bool) int {
	if isSet {
		return 1
	}
	return 0
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func unixMilli(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}
