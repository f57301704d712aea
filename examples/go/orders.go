// `go run . produce 10` pushes ten orders, `go run . consume` processes orders until SIGTERM or Ctrl-C;
// without arguments it pushes three and processes what is in the queue.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"
)

const queue, block = "orders", 2 * time.Second

// Temporary errors: the same command may succeed later.
const notNow = "BUSY CLUSTERDOWN LOADING MASTERDOWN MISCONF NOREPLICAS OOM QUEUEFULL READONLY TRYAGAIN UNBLOCKED"

var errNoText = errors.New("the payload is not UTF-8")
var client *redis.Client
var stopping = context.Background()

// send retries the command until the server answers, so executing it twice must be harmless.
func send(command ...any) any {
	for pause := 100 * time.Millisecond; ; pause = (pause + time.Second) / 2 {
		reply, err := client.Do(context.Background(), command...).Result()
		code := strings.Fields(fmt.Sprint(err))[0]
		switch _, refused := err.(redis.Error); {
		case err == nil || err == redis.Nil:
			return reply
		case code == "NOTFOUND" || code == "BADRECEIPT": // processing took longer than the visibility
			fmt.Println("too late:", err)
			return nil
		case refused && !strings.Contains(notNow, code) || stopping.Err() != nil:
			log.Fatalf("%s: %v", command[0], err)
		}
		log.Printf("%s will be retried: %v", command[0], err)
		time.Sleep(pause)
	}
}

func produce(count int) {
	for number := 1; number <= count; number++ {
		order := fmt.Sprint("order ", number)
		// With DEDUP, a push repeated because its reply was lost adds the message only once.
		send("MQ.PUSH", queue, order, "DEDUP", fmt.Sprint(time.Now().UnixNano()))
		fmt.Println("pushed", order)
	}
}

// consume acknowledges the order that is done, if there is one, and processes the next. It returns what has to be
// acknowledged then, which is its id and receipt, or nothing if it failed, and whether one came within BLOCK.
func consume(done []any) ([]any, bool) {
	// ONDISCONNECT: if this connection closes, the server returns the message to the queue.
	pull := []any{"MQ.PULL", queue, "BLOCK", block.Milliseconds(), "ONDISCONNECT"}
	if done != nil {
		pull = append(append(pull, "ACK", 1), done...)
	}
	reply := send(pull...)
	if done != nil {
		both := reply.([]any)
		if both[0].([]any)[0] != int64(1) { // processing took longer than the visibility
			fmt.Println("too late")
		}
		reply = both[1]
	}
	message, isMap := reply.(map[any]any)
	if reply == nil {
		return nil, false
	} else if !isMap { // on Redis 6, modules can only reply with flat arrays
		message = map[any]any{}
		for list := reply.([]any); len(list) > 0; list = list[2:] {
			message[list[0]] = list[1]
		}
	}
	id, receipt := message["id"], message["receipt"]
	err := process(message["payload"].(string), message["retry_count"].(int64))
	if err == nil {
		return []any{id, receipt}, true
	}
	fmt.Println("nacked:", err)
	nack := []any{"MQ.NACK", queue, id, receipt, "REASON", err.Error()} // delivered again after the backoff
	if err == errNoText {
		nack = append(nack, "DEAD") // a retry cannot help: to the dead-letter queue
	}
	send(nack...)
	return nil, true
}

func process(order string, retryCount int64) error {
	if !utf8.ValidString(order) {
		return errNoText
	}
	time.Sleep(100 * time.Millisecond) // the work
	if order == "order 2" && retryCount == 0 {
		return errors.New("no stock")
	}
	fmt.Println("processed", order)
	return nil
}

func main() {
	url := os.Getenv("REDIS_URL")
	if url == "" {
		url = "redis://127.0.0.1:6379"
	}
	options, err := redis.ParseURL(url)
	if err != nil {
		log.Fatal(err)
	}
	options.PoolSize = 1                        // ONDISCONNECT is bound to this connection
	options.MaxRetries = -1                     // the library's retries are off: send retries
	options.ReadTimeout = block + 5*time.Second // longer than BLOCK
	client = redis.NewClient(options)
	arguments := append(os.Args[1:], "", "3")
	if count, _ := strconv.Atoi(arguments[1]); arguments[0] != "consume" {
		produce(count)
	}
	if arguments[0] != "produce" {
		// The current order is finished first.
		stopping, _ = signal.NotifyContext(stopping, syscall.SIGTERM, syscall.SIGINT)
		var done []any
		for came := true; stopping.Err() == nil && (came || arguments[0] == "consume"); {
			done, came = consume(done)
		}
		if done != nil {
			send("MQ.ACK", queue, done[0], done[1])
		}
	}
}
