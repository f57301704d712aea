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
	program, module := os.Getenv("MQ_SERVER"), os.Getenv("MQ_MODULE")
	if program == "" || module == "" {
		t.Fatal("set MQ_SERVER to a redis-server and MQ_MODULE to the module")
	}
	folder := t.TempDir()
	address := freeAddress(t)
	host, port, _ := net.SplitHostPort(address)
	arguments := []string{"--bind", host, "--port", port, "--dir", folder, "--save", "", "--logfile", "server.log", "--loadmodule", module}
	command := exec.Command(program, append(arguments, settings...)...)
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
