package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	mq "redis-mq/clients/go"
)

// work runs a worker as the environment says.
func work() {
	worker := mq.NewWorker(mq.New(connect(3)), strings.Split(os.Getenv("MQ_QUEUES"), ","), handle, &mq.WorkerOptions{
		Concurrency:     int(number("MQ_CONCURRENCY")),
		Prefetch:        prefetch(),
		Visibility:      length(number("MQ_VISIBILITY")),
		Grace:           length(number("MQ_GRACE")),
		Block:           length(number("MQ_BLOCK")),
		MaxProcessing:   length(number("MQ_MAX_PROCESSING")),
		DisconnectGrace: disconnectGrace(),
	})
	fmt.Println("ready")
	run := worker.Run
	if number("MQ_UNTIL_EMPTY") == 1 {
		run = func(ctx context.Context) error { return worker.RunUntilEmpty(ctx, time.Minute) }
	}
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println("stopped")
}

// prefetch is that of the environment; 0 if it has none.
func prefetch() int {
	if _, isSet := os.LookupEnv("MQ_PREFETCH"); !isSet {
		return 0
	}
	return int(number("MQ_PREFETCH"))
}

// disconnectGrace is that of the environment; 0, the default of the worker, if it has none.
func disconnectGrace() time.Duration {
	if _, isSet := os.LookupEnv("MQ_DISCONNECT_GRACE"); !isSet {
		return 0
	}
	ms := number("MQ_DISCONNECT_GRACE")
	return overriding(&ms)
}

func number(name string) int64 {
	value, err := strconv.ParseInt(os.Getenv(name), 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// handle does what the payload says.
func handle(ctx context.Context, message *mq.Message) error {
	text, err := message.Text()
	if err != nil {
		return err
	}
	words := strings.Fields(text)
	if len(words) == 0 {
		return errors.New("there are no words")
	}
	n := words[0]
	words = append(words[1:], "", "0")
	ms, _ := strconv.ParseInt(words[1], 10, 64)
	fmt.Println("start", n, message.RetryCount)
	switch words[0] {
	case "sleep":
		select {
		case <-ctx.Done():
			fmt.Println("cancelled", n)
			return ctx.Err()
		case <-time.After(length(ms)):
		}
	case "hold":
		time.Sleep(length(ms))
	case "fail":
		return errors.New("no stock")
	case "fail-once":
		if message.RetryCount == 0 {
			return errors.New("no stock")
		}
	case "retry":
		if message.RetryCount == 0 {
			return mq.Retry(length(ms), "later")
		}
	case "release":
		if message.Deliveries <= 1 {
			return mq.Release()
		}
	case "dead":
		return mq.Dead("no address")
	}
	fmt.Println("done", n)
	return nil
}
