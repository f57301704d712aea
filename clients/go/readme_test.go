package mq_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	mq "redis-mq/clients/go"
	"redis-mq/clients/go/internal/testserver"
)

// blocks returns the parts of the README that are in a language.
func blocks(t *testing.T, language string) []string {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		found = append(found, block[1])
	}
	return found
}

// build installs this module into a new one as the README says, and builds one of its programs.
func build(t *testing.T, program, address string) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte(strings.ReplaceAll(program, "localhost:6379", address)), 0o600); err != nil {
		t.Fatal(err)
	}
	install := strings.ReplaceAll(blocks(t, "sh")[0], "../redis-mq/clients/go", here)
	command := exec.Command("sh", "-ec", "go mod init example\n"+install+"go build -o program .")
	command.Dir = folder
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return filepath.Join(folder, "program")
}

func TestTheProgramsOfTheReadme(t *testing.T) {
	address := testserver.Start(t)
	programs := blocks(t, "go")
	if len(programs) != 2 {
		t.Fatalf("%d programs", len(programs))
	}
	if output, err := exec.Command(build(t, programs[0], address)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	connection := redis.NewClient(&redis.Options{Addr: address})
	defer connection.Close()
	client := mq.New(connection)
	if count, err := client.Len(ctx, "orders", mq.StateReady); err != nil || count != 2 {
		t.Fatalf("%d were pushed, %v", count, err)
	}

	var output strings.Builder
	worker := exec.Command(build(t, programs[1], address))
	worker.Stdout = &output
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = worker.Process.Kill() }()
	eventually(t, "the queue is empty", func() bool {
		count, err := client.Len(ctx, "orders", mq.StateAny)
		return err == nil && count == 0
	})
	if err := worker.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := worker.Wait(); err != nil || output.String() != "processed order 17\n" {
		t.Errorf("%v, %q", err, output.String())
	}
	if dead, err := client.Peek(ctx, "{orders}:dead", nil); err != nil || len(dead) != 1 || dead[0].LastError != "no such order" || dead[0].Headers["type"] != "order" {
		t.Errorf("%+v, %v", dead, err)
	}
}

func TestTheTableOfTheReadmeHasAllOptions(t *testing.T) {
	source, err := os.ReadFile("worker.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	structure := regexp.MustCompile(`(?s)type WorkerOptions struct \{(.*?)\n\}`).FindStringSubmatch(string(source))[1]
	for _, field := range regexp.MustCompile(`(?m)^\t([A-Z]\w+) `).FindAllStringSubmatch(structure, -1) {
		if !strings.Contains(string(readme), "| `"+field[1]+"` |") {
			t.Errorf("%s is missing", field[1])
		}
	}
}
