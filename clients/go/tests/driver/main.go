// The driver through which the contract of the clients tests this one: clients/contract/README.md says what it does.
package main

import (
	"log"
	"os"
	"strconv"

	"github.com/redis/go-redis/v9"

	mq "redis-mq/clients/go"
	"redis-mq/clients/go/mqtest"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: driver client | fake | worker")
	}
	switch os.Args[1] {
	case "client":
		protocol, err := strconv.Atoi(os.Getenv("MQ_PROTOCOL"))
		if err != nil {
			log.Fatal(err)
		}
		serve(mq.New(connect(protocol)), nil)
	case "fake":
		fake := mqtest.New()
		serve(fake, fake)
	case "worker":
		work()
	default:
		log.Fatalf("unknown mode %q", os.Args[1])
	}
}

func connect(protocol int) *redis.Client {
	options, err := redis.ParseURL(os.Getenv("MQ_URL"))
	if err != nil {
		log.Fatal(err)
	}
	options.Protocol = protocol
	return redis.NewClient(options)
}
