//go:build !linux

package engine

import (
	"context"
	"net"
	"sync"
	"time"
)

// Engine is nil where there is none.
type Engine struct{}

// Task is nil where there is no engine.
type Task struct{}

// New gives no engine.
func New(int) (*Engine, error) { return nil, nil }

// Close does nothing.
func (*Engine) Close() {}

// Adopt gives nc back.
func (*Engine) Adopt(nc net.Conn) (net.Conn, error) { return nc, nil }

// Watch does nothing.
func (*Engine) Watch(context.Context, time.Duration, func(int)) {}

// NewTask gives none.
func (*Engine) NewTask(Socket) *Task { return nil }

// Run runs steps on a goroutine until one gives nil.
func (*Task) Run(_ Socket, step func() Socket) {
	go func() {
		for step() != nil {
		}
	}()
}

// Leave does nothing.
func (*Task) Leave() {}

// Join does nothing.
func (*Task) Join() {}

// Bell wakes one who waits.
type Bell struct {
	once sync.Once
	c    chan struct{}
}

func (b *Bell) open() { b.once.Do(func() { b.c = make(chan struct{}, 1) }) }

// Wait blocks until the bell is rung, or was since the last Wait.
func (b *Bell) Wait(*Task) {
	b.open()
	<-b.c
}

// Ring wakes who waits.
func (b *Bell) Ring() {
	b.open()
	select {
	case b.c <- struct{}{}:
	default:
	}
}
