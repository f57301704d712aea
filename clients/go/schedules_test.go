package mq_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	mq "redis-mq/clients/go"
	"redis-mq/clients/go/internal/testserver"
)

func TestSchedules(t *testing.T) {
	address := testserver.Start(t)
	for protocol := 2; protocol <= 3; protocol++ {
		connection := redis.NewClient(&redis.Options{Addr: address, Protocol: protocol})
		defer connection.Close()
		t.Run(fmt.Sprintf("RESP%d", protocol), func(t *testing.T) {
			if err := connection.FlushAll(ctx).Err(); err != nil {
				t.Fatal(err)
			}
			schedules(t, mq.New(connection))
		})
	}
}

// may is a morning of the year 2050, UTC.
func may(day, hour int) time.Time {
	return time.Date(2050, time.May, day, hour, 0, 0, 0, time.UTC).Local()
}

func schedules(t *testing.T, client *mq.Client) {
	daily := mq.ScheduleOptions{
		Cron: "0 6 * * *", Zone: "Europe/Berlin", Start: may(1, 0), End: may(3, 12), Limit: 7, Jitter: time.Minute, CatchUp: mq.CatchUpAll,
		Overlap: mq.OverlapSkip, TTL: time.Hour, TTLDead: true, Priority: 3, Headers: map[string]string{"kind": "daily"},
	}
	// What is not given, and is not nothing.
	hourly := mq.ScheduleOptions{Every: time.Hour, Start: time.UnixMilli(0), Paused: true, TTL: mq.None, Group: "a"}
	for _, isNew := range []bool{true, false} {
		for name, options := range map[string]*mq.ScheduleOptions{"daily": &daily, "hourly": &hourly} {
			if got, err := client.Schedule(ctx, "reports", name, []byte("\xff"), options); err != nil || got != isNew {
				t.Fatalf("%s: %v, %v", name, got, err)
			}
		}
	}
	hourly.CatchUp, hourly.Overlap = mq.CatchUpOne, mq.OverlapAllow
	expected := []*mq.Schedule{
		{Name: "daily", Payload: []byte("\xff"), ScheduleOptions: daily, NextTick: may(1, 4)},
		{Name: "hourly", Payload: []byte("\xff"), ScheduleOptions: hourly},
	}
	if found, err := client.Schedules(ctx, "reports", nil); err != nil || !reflect.DeepEqual(found, expected) {
		t.Errorf("%v", err)
		for i := range found {
			t.Errorf("%+v\ninstead of\n%+v", found[i], expected[i])
		}
	}
	found, err := client.Schedules(ctx, "reports", &mq.SchedulesOptions{Match: "*ly", Offset: 1, Count: 1})
	if err != nil || len(found) != 1 || found[0].Name != "hourly" {
		t.Errorf("%+v, %v", found, err)
	}

	if ticks, err := client.NextTicks(ctx, "reports", "daily", nil); err != nil || !reflect.DeepEqual(ticks, []time.Time{may(1, 4), may(2, 4), may(3, 4)}) {
		t.Errorf("%v, %v", ticks, err)
	}
	options := &mq.NextTicksOptions{From: may(1, 5), Count: 1}
	if ticks, err := client.NextTicks(ctx, "reports", "daily", options); err != nil || !reflect.DeepEqual(ticks, []time.Time{may(2, 4)}) {
		t.Errorf("%v, %v", ticks, err)
	}

	id, err := client.Trigger(ctx, "reports", "daily")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := client.Trigger(ctx, "reports", "daily"); err != nil || again != id {
		t.Errorf("%q, not %q, %v", again, id, err)
	}
	m, err := client.Pull(ctx, "reports", nil)
	if err != nil || m.ID != id || string(m.Payload) != "\xff" || m.Priority != 3 || m.Headers["kind"] != "daily" || m.Headers["mq-schedule"] != "daily" {
		t.Errorf("%+v, %v", m, err)
	}

	for _, wasThere := range []bool{true, false} {
		if got, err := client.Unschedule(ctx, "reports", "daily"); err != nil || got != wasThere {
			t.Errorf("%v, %v", got, err)
		}
	}
	if _, err := client.Trigger(ctx, "reports", "daily"); !errors.Is(err, mq.ErrNotFound) {
		t.Error(err)
	}
	if _, err := client.NextTicks(ctx, "reports", "daily", nil); !errors.Is(err, mq.ErrNotFound) {
		t.Error(err)
	}
	if _, err := client.Schedule(ctx, "reports", "daily", nil, &mq.ScheduleOptions{Cron: "0 25 * * *"}); !errors.Is(err, mq.ErrInvalidArgument) {
		t.Error(err)
	}
}
