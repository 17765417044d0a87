package main

import (
	"bytes"
	"log/slog"
	"os"
	"runtime"
	"time"

	"sluice/engine"
	"sluice/metrics"
)

// openEngine starts the engine, unless SLUICE_ENGINE=off leaves all to goroutines: the way back, should a
// kernel or a load not agree with it.
func openEngine() (*engine.Engine, error) {
	if os.Getenv("SLUICE_ENGINE") == "off" {
		return nil, nil
	}
	return engine.New(0)
}

// stallTime is how long a loop may stand still before it is told.
const stallTime = time.Second

// stalled is told of a loop that stands still, and with it all sessions on it.
func (p *proxy) stalled(loop int) {
	p.stalls.Add(1)
	p.log.Error("the sessions of one loop of the engine stand still: one of them waits for what it should not, or the machine gives the process no time; "+
		"SLUICE_ENGINE=off does without loops", slog.Int("loop", loop), slog.Duration("longer_than", stallTime), slog.String("sessions", inSessions()))
}

func (p *proxy) countStalls(registry *metrics.Registry) {
	registry.Collect("sluice_engine_stalls", "Times that a loop of the engine stood still for a second.", nil, func() []metrics.Sample {
		return []metrics.Sample{{Value: float64(p.stalls.Load())}}
	})
}

// inSessions gives the stacks of a few goroutines that run statements. One that waits for a socket on
// its loop has "coroutine" for its state and is left out.
func inSessions() string {
	const most, room = 5, 4 << 20
	buf := make([]byte, room)
	var found [][]byte
	for _, stack := range bytes.Split(buf[:runtime.Stack(buf, true)], []byte("\n\n")) {
		head, _, _ := bytes.Cut(stack, []byte("\n"))
		if len(found) < most && bytes.Contains(stack, []byte("session.(*Session).serve(")) && !bytes.Contains(head, []byte("[coroutine")) {
			found = append(found, stack)
		}
	}
	return string(bytes.Join(found, []byte("\n\n")))
}
