package mq

import (
	"fmt"
	"time"
)

// This file turns replies of go-redis into types. Where RESP3 has maps, RESP2 and the servers before 7.0 have flat arrays.

func unexpected(reply any) error {
	return fmt.Errorf("mq: unexpected reply of type %T", reply)
}

func asText(reply any, err error) (string, error) {
	if err != nil {
		return "", err
	}
	text, ok := reply.(string)
	if !ok {
		return "", unexpected(reply)
	}
	return text, nil
}

func asInteger(reply any, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	number, ok := reply.(int64)
	if !ok {
		return 0, unexpected(reply)
	}
	return number, nil
}

func asCount(reply any, err error) (int, error) {
	number, err := asInteger(reply, err)
	return int(number), err
}

func asTruth(reply any, err error) (bool, error) {
	number, err := asInteger(reply, err)
	return number == 1, err
}

func asTexts(reply any, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	return asEach(reply, func(one any) (string, error) { return asText(one, nil) })
}

// asEach converts the elements of a list.
func asEach[T any](reply any, convert func(one any) (T, error)) ([]T, error) {
	list, err := asList(reply)
	if err != nil {
		return nil, err
	}
	converted := make([]T, len(list))
	for i, one := range list {
		if converted[i], err = convert(one); err != nil {
			return nil, err
		}
	}
	return converted, nil
}

func asMoment(reply any) (time.Time, error) {
	number, err := asInteger(reply, nil)
	return time.UnixMilli(number), err
}

func asList(reply any) ([]any, error) {
	list, ok := reply.([]any)
	if !ok {
		return nil, unexpected(reply)
	}
	return list, nil
}

// eachField calls a function with the names and values of a map.
func eachField(reply any, use func(name string, value any)) error {
	switch fields := reply.(type) {
	case map[any]any:
		for name, value := range fields {
			use(fmt.Sprint(name), value)
		}
	case []any:
		for ; len(fields) >= 2; fields = fields[2:] {
			use(fmt.Sprint(fields[0]), fields[1])
		}
	default:
		return unexpected(reply)
	}
	return nil
}

func asMessages(reply any) ([]*Message, error) {
	return asEach(reply, asMessage)
}

func asMessage(reply any) (*Message, error) {
	message := &Message{}
	err := eachField(reply, message.set)
	return message, err
}

// set sets one field. Fields that it does not know are those of later versions.
func (m *Message) set(name string, value any) {
	text, _ := value.(string)
	number, _ := value.(int64)
	switch name {
	case "id":
		m.ID = text
	case "queue":
		m.Queue = text
	case "payload":
		m.Payload = []byte(text)
	case "timestamp":
		m.Timestamp = time.UnixMilli(number)
	case "retry_count":
		m.RetryCount = int(number)
	case "visibility_until":
		m.VisibilityUntil = time.UnixMilli(number)
	case "receipt":
		m.Receipt = text
	case "state":
		m.State = State(text)
	case "consumer":
		m.Consumer = text
	case "due_at":
		m.DueAt = time.UnixMilli(number)
	case "headers":
		m.Headers = map[string]string{}
		_ = eachField(value, func(name string, value any) { m.Headers[name] = fmt.Sprint(value) })
	case "priority":
		m.Priority = int(number)
	case "group":
		m.Group = text
	case "expires_at":
		m.ExpiresAt = time.UnixMilli(number)
	case "deliveries":
		m.Deliveries = int(number)
	case "first_delivered_at":
		m.FirstDeliveredAt = time.UnixMilli(number)
	case "last_error":
		m.LastError = text
	case "dead_from":
		m.DeadFrom = text
	case "dead_at":
		m.DeadAt = time.UnixMilli(number)
	case "dead_reason":
		m.DeadReason = text
	case "dead_retries":
		m.DeadRetries = int(number)
	}
}

func outcome(number int64) error {
	switch number {
	case 0:
		return ErrNotFound
	case -1:
		return ErrInvalidReceipt
	}
	return nil
}

func asOutcomes(reply any) ([]error, error) {
	return asEach(reply, func(one any) (error, error) {
		number, err := asInteger(one, nil)
		return outcome(number), err
	})
}

func asExtensions(reply any) ([]Extension, error) {
	return asEach(reply, func(one any) (Extension, error) {
		number, err := asInteger(one, nil)
		extension := Extension{Err: outcome(number)}
		if extension.Err == nil {
			extension.Until = time.UnixMilli(number)
		}
		return extension, err
	})
}
