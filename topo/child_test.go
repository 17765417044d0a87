package topo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// childCommand is the command that runs child.
func childCommand(t *testing.T, opts Options) *exec.Cmd {
	t.Helper()
	opts.Log, opts.Initial = nil, nil
	given, err := json.Marshal(opts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TOPO_TEST_CHILD="+string(given))
	return cmd
}

// child is what the test binary does when a test starts it as a process to be killed: it
// opens a store and prints ids.
func child() bool {
	given := os.Getenv("TOPO_TEST_CHILD")
	if given == "" {
		return false
	}
	var opts Options
	if err := json.NewDecoder(strings.NewReader(given)).Decode(&opts); err != nil {
		panic(err)
	}
	opts.Initial = spec(2)
	s, err := Open(context.Background(), opts)
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	fmt.Println("map", s.Map().Version)
	for {
		id, err := s.NextIDs(context.Background(), "killed", 1, floor(0))
		if err != nil {
			fmt.Println("ids:", err)
			os.Exit(1)
		}
		fmt.Println("id", id)
	}
}
