package testkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Spec says how to start a program.
type Spec struct {
	Name string   // for messages and the log file: "mariadb", "px1" …
	Argv []string // the program and its arguments; the program is looked up in PATH
	Env  []string // added to the environment of the test, "KEY=value"
	Dir  string   // working directory; default: a directory of its own
	// Ready says whether the program serves; it is asked again until it answers nil or
	// StartTimeout has passed. nil: ready as soon as it runs.
	Ready        func(ctx context.Context) error
	StartTimeout time.Duration // default 60 s: a bound for loaded machines, not an expectation
	StopTimeout  time.Duration // what SIGTERM may take before SIGKILL; default 30 s
}

// Process is a running program that ends with its test. Its methods may be called from any
// goroutine of the test; those that fail end the test, so they belong into its own goroutine.
type Process struct {
	spec Spec
	t    TB
	log  string // path
	pids string

	mu  sync.Mutex
	cmd *exec.Cmd // nil while stopped
}

// Start runs a program until the test ends; then its whole process group is killed.
func Start(t TB, spec Spec) *Process {
	t.Helper()
	p := New(t, spec)
	p.Start()
	return p
}

// New makes a process that is not started yet; it ends with the test.
func New(t TB, spec Spec) *Process {
	t.Helper()
	if spec.Dir == "" {
		spec.Dir = Dir(t, spec.Name)
	}
	if spec.StartTimeout == 0 {
		spec.StartTimeout = 60 * time.Second
	}
	if spec.StopTimeout == 0 {
		spec.StopTimeout = 30 * time.Second
	}
	p := &Process{spec: spec, t: t, pids: theRoom(t).pids, log: filepath.Join(spec.Dir, spec.Name+".log")}
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.end(syscall.SIGKILL, p.spec.StopTimeout)
		if t.Failed() {
			t.Logf("last lines of %s:\n%s", p.spec.Name, p.tail(30))
		}
	})
	return p
}

// Start starts the program again after Stop or Kill, with the same arguments and directory,
// and waits until it is ready.
func (p *Process) Start() {
	p.t.Helper()
	if err := p.start(); err != nil {
		p.t.Fatalf("testkit: %v", err)
	}
}

func (p *Process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return fmt.Errorf("%s is already started", p.spec.Name)
	}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	// The shell lists the process group for the watcher before it becomes the program, so
	// that there is no moment at which the program runs unlisted.
	cmd := exec.Command("/bin/sh", append([]string{"-c", `: >"$0/$$" && exec "$@"`, p.pids}, p.spec.Argv...)...)
	cmd.Dir = p.spec.Dir
	cmd.Env = append(os.Environ(), p.spec.Env...)
	cmd.Stdout, cmd.Stderr = out, out // a file, not a pipe: nothing for a goroutine to copy
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", p.spec.Name, err)
	}
	p.cmd = cmd
	if err := p.awaitReady(cmd.Process.Pid); err != nil {
		p.end(syscall.SIGKILL, p.spec.StopTimeout)
		return fmt.Errorf("%s did not start: %w\n%s", p.spec.Name, err, p.tail(30))
	}
	return nil
}

func (p *Process) awaitReady(pid int) error {
	if p.spec.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.spec.StartTimeout)
	defer cancel()
	for {
		err := p.spec.Ready(ctx)
		if err == nil {
			return nil
		}
		if !alive(pid) {
			return errors.New("it ended at once")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready within %v: %w", p.spec.StartTimeout, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// PID is the number of the running process, 0 while there is none.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// Running tells whether the process lives (a paused one does).
func (p *Process) Running() bool {
	pid := p.PID()
	return pid != 0 && alive(pid)
}

// Kill ends the process with SIGKILL, as a crash would, and waits until it is gone.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end(syscall.SIGKILL, p.spec.StopTimeout)
}

// Stop ends the process in an orderly way (SIGTERM) and gives its exit code, -1 if it had to be
// killed or was not running.
func (p *Process) Stop() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.end(syscall.SIGTERM, p.spec.StopTimeout)
}

// Wait waits until the process has ended by itself and gives its exit code; -1 when it did
// not within d, and was killed.
func (p *Process) Wait(d time.Duration) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.end(0, d)
}

// Pause stops the process (SIGSTOP) as a stalled machine would: its connections stay open and
// nothing answers. Resume lets it go on. On a busy machine threads go on for a while after the
// signal was sent: Pause returns when all of them stand.
func (p *Process) Pause() {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	pid, limit := p.PID(), time.Now().Add(10*time.Second)
	for !stands(pid) {
		if time.Now().After(limit) {
			p.t.Fatalf("testkit: %s goes on after SIGSTOP", p.spec.Name)
		}
		time.Sleep(time.Millisecond)
	}
}

// stands tells whether no thread of a process runs.
func stands(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, path := range threads {
		b, err := os.ReadFile(path) // pid (name) state …
		if err != nil {
			continue // it has ended
		}
		if rest := string(b[strings.LastIndexByte(string(b), ')')+1:]); !strings.HasPrefix(rest, " T") {
			return false
		}
	}
	return true
}

// Resume ends a Pause.
func (p *Process) Resume() { p.signal(syscall.SIGCONT) }

// Signal sends a signal to the process itself, not to its group.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	pid := p.PID()
	if pid == 0 {
		p.t.Fatalf("testkit: %s is not running", p.spec.Name)
	}
	if err := syscall.Kill(pid, s); err != nil {
		p.t.Fatalf("testkit: signal %v to %s: %v", s, p.spec.Name, err)
	}
}

func (p *Process) signal(s syscall.Signal) {
	p.t.Helper()
	pid := p.PID()
	if pid == 0 {
		p.t.Fatalf("testkit: %s is not running", p.spec.Name)
	}
	if err := syscall.Kill(-pid, s); err != nil {
		p.t.Fatalf("testkit: signal %v to %s: %v", s, p.spec.Name, err)
	}
}

// Log is everything that the process has written to its standard output and error, over all its starts.
func (p *Process) Log() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (p *Process) tail(lines int) string {
	all := strings.Split(strings.TrimRight(p.Log(), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// end sends sig (0: nothing) to the group, waits and reaps; whatever is left after d is killed. The lock is held.
func (p *Process) end(sig syscall.Signal, d time.Duration) int {
	if p.cmd == nil {
		return -1
	}
	cmd, group := p.cmd, p.cmd.Process.Pid
	p.cmd = nil
	if sig != 0 {
		syscall.Kill(-group, sig)
		syscall.Kill(-group, syscall.SIGCONT) // a paused process could not obey
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		cmd.Wait() // the exit code is read from ProcessState below
	}()
	code := -1
	select {
	case <-done:
		code = cmd.ProcessState.ExitCode()
	case <-time.After(d):
	}
	syscall.Kill(-group, syscall.SIGKILL) // children that it left behind, or itself
	<-done
	os.Remove(filepath.Join(p.pids, strconv.Itoa(group)))
	return code
}

// alive tells whether a process exists and is no zombie.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// pid (name) state …; the name may hold anything, also a ')'.
	s := string(b)
	rest := strings.TrimSpace(s[strings.LastIndexByte(s, ')')+1:])
	return rest != "" && rest[0] != 'Z' && rest[0] != 'X'
}
