// Package slowlog writes the statements that have taken long to a file of their own, in the
// format of MySQL's slow query log, which pt-query-digest and its like read. Unlike the
// proxy's log it holds the statements as they were sent, with their values.
//
// What it refuses to do: to hold up a client. Entries go through a bounded queue to the one
// goroutine that writes; what does not fit, because the disk is slow, is counted and dropped.
package slowlog

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxText is what is written of a statement. Its end is what a reader misses least.
	maxText = 64 << 10
	// maxQueue bounds the entries that wait: with maxText some 16 MiB at the worst.
	maxQueue = 256
)

// Log is an open slow log. A nil *Log is valid: it takes nothing.
type Log struct {
	path      string
	threshold time.Duration
	log       *slog.Logger
	queue     chan []byte
	reopen    chan chan error
	done      chan struct{} // the writer has ended
	dropped   atomic.Uint64

	mu     sync.RWMutex // held by those who put into queue; Close closes it
	closed bool
}

// Entry is one statement that has ended.
type Entry struct {
	Started  time.Time
	Took     time.Duration
	ID       uint32 // of the client's connection
	User     string
	Host     string // the client's address
	Schema   string // "" when none
	Rows     uint64 // sent to the client
	Failed   bool
	Strategy string // a plan's word for how it was answered
	Shards   string // names with commas between them; "" when none was asked
	SQL      []byte
}

// Open opens the file, which is made with mode 0600 and appended to.
func Open(path string, threshold time.Duration, log *slog.Logger) (*Log, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	l := &Log{path: path, threshold: threshold, log: log, queue: make(chan []byte, maxQueue), reopen: make(chan chan error), done: make(chan struct{})}
	go l.write(f)
	return l, nil
}

func open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

// Threshold is what a statement must take at least; ok is false where nothing is written.
func (l *Log) Threshold() (d time.Duration, ok bool) {
	if l == nil {
		return 0, false
	}
	return l.threshold, true
}

// Dropped counts the entries that did not fit into the queue.
func (l *Log) Dropped() uint64 {
	if l == nil {
		return 0
	}
	return l.dropped.Load()
}

// Add writes an entry when it has taken long enough. It does not wait.
func (l *Log) Add(e *Entry) {
	if l == nil || e.Took < l.threshold {
		return
	}
	text := e.append(nil)
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return
	}
	select {
	case l.queue <- text:
	default:
		l.dropped.Add(1)
	}
}

// Reopen opens the file anew, after logrotate has moved it away.
func (l *Log) Reopen() error {
	if l == nil {
		return nil
	}
	answer := make(chan error, 1)
	select {
	case l.reopen <- answer:
		return <-answer
	case <-l.done:
		return nil
	}
}

// Close writes what waits and ends the writer.
func (l *Log) Close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.mu.Unlock()
	<-l.done
}

// write owns the file.
func (l *Log) write(f *os.File) {
	defer close(l.done)
	failed := false // said once, until a write succeeds again
	for {
		select {
		case text, more := <-l.queue:
			if !more {
				if err := f.Close(); err != nil {
					l.log.Error("the slow log was not closed", "file", l.path, "error", err)
				}
				return
			}
			_, err := f.Write(text)
			if err != nil && !failed {
				l.log.Error("the slow log cannot be written", "file", l.path, "error", err)
			}
			failed = err != nil
		case answer := <-l.reopen:
			next, err := open(l.path)
			if err == nil {
				f.Close() // what it had was written
				f = next
			}
			answer <- err
		}
	}
}

// append renders the entry as MySQL does ("The Slow Query Log"), with a line of Sluice's own
// in the form of the attributes. What only a server knows (lock time, rows examined) is 0.
func (e *Entry) append(b []byte) []byte {
	seconds := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }
	b = fmt.Appendf(b, "# Time: %s\n", e.Started.Add(e.Took).UTC().Format("2006-01-02T15:04:05.000000Z"))
	b = fmt.Appendf(b, "# User@Host: %s[%s] @  [%s]  Id: %5d\n", e.User, e.User, e.Host, e.ID)
	b = fmt.Appendf(b, "# Query_time: %s  Lock_time: 0.000000 Rows_sent: %d  Rows_examined: 0\n", seconds(e.Took), e.Rows)
	failed := "No"
	if e.Failed {
		failed = "Yes"
	}
	b = fmt.Appendf(b, "# Strategy: %s  Failed: %s", e.Strategy, failed)
	if e.Shards != "" {
		b = fmt.Appendf(b, "  Shards: %s", e.Shards)
	}
	b = append(b, '\n')
	if e.Schema != "" {
		b = fmt.Appendf(b, "use %s;\n", e.Schema)
	}
	b = fmt.Appendf(b, "SET timestamp=%d;\n", e.Started.Unix())
	b = append(b, e.SQL[:min(len(e.SQL), maxText)]...)
	return append(b, ";\n"...)
}
