// Package mq is the client of redis-mq, a message queue inside Redis and Valkey.
//
// It has two layers. [Client] has one method per command: no goroutines, no policy. [Worker] runs a handler for each message of its queues,
// with heartbeats, retries, reconnects and a clean shutdown. [Publish] is a push that survives a lost connection without adding a second
// message.
//
// The package mqtest has a fake of the client for tests, the package queue the small interface of the library that redis-mq descends from.
package mq
