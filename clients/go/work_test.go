package mq

import (
	"context"
	"testing"
	"time"
)

func TestWhatWaitsBeginsUntilItsVisibilityEnds(t *testing.T) {
	w := newWork(1)
	now := time.Now()
	w.add([]*Message{{ID: "a"}, {ID: "b"}}, now.Add(-time.Second))
	w.add([]*Message{{ID: "c"}, {ID: "d"}}, now.Add(time.Hour))
	w.extended(w.waiting[1], now.Add(time.Hour))
	for _, expected := range []string{"b", "c", "d"} {
		next, dropped := w.begin(context.Background(), 0)
		if next == nil || next.message.ID != expected || dropped != map[string]int{"b": 1}[expected] {
			t.Fatalf("%v, not %s; %d dropped", next, expected, dropped)
		}
		if busy, _ := w.begin(context.Background(), 0); busy != nil {
			t.Errorf("%s began beside %s", busy.message.ID, expected)
		}
		w.returned()
	}
	if left := w.abandon(); len(left) != 3 {
		t.Errorf("%d are held", len(left))
	}
}
