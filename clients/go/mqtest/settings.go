package mqtest

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	mq "redis-mq/clients/go"
)

const longest = 365 * 24 * time.Hour

// smallest are the smallest values of settings, where that is not 0.
var smallest = map[string]int64{"visibility": 1, "maxretries": -1, "backoffmax": 1, "rateperiod": 1, "groupinflight": 1, "dedupwindow": 1}

func defaults(name string) mq.Settings {
	return mq.Settings{
		Visibility: 30 * time.Second, MaxRetries: 25, DeadLetter: tagged(name) + ":dead", Backoff: time.Second, BackoffMax: time.Hour,
		RatePeriod: time.Second, GroupInFlight: 1, DedupWindow: 5 * time.Minute,
	}
}

func tagged(name string) string {
	if strings.Contains(name, "{") {
		return name
	}
	return "{" + name + "}"
}

// changed returns settings with changes.
func changed(settings mq.Settings, queue string, changes mq.Changes) (mq.Settings, error) {
	initial := defaults(queue)
	for name, value := range changes {
		name = strings.ToLower(name)
		field, isKnown := fieldOf(&settings, name)
		if !isKnown {
			return settings, invalid("unknown option '%s' for MQ.CONFIG", name)
		}
		if value == nil || value == "" && name != "deadletter" {
			reset, _ := fieldOf(&initial, name)
			field.Set(reset)
			continue
		}
		if err := set(field, name, value); err != nil {
			return settings, err
		}
	}
	if settings.Backoff > settings.BackoffMax {
		return settings, invalid("BACKOFF %d is above BACKOFFMAX %d", settings.Backoff.Milliseconds(), settings.BackoffMax.Milliseconds())
	}
	if settings.DeadLetter == queue {
		return settings, invalid("a queue can't be its own dead-letter queue")
	}
	return settings, checkName(settings.DeadLetter)
}

func fieldOf(settings *mq.Settings, name string) (reflect.Value, bool) {
	structure := reflect.ValueOf(settings).Elem()
	for i := range structure.NumField() {
		if structure.Type().Field(i).Tag.Get("mq") == name {
			return structure.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func set(field reflect.Value, name string, value any) error {
	switch target := field.Addr().Interface().(type) {
	case *string:
		*target = fmt.Sprint(value)
	case *time.Duration:
		length, isLength := value.(time.Duration)
		if !isLength {
			var ms int64
			if _, err := fmt.Sscan(fmt.Sprint(value), &ms); err != nil {
				return invalid("%s must be an integer", strings.ToUpper(name))
			}
			length = time.Duration(ms) * time.Millisecond
		}
		*target = length
		return checkLength(strings.ToUpper(name), length, time.Duration(smallest[name])*time.Millisecond)
	case *int:
		var number int64
		if _, err := fmt.Sscan(fmt.Sprint(value), &number); err != nil || number < smallest[name] || number > math.MaxInt32 {
			return invalid("%s must be an integer from %d to %d", strings.ToUpper(name), smallest[name], math.MaxInt32)
		}
		*target = int(number)
	}
	return nil
}

// checkName refuses names that the server refuses.
func checkName(name string) error {
	opening, closing := strings.Count(name, "{"), strings.Count(name, "}")
	tag := strings.Index(name, "{")
	end := strings.Index(name, "}")
	switch {
	case name == "" || len(name) > 512:
		return invalid("invalid queue name: it must be 1 to 512 bytes")
	case opening == 0 && closing == 0:
		return nil
	case opening != closing || end < tag || end == tag+1 || tag == 0 && end == len(name)-1:
		return invalid("invalid queue name: '%s'", name)
	}
	return nil
}

func checkLength(option string, length, least time.Duration) error {
	if length < least || length > longest {
		return invalid("%s must be an integer from %d to %d milliseconds", option, least.Milliseconds(), longest.Milliseconds())
	}
	return nil
}

func checkPush(o *mq.PushOptions) error {
	switch {
	case o.Priority < 0 || o.Priority > 9:
		return invalid("PRIORITY must be an integer from 0 to 9")
	case o.Priority > 0 && o.Group != "":
		return invalid("PRIORITY and GROUP are mutually exclusive")
	case o.Delay != 0 && !o.At.IsZero():
		return invalid("DELAY and AT are mutually exclusive")
	case o.Window != 0 && o.UntilDone:
		return invalid("WINDOW and UNTILDONE are mutually exclusive")
	case o.TTLDead && o.TTL == 0:
		return invalid("DEAD can be given only with TTL")
	case o.Dedup == "" && (o.Window != 0 || o.UntilDone):
		return invalid("WINDOW and UNTILDONE can be given only with DEDUP")
	case len(o.Headers) > 64:
		return invalid("HEADERS must be an integer from 1 to 64")
	}
	for option, length := range map[string]time.Duration{"DELAY": o.Delay, "TTL": o.TTL, "WINDOW": o.Window} {
		if length > longest {
			return checkLength(option, length, 0)
		}
	}
	return nil
}

func checkPull(queues []string, count int, o *mq.PullOptions) error {
	for _, name := range queues {
		if err := checkName(name); err != nil {
			return err
		}
	}
	if count < 1 || count > 10_000 {
		return invalid("COUNT must be an integer from 1 to 10000")
	}
	if !o.OnDisconnect && (o.DisconnectNoCount || o.DisconnectGrace != 0) {
		return invalid("NOCOUNT and GRACE can be given only with ONDISCONNECT")
	}
	if o.NoAck && (o.Visibility != 0 || o.Consumer != "" || o.OnDisconnect) {
		return invalid("NOACK excludes VISIBILITY, CONSUMER and ONDISCONNECT")
	}
	if err := checkLength("VISIBILITY", o.Visibility, 0); err != nil {
		return err
	}
	if err := checkLength("GRACE", max(0, o.DisconnectGrace), 0); err != nil {
		return err
	}
	return checkLength("BLOCK", o.Block, 0)
}

func checkNack(o *mq.NackOptions) error {
	switch {
	case o.Dead && o.NoCount:
		return invalid("NOCOUNT and DEAD are mutually exclusive")
	case o.Front && !o.NoCount:
		return invalid("FRONT can be given only with NOCOUNT")
	case o.Front && o.Delay != 0:
		return invalid("FRONT and DELAY are mutually exclusive")
	}
	return nil
}

// checkText refuses names of consumers and keys that the server refuses.
func checkText(option, text string) error {
	if text == "" || len(text) > 256 {
		return invalid("%s must be 1 to 256 bytes", option)
	}
	return nil
}
