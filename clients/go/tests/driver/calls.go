package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"time"

	mq "redis-mq/clients/go"
)

// request is a call with all arguments that any call can have. Lengths of time and moments are milliseconds.
type request struct {
	Call         string            `json:"call"`
	Queue        string            `json:"queue"`
	Queues       []string          `json:"queues"`
	Payload      []byte            `json:"payload"`
	Payloads     [][]byte          `json:"payloads"`
	Delay        *int64            `json:"delay"`
	At           int64             `json:"at"`
	TTL          *int64            `json:"ttl"`
	TTLDead      bool              `json:"ttl_dead"`
	Priority     int               `json:"priority"`
	Group        string            `json:"group"`
	Dedup        string            `json:"dedup"`
	Window       int64             `json:"window"`
	UntilDone    bool              `json:"until_done"`
	Headers      map[string]string `json:"headers"`
	Patience     int64             `json:"patience"`
	Visibility   int64             `json:"visibility"`
	Block        int64             `json:"block"`
	Consumer     string            `json:"consumer"`
	OnDisconnect *onDisconnect     `json:"on_disconnect"`
	NoAck        bool              `json:"no_ack"`
	Ack          []*message        `json:"ack"`
	Count        int               `json:"count"`
	Message      *message          `json:"message"`
	Messages     []*message        `json:"messages"`
	NoCount      bool              `json:"no_count"`
	Front        bool              `json:"front"`
	Dead         bool              `json:"dead"`
	Reason       string            `json:"reason"`
	State        mq.State          `json:"state"`
	Offset       int               `json:"offset"`
	ID           string            `json:"id"`
	IDs          []string          `json:"ids"`
	Settings     map[string]any    `json:"settings"`
	For          int64             `json:"for"`
	Match        string            `json:"match"`
	All          bool              `json:"all"`
	From         any               `json:"from"` // a queue, or a moment
	To           string            `json:"to"`
	MS           int64             `json:"ms"`
	Name         string            `json:"name"`
	Every        int64             `json:"every"`
	Cron         string            `json:"cron"`
	Zone         string            `json:"zone"`
	Start        *int64            `json:"start"`
	End          *int64            `json:"end"`
	Limit        int               `json:"limit"`
	Jitter       int64             `json:"jitter"`
	CatchUp      mq.CatchUp        `json:"catchup"`
	Overlap      mq.Overlap        `json:"overlap"`
	Paused       bool              `json:"paused"`
}

// clock is what a fake has beside the client's methods.
type clock interface {
	Advance(time.Duration)
	Reset()
}

// serve answers the calls of standard input.
func serve(commands mq.Commands, clock clock) {
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var call request
		if err := json.Unmarshal(line, &call); err != nil {
			log.Fatal(err)
		}
		reply, err := call.answer(commands, clock)
		answer := map[string]any{"ok": reply}
		if err != nil {
			answer = map[string]any{"error": nameOf(err), "text": err.Error()}
		}
		if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
			log.Fatal(err)
		}
	}
}

var names = map[error]string{
	mq.ErrNotFound: "not_found", mq.ErrInvalidReceipt: "invalid_receipt", mq.ErrQueueFull: "queue_full", mq.ErrInvalidArgument: "invalid_argument",
	mq.ErrWrongType: "wrong_type", mq.ErrTryAgain: "try_again", mq.ErrCorrupt: "corrupt",
}

func nameOf(err error) string {
	for kind, name := range names {
		if errors.Is(err, kind) {
			return name
		}
	}
	return "other"
}

func (r *request) answer(commands mq.Commands, clock clock) (any, error) {
	ctx := context.Background()
	switch r.Call {
	case "advance":
		clock.Advance(length(r.MS))
		return nil, nil
	case "reset":
		clock.Reset()
		return nil, nil
	case "push":
		return commands.Push(ctx, r.Queue, r.Payload, r.pushOptions())
	case "push_many":
		return commands.PushMany(ctx, r.Queue, r.Payloads, r.pushOptions())
	case "publish":
		ctx, cancel := context.WithTimeout(ctx, length(r.Patience))
		defer cancel()
		return mq.Publish(ctx, commands, r.Queue, r.Payload, r.pushOptions())
	case "pull":
		return r.pull(ctx, commands)
	case "pull_many":
		return r.pullMany(ctx, commands)
	case "ack":
		return nil, commands.Ack(ctx, r.Message.delivery())
	case "ack_many":
		return outcomes(commands.AckMany(ctx, deliveries(r.Messages)))
	case "nack":
		return nil, commands.Nack(ctx, r.Message.delivery(), r.nackOptions())
	case "nack_many":
		return outcomes(commands.NackMany(ctx, deliveries(r.Messages), r.nackOptions()))
	case "extend":
		until, err := commands.Extend(ctx, r.Message.delivery(), length(r.Visibility))
		return until.UnixMilli(), err
	case "extend_many":
		return extensions(commands.ExtendMany(ctx, deliveries(r.Messages), length(r.Visibility)))
	case "extend_consumer":
		return commands.ExtendConsumer(ctx, r.Queue, r.Consumer, length(r.Visibility))
	case "peek":
		messages, err := commands.Peek(ctx, r.Queue, &mq.PeekOptions{State: r.State, Offset: r.Offset, Count: r.Count})
		return shownAll(messages), err
	case "get":
		return r.get(ctx, commands)
	case "delete":
		if r.Dedup != "" {
			wasThere, err := commands.DeleteByDedup(ctx, r.Queue, r.Dedup)
			return bit(wasThere), err
		}
		return commands.Delete(ctx, r.Queue, r.IDs...)
	case "reschedule":
		if r.At != 0 {
			return commands.RescheduleAt(ctx, r.Queue, r.ID, moment(r.At))
		}
		return commands.RescheduleIn(ctx, r.Queue, r.ID, length(*r.Delay))
	case "len":
		return commands.Len(ctx, r.Queue, r.State)
	case "info":
		info, err := commands.Info(ctx, r.Queue)
		return fields(info), err
	case "config":
		settings, err := commands.Config(ctx, r.Queue)
		return fields(settings), err
	case "configure":
		return nil, commands.Configure(ctx, r.Queue, changes(r.Settings))
	case "pause":
		return nil, commands.Pause(ctx, r.Queue, length(r.For))
	case "resume":
		return nil, commands.Resume(ctx, r.Queue)
	case "purge":
		return commands.Purge(ctx, r.Queue, r.State)
	case "drop":
		return commands.Drop(ctx, r.Queue)
	case "redrive":
		from, _ := r.From.(string)
		return commands.Redrive(ctx, r.Queue, &mq.RedriveOptions{Count: r.Count, All: r.All, IDs: r.IDs, From: from, Reason: r.Reason, To: r.To})
	case "queues":
		return commands.Queues(ctx, r.Match)
	case "stats":
		all, err := commands.Stats(ctx, r.Match)
		shown := []map[string]any{}
		for _, one := range all {
			shown = append(shown, stats(one))
		}
		return shown, err
	case "schedule", "unschedule", "schedules", "next", "trigger":
		return r.schedules(ctx, commands)
	}
	return nil, errors.New("unknown call " + r.Call)
}

func (r *request) pushOptions() *mq.PushOptions {
	return &mq.PushOptions{
		Delay: overriding(r.Delay), At: moment(r.At), TTL: overriding(r.TTL), TTLDead: r.TTLDead, Priority: r.Priority, Group: r.Group,
		Headers: r.Headers, Dedup: r.Dedup, Window: length(r.Window), UntilDone: r.UntilDone,
	}
}

func (r *request) nackOptions() *mq.NackOptions {
	return &mq.NackOptions{Delay: overriding(r.Delay), NoCount: r.NoCount, Front: r.Front, Dead: r.Dead, Reason: r.Reason}
}

func (r *request) pullOptions() (string, *mq.PullOptions) {
	options := &mq.PullOptions{Visibility: length(r.Visibility), Block: length(r.Block), Consumer: r.Consumer, NoAck: r.NoAck}
	if o := r.OnDisconnect; o != nil {
		options.OnDisconnect, options.DisconnectNoCount, options.DisconnectGrace = true, o.NoCount, length(o.Grace)
	}
	if len(r.Queues) == 0 {
		return r.Queue, options
	}
	options.Then = r.Queues[1:]
	return r.Queues[0], options
}

func (r *request) get(ctx context.Context, commands mq.Commands) (any, error) {
	get, name := commands.Get, r.ID
	if r.Dedup != "" {
		get, name = commands.GetByDedup, r.Dedup
	}
	message, err := get(ctx, r.Queue, name)
	if errors.Is(err, mq.ErrNotFound) {
		return nil, nil
	}
	return shown(message), err
}

func (r *request) pull(ctx context.Context, commands mq.Commands) (any, error) {
	queue, options := r.pullOptions()
	if len(r.Ack) == 0 {
		message, err := commands.Pull(ctx, queue, options)
		if errors.Is(err, mq.ErrQueueEmpty) {
			return nil, nil
		}
		return shown(message), err
	}
	acked, message, err := commands.AckPull(ctx, deliveries(r.Ack), queue, options)
	if err != nil && !errors.Is(err, mq.ErrQueueEmpty) {
		return nil, err
	}
	words, _ := outcomes(acked, nil)
	return map[string]any{"acked": words, "message": shown(message)}, nil
}

func (r *request) pullMany(ctx context.Context, commands mq.Commands) (any, error) {
	queue, options := r.pullOptions()
	if len(r.Ack) == 0 {
		messages, err := commands.PullMany(ctx, queue, r.Count, options)
		return shownAll(messages), err
	}
	acked, messages, err := commands.AckPullMany(ctx, deliveries(r.Ack), queue, r.Count, options)
	words, _ := outcomes(acked, nil)
	return map[string]any{"acked": words, "messages": shownAll(messages)}, err
}
