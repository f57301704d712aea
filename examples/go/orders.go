// Pushes three orders and works through them: what succeeds is acknowledged, what fails is given back.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	queue = "orders"
	block = time.Second
)

func main() {
	url := os.Getenv("REDIS_URL")
	if url == "" {
		url = "redis://127.0.0.1:6379"
	}
	options, err := redis.ParseURL(url)
	if err != nil {
		log.Fatal(err)
	}
	options.Protocol = 2
	// The socket may not give up while the server still waits for a message: more than BLOCK.
	options.ReadTimeout = block + 5*time.Second
	client := redis.NewClient(options)
	defer client.Close()

	ctx := context.Background()
	if err := produce(ctx, client); err != nil {
		log.Fatal(err)
	}
	if err := consume(ctx, client); err != nil {
		log.Fatal(err)
	}
}

func produce(ctx context.Context, client *redis.Client) error {
	for _, payload := range []string{"one", "two", "three"} {
		if err := client.Do(ctx, "MQ.PUSH", queue, payload).Err(); err != nil {
			return err
		}
		fmt.Println("pushed", payload)
	}
	return nil
}

func consume(ctx context.Context, client *redis.Client) error {
	for {
		reply, err := client.Do(ctx, "MQ.PULL", queue, "VISIBILITY", 30000, "BLOCK", block.Milliseconds()).Slice()
		if errors.Is(err, redis.Nil) {
			return nil // nothing came; a real consumer pulls again
		}
		if err != nil {
			return err
		}
		message := map[any]any{}
		for i := 0; i+1 < len(reply); i += 2 {
			message[reply[i]] = reply[i+1]
		}
		if failure := work(message); failure != nil {
			err = settle(ctx, client, "MQ.NACK", message, "DELAY", 100)
			fmt.Println("gave back", message["payload"], "after:", failure)
		} else {
			err = settle(ctx, client, "MQ.ACK", message)
			fmt.Println("done", message["payload"])
		}
		if err != nil {
			return err
		}
	}
}

func work(message map[any]any) error {
	if message["payload"] == "two" && message["retry_count"] == int64(0) {
		return errors.New("no stock")
	}
	return nil
}

func settle(ctx context.Context, client *redis.Client, command string, message map[any]any, options ...any) error {
	arguments := append([]any{command, queue, message["id"], message["receipt"]}, options...)
	err := client.Do(ctx, arguments...).Err()
	var refused redis.Error
	if errors.As(err, &refused) {
		// NOTFOUND or BADRECEIPT: its visibility ended and the message is no longer ours.
		fmt.Println("too late:", err)
		return nil
	}
	return err
}
