package mq

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// CatchUp says which ticks that are late have a message, because no server was running.
type CatchUp string

// The newest late tick has a message by default.
const (
	CatchUpOne  CatchUp = "one"
	CatchUpNone CatchUp = "none"
	CatchUpAll  CatchUp = "all"
)

// Overlap says whether a tick has a message while an earlier one of its schedule is ready, delayed or in flight.
type Overlap string

// Ticks have their messages in any case by default.
const (
	OverlapAllow Overlap = "allow"
	OverlapSkip  Overlap = "skip"
)

// ScheduleOptions say when a schedule ticks, and how its messages are pushed. One of Every and Cron is needed.
type ScheduleOptions struct {
	// Every is the time from tick to tick: from Start on, or else from when the schedule was first set. 100 ms to 365 days.
	Every time.Duration
	// Cron is an expression of five fields, or a word as "@daily": docs/schedules.md describes them.
	Cron string
	// Zone is the IANA time zone of Cron, as "Europe/Berlin". Default: UTC.
	Zone string
	// Start and End bound the ticks.
	Start, End time.Time
	// Limit ends the schedule after so many messages. 0: no limit.
	Limit int
	// Jitter is the time over which messages of schedules with the same ticks are spread.
	Jitter time.Duration
	// CatchUp is about ticks that are late. Default: [CatchUpOne].
	CatchUp CatchUp
	// Overlap is about messages that are not done when the next tick comes. Default: [OverlapAllow].
	Overlap Overlap
	// Paused schedules have no ticks.
	Paused bool

	// TTL, TTLDead, Priority, Group and Headers are those of the messages: see [PushOptions].
	TTL      time.Duration
	TTLDead  bool
	Priority int
	Group    string
	Headers  map[string]string
}

func (o *ScheduleOptions) add(w *words) {
	if o == nil {
		return
	}
	w.length("EVERY", o.Every)
	w.text("CRON", o.Cron)
	w.text("TZ", o.Zone)
	w.timestamp("START", o.Start)
	w.timestamp("END", o.End)
	w.number("LIMIT", o.Limit)
	w.length("JITTER", o.Jitter)
	w.text("CATCHUP", string(o.CatchUp))
	w.text("OVERLAP", string(o.Overlap))
	if o.Paused {
		*w = append(*w, "PAUSED", 1)
	}
	(&PushOptions{TTL: o.TTL, TTLDead: o.TTLDead, Priority: o.Priority, Group: o.Group, Headers: o.Headers}).add(w)
}

// Schedule is a schedule as the server shows it. Its options are as they were set, with the defaults of Zone, CatchUp and Overlap.
type Schedule struct {
	Name    string
	Payload []byte
	ScheduleOptions
	NextTick  time.Time // without jitter; zero: it is paused
	LastTick  time.Time // zero: there was none
	Runs      int       // ticks that had a message
	Missed    int       // late ticks without a message of their own
	Skipped   int       // ticks without a message because of OverlapSkip or a full queue
	Triggered int       // messages of Trigger
}

// Schedule sets a schedule, which pushes a message at each of its ticks. A program may do so at every start: with the same options, nothing
// changes. It reports whether the schedule is new; if go-redis retried it after a lost reply, false may mean that the first attempt was
// executed. Errors: [ErrInvalidArgument].
func (c *Client) Schedule(ctx context.Context, queue, name string, payload []byte, options *ScheduleOptions) (bool, error) {
	arguments := words{"MQ.SCHEDULE", queue, name, payload}
	options.add(&arguments)
	return asTruth(c.do(ctx, arguments...))
}

// Unschedule removes a schedule, and reports whether there was one. The messages that it has pushed stay.
func (c *Client) Unschedule(ctx context.Context, queue, name string) (bool, error) {
	return asTruth(c.do(ctx, "MQ.UNSCHEDULE", queue, name))
}

// SchedulesOptions say which schedules are shown. The zero value: the first 100.
type SchedulesOptions struct {
	Match  string // a pattern of names as that of KEYS
	Offset int
	Count  int // up to 1,000
}

// Schedules shows the schedules of a queue, the next tick first and those that are paused last.
func (c *Client) Schedules(ctx context.Context, queue string, options *SchedulesOptions) ([]*Schedule, error) {
	arguments := words{"MQ.SCHEDULES", queue}
	if options != nil {
		arguments.text("MATCH", options.Match)
		arguments.number("OFFSET", options.Offset)
		arguments.number("COUNT", options.Count)
	}
	reply, err := c.do(ctx, arguments...)
	if err != nil {
		return nil, err
	}
	return asEach(reply, asSchedule)
}

// NextTicksOptions say which ticks are shown. The zero value: the next 10.
type NextTicksOptions struct {
	Count int       // up to 1,000
	From  time.Time // ticks at or after this time
}

// NextTicks computes the next ticks of a schedule, without its jitter; if it is paused, those that it would have. Errors: [ErrNotFound].
func (c *Client) NextTicks(ctx context.Context, queue, name string, options *NextTicksOptions) ([]time.Time, error) {
	arguments := words{"MQ.NEXT", queue, name}
	if options != nil {
		arguments.number("COUNT", options.Count)
		arguments.timestamp("FROM", options.From)
	}
	reply, err := c.do(ctx, arguments...)
	if err != nil {
		return nil, err
	}
	return asEach(reply, asMoment)
}

// Trigger pushes a message of a schedule now, besides its ticks, and returns its id; with [OverlapSkip], the id of an earlier message that is
// not done. Errors: [ErrNotFound], [ErrQueueFull].
func (c *Client) Trigger(ctx context.Context, queue, name string) (string, error) {
	return asText(c.once(ctx, queue, 0, "MQ.TRIGGER", queue, name))
}

func asSchedule(reply any) (*Schedule, error) {
	schedule := &Schedule{}
	err := eachField(reply, schedule.set)
	return schedule, err
}

// set sets one field. Fields that it does not know are those of later versions.
func (s *Schedule) set(name string, value any) {
	text, _ := value.(string)
	number, _ := value.(int64)
	switch name {
	case "name":
		s.Name = text
	case "payload":
		s.Payload = []byte(text)
	case "every":
		s.Every = time.Duration(number) * time.Millisecond
	case "cron":
		s.Cron = text
	case "zone":
		s.Zone = text
	case "start":
		s.Start = time.UnixMilli(number)
	case "end":
		s.End = time.UnixMilli(number)
	case "limit":
		s.Limit = int(number)
	case "jitter":
		s.Jitter = time.Duration(number) * time.Millisecond
	case "catchup":
		s.CatchUp = CatchUp(strings.ToLower(text))
	case "overlap":
		s.Overlap = Overlap(strings.ToLower(text))
	case "paused":
		s.Paused = number == 1
	case "ttl":
		if s.TTL = time.Duration(number) * time.Millisecond; number == 0 {
			s.TTL = None
		}
	case "dead":
		s.TTLDead = number == 1
	case "priority":
		s.Priority = int(number)
	case "group":
		s.Group = text
	case "headers":
		s.Headers = map[string]string{}
		_ = eachField(value, func(name string, value any) { s.Headers[name] = fmt.Sprint(value) })
	case "next_tick":
		s.NextTick = time.UnixMilli(number)
	case "last_tick":
		s.LastTick = time.UnixMilli(number)
	case "runs":
		s.Runs = int(number)
	case "missed":
		s.Missed = int(number)
	case "skipped":
		s.Skipped = int(number)
	case "triggered":
		s.Triggered = int(number)
	}
}
