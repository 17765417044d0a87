package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/wire"
)

// TestDrain: idle clients go at once, those in a statement or a transaction when they are
// done, strangers and newcomers are not let in.
func TestDrain(t *testing.T) {
	f := start(t, Options{TLS: serverTLS(t)})
	idle := f.greeted(t).login("app")
	secure := f.greeted(t)
	if b := secure.authenticate("app", everybody["app"], nativePassword, true); !wire.IsOK(b) {
		t.Fatalf("%q", b)
	}
	busy, inTx := f.greeted(t).login("busy"), f.greeted(t).login("other")
	stranger := f.greeted(t)
	busy.seq = 0
	busy.send([]byte("\x03WAIT"))
	inTx.command(wire.ComQuery, "BEGIN")
	isBusy := func(id uint32) bool { s := f.Find(id).Session(); return s != nil && s.Busy() }
	eventually(t, "two are busy", func() bool { return isBusy(busy.id) && isBusy(inTx.id) })

	drained := make(chan error, 1)
	go func() { drained <- f.Drain(context.Background()) }()
	idle.wantClosed()
	secure.wantClosed()
	stranger.wantClosed()
	if nc, err := net.Dial("tcp", f.addr); err == nil {
		nc.Close()
		t.Error("a newcomer is let in")
	}
	inTx.wantWho("user=other") // it goes on working
	inTx.command(wire.ComQuery, "COMMIT")
	inTx.wantClosed()
	select {
	case err := <-drained:
		t.Fatalf("drained although a statement runs: %v", err)
	default:
	}
	f.resume <- struct{}{}
	for range 5 { // the whole result of the statement
		busy.read()
	}
	busy.wantClosed()
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// TestDrainEnds: what is not done in time is cut off, and Drain says so.
func TestDrainEnds(t *testing.T) {
	f := start(t, Options{})
	p := f.greeted(t).login("app")
	p.seq = 0
	p.send([]byte("\x03WAIT"))
	eventually(t, "the client is busy", func() bool { s := f.Find(p.id).Session(); return s != nil && s.Busy() })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := f.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	p.wantClosed()
	if n := f.open(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// TestDrainRace drains while clients work: a command that was carried out has been
// answered, whole.
func TestDrainRace(t *testing.T) {
	f := start(t, Options{})
	var answered, lost atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := range 24 {
		// Some work without a pause, some come just when they are thought to be idle.
		var pause time.Duration
		if i >= 4 {
			pause = drainQuiet - 10*time.Millisecond + time.Duration(i*2)*time.Millisecond
		}
		p := f.greeted(t).login("app")
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := p.Write(frame(0, []byte{wire.ComPing})); err != nil {
					return
				}
				if b, err := p.tryRead(); err != nil || !wire.IsOK(b) {
					lost.Add(1)
					return
				}
				answered.Add(1)
				time.Sleep(pause)
			}
		})
	}
	eventually(t, "they work", func() bool { return answered.Load() > 1000 })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	time.AfterFunc(400*time.Millisecond, func() { close(stop) })
	if err := f.Drain(ctx); err != nil {
		t.Errorf("%v: clients that have stopped working are still open", err)
	}
	wg.Wait()
	if n := f.pings.Load(); n != answered.Load() {
		t.Errorf("%d were carried out, %d answered, %d lost", n, answered.Load(), lost.Load())
	}
}

// TestDrainArrivedCommand: a command that has arrived when its client is told to go is
// carried out and answered before the end.
func TestDrainArrivedCommand(t *testing.T) {
	f := start(t, Options{})
	p := f.greeted(t).login("app")
	p.command(wire.ComQuery, "DOZE") // the handler is not busy and does not read yet
	c := f.Find(p.id)
	eventually(t, "the handler dozes", func() bool { return !c.Session().Busy() })
	p.read()
	p.read()
	p.read()
	p.read()
	if _, err := p.Write(frame(0, []byte{wire.ComPing})); err != nil {
		t.Fatal(err)
	}
	drained := make(chan error, 1)
	go func() { drained <- f.Drain(context.Background()) }()
	eventually(t, "the client is told to go", c.leaving.Load)
	f.resume <- struct{}{}
	if b := p.read(); !wire.IsOK(b) {
		t.Errorf("got %q", b)
	}
	p.wantClosed()
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// TestContextEndsServe: the end of Serve's context is a hard close.
func TestContextEndsServe(t *testing.T) {
	f := &fixture{log: &logBuffer{}, resume: make(chan struct{})}
	f.Server = New(Options{}, everybody, f)
	if err := f.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	f.addr = f.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Server.Serve(ctx) }()
	p := f.greeted(t).login("app")
	p.seq = 0
	p.send([]byte("\x03WAIT"))
	cancel()
	p.wantClosed()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := f.Server.Serve(context.Background()); err != nil {
		t.Errorf("Serve after Close: %v", err)
	}
}

// TestHangups: the statements of clients that have gone are stopped, also while the shard of
// another one hangs.
func TestHangups(t *testing.T) {
	f := start(t, Options{})
	f.hang = make(chan struct{})
	t.Cleanup(func() { close(f.hang) }) // before the server is closed
	for range 3 {
		p := f.greeted(t).login("app")
		p.seq = 0
		p.send([]byte("\x03WAIT"))
		eventually(t, "the client is busy", func() bool { s := f.Find(p.id).Session(); return s != nil && s.Busy() })
		p.Close()
	}
	eventually(t, "all are being stopped", func() bool { return f.kills.Load() >= 3 })
}
