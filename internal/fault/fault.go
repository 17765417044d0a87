// Package fault makes a program die, stop, stall or fail at a named point of its work, so
// that tests can look at what is left. A program that was not told of faults when it
// started has none: its *Points is nil and a point costs a comparison.
//
// SLUICE_FAULT is a list of point:action[:n], separated by commas; the action happens when
// the point is reached for the n-th time (the first, when n is not given):
//
//	exit      the process kills itself with SIGKILL
//	stop      the process stops itself with SIGSTOP; a SIGCONT lets it go on
//	error     the step fails, every time from the n-th on
//	delay=2s  the step begins later, every time from the n-th on
//	off       a safeguard is left out, every time: the tests' proof that they would see it
package fault

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Says begins the line on standard error of a program that stops or kills itself; the
// point's name follows.
const Says = "fault point: "

// Variable is the environment variable that names the faults.
const Variable = "SLUICE_FAULT"

// Points are the faults that a program was started with. Nil has none.
type Points struct{ list []*point }

type point struct {
	name   string
	action action
	delay  time.Duration
	at     int64 // the hit at which it happens
	hits   atomic.Int64
}

type action uint8

const (
	exit action = iota
	stop
	fail
	delay
	off
)

// Error is what a step gives that was told to fail.
type Error struct{ Point string }

func (e *Error) Error() string { return "fault point " + e.Point + " was told to fail" }

// FromEnvironment reads the faults that the program was started with.
func FromEnvironment() (*Points, error) { return Parse(os.Getenv(Variable)) }

// Parse reads a list of faults; "" is none.
func Parse(text string) (*Points, error) {
	if text == "" {
		return nil, nil
	}
	p := &Points{}
	for _, one := range strings.Split(text, ",") {
		pt, err := parse(one)
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %w", Variable, one, err)
		}
		p.list = append(p.list, pt)
	}
	return p, nil
}

func parse(text string) (*point, error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" {
		return nil, fmt.Errorf("write point:action or point:action:n")
	}
	pt := &point{name: parts[0], at: 1}
	verb, arg, _ := strings.Cut(parts[1], "=")
	switch verb {
	case "exit":
		pt.action = exit
	case "stop":
		pt.action = stop
	case "error":
		pt.action = fail
	case "off":
		pt.action = off
	case "delay":
		var err error
		if pt.action, pt.delay = delay, 0; arg != "" {
			pt.delay, err = time.ParseDuration(arg)
		}
		if err != nil || pt.delay <= 0 {
			return nil, fmt.Errorf("a delay is written delay=2s")
		}
	default:
		return nil, fmt.Errorf("the actions are exit, stop, error, delay=2s and off")
	}
	if len(parts) == 3 {
		n, err := strconv.ParseInt(parts[2], 10, 64)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("n is a number from 1")
		}
		pt.at = n
	}
	return pt, nil
}

// At is a point of the work. The error is nil or *Error.
func (p *Points) At(name string) error {
	if p == nil {
		return nil
	}
	for _, pt := range p.list {
		if pt.name != name || pt.action == off {
			continue
		}
		if err := pt.reached(); err != nil {
			return err
		}
	}
	return nil
}

func (pt *point) reached() error {
	n := pt.hits.Add(1)
	switch {
	case pt.action == delay && n >= pt.at:
		time.Sleep(pt.delay)
	case pt.action == fail && n >= pt.at:
		return &Error{pt.name}
	case pt.action == exit && n == pt.at:
		return pt.suicide(syscall.SIGKILL)
	case pt.action == stop && n == pt.at:
		return pt.suicide(syscall.SIGSTOP)
	}
	return nil
}

// suicide sends a signal to the own process, and says on standard error where. It is
// delivered to another thread perhaps a moment later than kill returns, and nothing more may
// be done until then.
func (pt *point) suicide(s syscall.Signal) error {
	fmt.Fprintf(os.Stderr, "%s%s\n", Says, pt.name)
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		return err
	}
	time.Sleep(50 * time.Millisecond)
	return nil
}

// Off tells whether a safeguard is to be left out.
func (p *Points) Off(name string) bool {
	if p == nil {
		return false
	}
	for _, pt := range p.list {
		if pt.name == name && pt.action == off {
			return true
		}
	}
	return false
}
