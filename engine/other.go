//go:build !linux

package engine

import (
	"context"
	"net"
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

// Go runs f on a goroutine.
func (*Engine) Go(f func(*Task)) { go f(nil) }

// Leave does nothing.
func (*Task) Leave() {}

// Join does nothing.
func (*Task) Join() {}
