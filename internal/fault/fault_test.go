package fault

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestNone: a program that was told of no fault has none.
func TestNone(t *testing.T) {
	p, err := Parse("")
	if p != nil || err != nil {
		t.Fatal(p, err)
	}
	if p.At("x") != nil || p.Off("x") {
		t.Error("a fault without being told")
	}
}

func TestCounted(t *testing.T) {
	p, err := Parse("a:error:3,b:off,c:delay=20ms")
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 4; i++ {
		var fe *Error
		if err := p.At("a"); errors.As(err, &fe) != (i >= 3) {
			t.Errorf("hit %d: %v", i, err)
		}
	}
	if !p.Off("b") || p.Off("a") || p.At("b") != nil {
		t.Error("off")
	}
	if began := time.Now(); p.At("c") != nil || time.Since(began) < 20*time.Millisecond {
		t.Error("no delay")
	}
}

func TestMalformed(t *testing.T) {
	for _, text := range []string{"a", ":exit", "a:die", "a:exit:0", "a:exit:x", "a:delay", "a:delay=x", "a:exit:1:2", "a:exit,"} {
		if p, err := Parse(text); err == nil {
			t.Errorf("%q: %+v", text, p)
		}
	}
}

// TestExit lets a copy of the test kill itself.
func TestExit(t *testing.T) {
	if os.Getenv(Variable) != "" {
		p, err := FromEnvironment()
		if err != nil {
			t.Fatal(err)
		}
		_ = p.At("here")
		t.Log("first") // the second one is the end
		_ = p.At("here")
		os.Exit(7)
	}
	cmd := exec.Command(os.Args[0], "-test.run=TestExit")
	cmd.Env = append(os.Environ(), Variable+"=here:exit:2")
	err := cmd.Run()
	var ee *exec.ExitError
	if !errors.As(err, &ee) || ee.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("ended with %v", err)
	}
}
