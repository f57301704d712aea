// Pushes, pulls and acknowledges as the users of examples/acl/users.acl, and reads metrics as the monitor.
//
//	users standalone|cluster PORT USER:PASSWORD...
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

func connect(user string, protocol int) redis.UniversalClient {
	address := []string{"127.0.0.1:" + os.Args[2]}
	var password string
	for _, each := range os.Args[3:] {
		if name, secret, _ := strings.Cut(each, ":"); name == user {
			password = secret
		}
	}
	options := &redis.UniversalOptions{
		Addrs: address, Username: user, Password: password, ClientName: user, Protocol: protocol,
		IsClusterMode: os.Args[1] == "cluster", ReadOnly: user == "monitor", ReadTimeout: 5 * time.Second,
	}
	return redis.NewUniversalClient(options)
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// fields of a message: a map in RESP3, and in RESP2 a list of names and values.
func fields(reply any) map[any]any {
	if message, ok := reply.(map[any]any); ok {
		return message
	}
	message := map[any]any{}
	list := reply.([]any)
	for i := 0; i+1 < len(list); i += 2 {
		message[list[i]] = list[i+1]
	}
	return message
}

func work(protocol int) {
	ctx := context.Background()
	producer, consumer := connect("producer", protocol), connect("consumer", protocol)
	monitor := connect("monitor", protocol)
	must(producer.Ping(ctx).Result())
	must(producer.Do(ctx, "MQ.PUSH", "orders", "one").Result())
	must(producer.TxPipelined(ctx, func(transaction redis.Pipeliner) error {
		return transaction.Do(ctx, "MQ.PUSH", "orders", "two").Err()
	}))
	must(producer.Do(ctx, "WAIT", 0, 10).Result())
	for _, payload := range []string{"one", "two"} {
		message := fields(must(consumer.Do(ctx, "MQ.PULL", "orders", "BLOCK", 1000).Result()))
		if message["payload"] != payload {
			panic(fmt.Sprint(message))
		}
		must(consumer.Do(ctx, "MQ.ACK", "orders", message["id"], message["receipt"]).Result())
	}
	must(consumer.ClientUnblock(ctx, must(consumer.ClientID(ctx).Result())).Result())
	if info := must(monitor.Info(ctx, "mq").Result()); !strings.Contains(info, "mq_op_version") {
		panic(info)
	}
	if left := must(monitor.Do(ctx, "MQ.LEN", "orders").Int()); left != 0 {
		panic(left)
	}
	for _, client := range []redis.UniversalClient{producer, consumer, monitor} {
		client.Close()
	}
}

func main() {
	for _, protocol := range []int{2, 3} {
		work(protocol)
	}
	fmt.Println("done")
}
