package testkit

import (
	"fmt"
	"sync"
)

// shared are the servers of a test binary that its tests share. They end with the binary:
// the watcher ends them.
var shared sharedServers

type sharedServers struct {
	mu  sync.Mutex
	all map[sharedKey]*sharedServer
}

type sharedKey struct {
	flavor Flavor
	n      int
}

type sharedServer struct {
	once   sync.Once
	server *Server
	err    error
}

// Shared gives the n-th shared server of a kind; the first test that asks starts it. A test
// has a Database of its own there, leaves global settings alone and never stops it.
func Shared(t TB, flavor Flavor, n int) *Server {
	t.Helper()
	shared.mu.Lock()
	if shared.all == nil {
		shared.all = make(map[sharedKey]*sharedServer)
	}
	key := sharedKey{flavor, n}
	s := shared.all[key]
	if s == nil {
		s = new(sharedServer)
		shared.all[key] = s
	}
	shared.mu.Unlock()
	s.once.Do(func() {
		s.server, s.err = startShared(flavor)
	})
	if s.err != nil {
		t.Fatalf("%v", s.err)
	}
	view := *s.server
	view.t = t
	return &view
}

func startShared(flavor Flavor) (s *Server, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case binaryFailure:
			err = r
		default:
			panic(r)
		}
	}()
	return StartServer(binary{}, flavor), nil
}

// binary is a TB that lasts as long as the test binary: its cleanups are the watcher's work.
type binary struct{}

type binaryFailure struct{ error }

func (binary) Helper()                           {}
func (binary) Name() string                      { return "shared" }
func (binary) Logf(format string, args ...any)   {}
func (binary) Fatalf(format string, args ...any) { panic(binaryFailure{fmt.Errorf(format, args...)}) }
func (binary) Failed() bool                      { return false }
func (binary) Cleanup(func())                    {}
