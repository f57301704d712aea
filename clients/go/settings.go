package mq

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings are the settings of a queue. Limits that are 0 are none.
type Settings struct {
	Visibility    time.Duration `mq:"visibility"`
	MaxRetries    int           `mq:"maxretries"` // -1: no limit
	DeadLetter    string        `mq:"deadletter"`
	Backoff       time.Duration `mq:"backoff"`
	BackoffMax    time.Duration `mq:"backoffmax"`
	Delay         time.Duration `mq:"delay"`
	TTL           time.Duration `mq:"ttl"`
	MaxLen        int           `mq:"maxlen"`
	MaxInFlight   int           `mq:"maxinflight"`
	Rate          int           `mq:"rate"`
	RatePeriod    time.Duration `mq:"rateperiod"`
	Aging         time.Duration `mq:"aging"`
	GroupInFlight int           `mq:"groupinflight"`
	DedupWindow   time.Duration `mq:"dedupwindow"`
	MaxDedup      int           `mq:"maxdedup"`
	Expires       time.Duration `mq:"expires"`
}

// Info is the settings, the state and the counters of a queue, as docs/commands/mq.info.md describes them.
type Info struct {
	Settings
	Exists            bool          `mq:"exists"`
	DeadLetterWaiting int           `mq:"deadletter_waiting"` // ready messages of the dead-letter queue
	Ready             int           `mq:"ready"`
	InFlight          int           `mq:"inflight"`
	Delayed           int           `mq:"delayed"`
	Priorities        map[int]int   `mq:"priorities"` // ready messages by priority
	Groups            int           `mq:"groups"`
	DedupKeys         int           `mq:"dedup_keys"`
	Paused            bool          `mq:"paused"`
	PausedUntil       time.Time     `mq:"paused_until"` // zero: not paused, or until Resume
	RateWindowStart   time.Time     `mq:"rate_window_start"`
	RateWindowCount   int           `mq:"rate_window_count"`
	OldestReadyAge    time.Duration `mq:"oldest_ready_age_ms"`
	OldestInFlightAge time.Duration `mq:"oldest_inflight_age_ms"`
	OldestDelayedAge  time.Duration `mq:"oldest_delayed_age_ms"`
	NextDueAt         time.Time     `mq:"next_due_at"`
	HighestRetryCount int           `mq:"highest_retry_count"`
	BlockedClients    int           `mq:"blocked_clients"`
	Damaged           int           `mq:"damaged"`
	Schedules         int           `mq:"schedules"`
	NextTickAt        time.Time     `mq:"next_tick_at"` // zero: no schedule ticks

	// Counters since the server started.
	Pushed        int `mq:"pushed"`
	Pulled        int `mq:"pulled"`
	Acked         int `mq:"acked"`
	LateAcks      int `mq:"late_acks"`
	Nacked        int `mq:"nacked"`
	Expired       int `mq:"expired"`
	Dead          int `mq:"dead"`
	DeadDiscarded int `mq:"dead_discarded"`
	BadReceipts   int `mq:"bad_receipts"`
	TTLExpired    int `mq:"ttl_expired"`
	Deduplicated  int `mq:"deduplicated"`
	Redriven      int `mq:"redriven"`
	RefusedFull   int `mq:"refused_full"`
	Deleted       int `mq:"deleted"`
	Ticks         int `mq:"ticks"`
	TicksMissed   int `mq:"ticks_missed"`
	TicksSkipped  int `mq:"ticks_skipped"`

	DeliveryTimes   Histogram `mq:"delivery_times"`   // from the push of a message to its first delivery; a delay is part of it
	ProcessingTimes Histogram `mq:"processing_times"` // from a delivery to its acknowledgment
}

// Histogram is how long something took, each time since the server started.
type Histogram struct {
	Count int           `mq:"count"`
	Sum   time.Duration `mq:"sum_ms"`
	// How many times were at most as long as each bound. Bounds without a time of their own are left out, as times beyond the last bound, twelve
	// days.
	Buckets map[time.Duration]int `mq:"buckets"`
}

// Stats is what [Client.Stats] shows of one queue.
type Stats struct {
	Queue string `mq:"queue"`
	Error string `mq:"error"` // the text of the server if the queue can't be read, and there is nothing else
	Info
}

// Changes are new values of settings, by the names that MQ.CONFIG has for them, in lower or upper case. Values are numbers, texts, lengths
// of time, or nil for the default:
//
//	mq.Changes{"visibility": time.Minute, "maxretries": 3, "deadletter": "{orders}:failed", "ttl": nil}
type Changes map[string]any

// Info shows the settings, the state and the counters of a queue.
func (c *Client) Info(ctx context.Context, queue string) (*Info, error) {
	reply, err := c.do(ctx, "MQ.INFO", queue)
	if err != nil {
		return nil, err
	}
	info := &Info{}
	return info, decode(reply, info)
}

// Stats shows what [Client.Info] shows, of the queues whose names match a pattern as that of KEYS, "" for all: in byte order, in a cluster those of
// all masters.
func (c *Client) Stats(ctx context.Context, match string) ([]*Stats, error) {
	arguments := words{"MQ.STATS"}
	arguments.text("MATCH", match)
	all, err := onMasters(ctx, c, arguments, asStats)
	slices.SortFunc(all, func(one, other *Stats) int { return strings.Compare(one.Queue, other.Queue) })
	return all, err
}

func asStats(reply any, err error) ([]*Stats, error) {
	if err != nil {
		return nil, err
	}
	return asEach(reply, func(one any) (*Stats, error) {
		stats := &Stats{}
		return stats, decode(one, stats)
	})
}

// Config shows the settings of a queue.
func (c *Client) Config(ctx context.Context, queue string) (*Settings, error) {
	reply, err := c.do(ctx, "MQ.CONFIG", queue)
	if err != nil {
		return nil, err
	}
	settings := &Settings{}
	return settings, decode(reply, settings)
}

// Configure changes settings of a queue, all or none. Errors: [ErrInvalidArgument].
func (c *Client) Configure(ctx context.Context, queue string, changes Changes) error {
	arguments := words{"MQ.CONFIG", queue}
	for name, value := range changes {
		option := strings.ToUpper(name)
		switch value := value.(type) {
		case time.Duration:
			arguments = append(arguments, option, milliseconds(value))
		case nil:
			if option == "DEADLETTER" {
				arguments = append(arguments, "DEFAULTDEADLETTER")
			} else {
				arguments = append(arguments, option, "")
			}
		default:
			arguments = append(arguments, option, fmt.Sprint(value))
		}
	}
	if len(changes) == 0 {
		return nil
	}
	_, err := c.do(ctx, arguments...)
	return err
}

// decode sets the fields of a struct by the names in their tags.
func decode(reply any, into any) error {
	fields := map[string]reflect.Value{}
	structure := reflect.ValueOf(into).Elem()
	for _, field := range reflect.VisibleFields(structure.Type()) {
		if name := field.Tag.Get("mq"); name != "" {
			fields[name] = structure.FieldByIndex(field.Index)
		}
	}
	return eachField(reply, func(name string, value any) {
		if field, isKnown := fields[name]; isKnown {
			setField(field, value)
		}
	})
}

func setField(field reflect.Value, value any) {
	number, _ := value.(int64)
	switch target := field.Addr().Interface().(type) {
	case *int:
		*target = int(number)
	case *bool:
		*target = number != 0
	case *string:
		*target = fmt.Sprint(value)
	case *time.Duration:
		*target = time.Duration(number) * time.Millisecond
	case *time.Time:
		if number != 0 {
			*target = time.UnixMilli(number)
		}
	case *Histogram:
		_ = decode(value, target)
	case *map[int]int:
		*target = counts(value, func(priority int) int { return priority })
	case *map[time.Duration]int:
		*target = counts(value, func(bound int) time.Duration { return time.Duration(bound) * time.Millisecond })
	}
}

// counts turns a map from numbers to counts into one with other keys.
func counts[K comparable](reply any, key func(number int) K) map[K]int {
	all := map[K]int{}
	_ = eachField(reply, func(name string, value any) {
		if number, err := strconv.Atoi(name); err == nil {
			count, _ := value.(int64)
			all[key(number)] = int(count)
		}
	})
	return all
}
