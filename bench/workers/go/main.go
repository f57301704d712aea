// Enqueues messages for a system of Go, or works them off; run by workers.py, with the arguments and the output of worker.mjs.
//
//	go-worker SYSTEM PORT push COUNT
//	go-worker SYSTEM PORT work WARM_UP COUNT CONCURRENCY
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	mq "redis-mq/clients/go"
)

const (
	queue = "bench"
	batch = 500
)

var payload = []byte(strings.Repeat("x", 100))

// system is what is measured. work calls a function for each message that it handles, and returns only with an error.
type system struct {
	push func(address string, count int) error
	work func(address string, concurrency int, handled func()) error
}

var systems = map[string]system{
	"worker": {pushMany, workWithWorker},
	"loop":   {pushMany, workInLoops},
	"asynq":  {pushToAsynq, workWithAsynq},
}

func main() {
	name, address, role, numbers := os.Args[1], "127.0.0.1:"+os.Args[2], os.Args[3], integers(os.Args[4:])
	if err := run(systems[name], address, role, numbers); err != nil {
		log.Fatal(err)
	}
}

func run(system system, address, role string, numbers []int) error {
	if role == "push" {
		if err := system.push(address, numbers[0]); err != nil {
			return err
		}
		fmt.Printf("{\"pushed\": %d}\n", numbers[0])
		return nil
	}
	p := &progress{warmUp: int64(numbers[0]), last: int64(numbers[0] + numbers[1])}
	return system.work(address, numbers[2], p.add)
}

func integers(words []string) (numbers []int) {
	for _, word := range words {
		number, err := strconv.Atoi(word)
		if err != nil {
			log.Fatal(err)
		}
		numbers = append(numbers, number)
	}
	return numbers
}

type progress struct {
	handled, warmUp, last int64
	started               atomic.Pointer[time.Time]
}

func (p *progress) add() {
	switch atomic.AddInt64(&p.handled, 1) {
	case p.warmUp:
		now := time.Now()
		p.started.Store(&now)
		fmt.Println(`{"started": true}`)
	case p.last:
		fmt.Printf("{\"seconds\": %f}\n", time.Since(*p.started.Load()).Seconds())
	}
}

func connect(address string, poolSize int) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: address, PoolSize: poolSize})
}

func pushMany(address string, count int) error {
	client := mq.New(connect(address, 1))
	payloads := make([][]byte, batch)
	for i := range payloads {
		payloads[i] = payload
	}
	for left := count; left > 0; left -= batch {
		if _, err := client.PushMany(context.Background(), queue, payloads[:min(batch, left)], nil); err != nil {
			return err
		}
	}
	return nil
}

func workWithWorker(address string, concurrency int, handled func()) error {
	handle := func(context.Context, *mq.Message) error {
		handled()
		return nil
	}
	options := &mq.WorkerOptions{Concurrency: concurrency}
	return mq.NewWorker(mq.New(connect(address, 0)), []string{queue}, handle, options).Run(context.Background())
}

// workInLoops has a connection per loop: a pull that waits blocks its connection.
func workInLoops(address string, concurrency int, handled func()) error {
	client := connect(address, concurrency)
	failed := make(chan error)
	for range concurrency {
		go func() { failed <- loop(client, handled) }()
	}
	return <-failed
}

func loop(client *redis.Client, handled func()) error {
	ctx := context.Background()
	for {
		reply, err := client.Do(ctx, "MQ.PULL", queue, "BLOCK", 5000).Result()
		if err == redis.Nil {
			continue
		}
		if err != nil {
			return err
		}
		fields, isMap := reply.(map[any]any)
		if !isMap {
			return fmt.Errorf("unexpected reply of type %T", reply)
		}
		handled()
		if err := client.Do(ctx, "MQ.ACK", queue, fields["id"], fields["receipt"]).Err(); err != nil {
			return err
		}
	}
}

// pushToAsynq has several producers, because it has no batches.
func pushToAsynq(address string, count int) error {
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: address})
	var left atomic.Int64
	left.Store(int64(count))
	var producers sync.WaitGroup
	var failed atomic.Pointer[error]
	for range 16 {
		producers.Add(1)
		go func() {
			defer producers.Done()
			for left.Add(-1) >= 0 {
				if _, err := client.Enqueue(asynq.NewTask("message", payload)); err != nil {
					failed.Store(&err)
				}
			}
		}()
	}
	producers.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func workWithAsynq(address string, concurrency int, handled func()) error {
	config := asynq.Config{Concurrency: concurrency, LogLevel: asynq.ErrorLevel}
	handle := func(context.Context, *asynq.Task) error {
		handled()
		return nil
	}
	return asynq.NewServer(asynq.RedisClientOpt{Addr: address}, config).Run(asynq.HandlerFunc(handle))
}
