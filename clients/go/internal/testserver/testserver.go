// Package testserver starts redis-servers with the module for tests.
package testserver

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Start starts the server of MQ_SERVER with the module of MQ_MODULE, and returns its address. It ends with the test.
func Start(t testing.TB, settings ...string) string {
	t.Helper()
	module := os.Getenv("MQ_MODULE")
	if module == "" {
		t.Fatal("set MQ_MODULE to the module")
	}
	return start(t, append([]string{"--save", "", "--repl-diskless-sync-delay", "0", "--loadmodule", module}, settings...))
}

// StartSentinel does the same with a sentinel.
func StartSentinel(t testing.TB, config string) string {
	t.Helper()
	return start(t, []string{config, "--sentinel"})
}

func start(t testing.TB, arguments []string) string {
	t.Helper()
	program := os.Getenv("MQ_SERVER")
	if program == "" {
		t.Fatal("set MQ_SERVER to a redis-server")
	}
	folder := t.TempDir()
	address := freeAddress(t)
	host, port, _ := net.SplitHostPort(address)
	command := exec.Command(program, append(arguments, "--bind", host, "--port", port, "--dir", folder, "--logfile", "server.log")...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	client := redis.NewClient(&redis.Options{Addr: address})
	defer client.Close()
	for deadline := time.Now().Add(30 * time.Second); client.Ping(context.Background()).Err() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(folder, "server.log"))
			t.Fatalf("the server does not answer\n%s", log)
		}
	}
	return address
}

func freeAddress(t testing.TB) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
