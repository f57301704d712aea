package main

import (
	"context"
	"errors"
	"time"

	mq "redis-mq/clients/go"
)

// schedules answers the calls of schedules, which the fake does not have.
func (r *request) schedules(ctx context.Context, commands mq.Commands) (any, error) {
	client, isClient := commands.(*mq.Client)
	if !isClient {
		return nil, errors.New("the fake has no schedules")
	}
	switch r.Call {
	case "schedule":
		return client.Schedule(ctx, r.Queue, r.Name, r.Payload, r.scheduleOptions())
	case "unschedule":
		return client.Unschedule(ctx, r.Queue, r.Name)
	case "trigger":
		return client.Trigger(ctx, r.Queue, r.Name)
	case "next":
		from, _ := r.From.(float64)
		ticks, err := client.NextTicks(ctx, r.Queue, r.Name, &mq.NextTicksOptions{Count: r.Count, From: moment(int64(from))})
		moments := make([]int64, len(ticks))
		for i, tick := range ticks {
			moments[i] = tick.UnixMilli()
		}
		return moments, err
	}
	found, err := client.Schedules(ctx, r.Queue, &mq.SchedulesOptions{Match: r.Match, Offset: r.Offset, Count: r.Count})
	shown := make([]*schedule, len(found))
	for i, one := range found {
		shown[i] = shownSchedule(one)
	}
	return shown, err
}

func (r *request) scheduleOptions() *mq.ScheduleOptions {
	options := &mq.ScheduleOptions{
		Every: length(r.Every), Cron: r.Cron, Zone: r.Zone, Limit: r.Limit, Jitter: length(r.Jitter), CatchUp: r.CatchUp, Overlap: r.Overlap,
		Paused: r.Paused, TTL: overriding(r.TTL), TTLDead: r.TTLDead, Priority: r.Priority, Group: r.Group, Headers: r.Headers,
	}
	if r.Start != nil {
		options.Start = time.UnixMilli(*r.Start)
	}
	if r.End != nil {
		options.End = time.UnixMilli(*r.End)
	}
	return options
}

// schedule is what the contract shows of a schedule: fields that the server leaves out are left out.
type schedule struct {
	Name      string            `json:"name"`
	Payload   []byte            `json:"payload"`
	Every     int64             `json:"every,omitempty"`
	Cron      string            `json:"cron,omitempty"`
	Zone      string            `json:"zone,omitempty"`
	Start     *int64            `json:"start,omitempty"`
	End       *int64            `json:"end,omitempty"`
	Limit     int               `json:"limit,omitempty"`
	Jitter    int64             `json:"jitter"`
	CatchUp   mq.CatchUp        `json:"catchup"`
	Overlap   mq.Overlap        `json:"overlap"`
	Paused    int               `json:"paused"`
	NextTick  *int64            `json:"next_tick,omitempty"`
	LastTick  *int64            `json:"last_tick,omitempty"`
	Runs      int               `json:"runs"`
	Missed    int               `json:"missed"`
	Skipped   int               `json:"skipped"`
	Triggered int               `json:"triggered"`
	TTL       *int64            `json:"ttl,omitempty"`
	Dead      int               `json:"dead,omitempty"`
	Priority  int               `json:"priority,omitempty"`
	Group     string            `json:"group,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"`
}

func shownSchedule(s *mq.Schedule) *schedule {
	all := &schedule{
		Name: s.Name, Payload: s.Payload, Every: s.Every.Milliseconds(), Cron: s.Cron, Zone: s.Zone, Start: given(s.Start), End: given(s.End),
		Limit: s.Limit, Jitter: s.Jitter.Milliseconds(), CatchUp: s.CatchUp, Overlap: s.Overlap, Paused: bit(s.Paused), NextTick: given(s.NextTick),
		LastTick: given(s.LastTick), Runs: s.Runs, Missed: s.Missed, Skipped: s.Skipped, Triggered: s.Triggered, Dead: bit(s.TTLDead),
		Priority: s.Priority, Group: s.Group, Headers: s.Headers,
	}
	if s.TTL != 0 {
		ttl := max(0, s.TTL.Milliseconds())
		all.TTL = &ttl
	}
	return all
}

// given is a moment in milliseconds, or nothing.
func given(at time.Time) *int64 {
	if at.IsZero() {
		return nil
	}
	ms := at.UnixMilli()
	return &ms
}
