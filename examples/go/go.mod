module redis-mq-example

go 1.23

require github.com/redis/go-redis/v9 v9.17.2
