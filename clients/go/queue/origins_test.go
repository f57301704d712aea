package queue

import (
	"fmt"
	"testing"
	"time"
)

func TestMessagesThatNobodyAcknowledgedAreForgottenAfterADay(t *testing.T) {
	o := newOrigins()
	o.remember("young", "orders", time.Now())
	for i := range 10 * firstSweep {
		o.remember(fmt.Sprint(i), "orders", time.Now().Add(-2*rememberedFor))
	}
	if len(o.entries) > firstSweep {
		t.Errorf("%d are remembered", len(o.entries))
	}
	if queue, isKnown := o.of("young"); !isKnown || queue != "orders" {
		t.Error("one of now was forgotten")
	}
}
