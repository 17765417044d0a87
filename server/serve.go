package server

import (
	"log/slog"
	"runtime/debug"

	"sluice/engine"
)

// serving is a client's way through its commands, from its login to its end.
type serving struct {
	*Server
	c       *Client
	service Service // nil: the handler panicked before there was one
}

// serve hands a client over to the handler: its steps run on the engine's loop, or on a goroutine of their own.
func (s *Server) serve(c *Client) {
	v, ctx := &serving{Server: s, c: c}, s.ctx
	driven, _ := c.sock.(engine.Socket)
	if driven != nil {
		c.Task = s.opts.Engine.NewTask(driven)
		driven.Bind(c.Task)
		ctx = engine.With(ctx, c.Task)
	}
	if !v.open(func() Service { return s.handler.Open(ctx, c) }) {
		return
	}
	var rest engine.Socket
	if c.Idle() {
		rest = driven
	}
	c.Task.Run(rest, v.steps)
}

// open begins the service; false: it has ended.
func (v *serving) open(begin func() Service) (opened bool) {
	defer func() {
		if !opened {
			v.end(recover())
		}
	}()
	v.service = begin()
	return true
}

// steps carries out commands until nothing is under way, and gives the socket on which the next one comes; nil: it has ended.
func (v *serving) steps() (rest engine.Socket) {
	defer func() {
		if rest == nil {
			v.end(recover())
		}
	}()
	for {
		switch v.service.Step() {
		case Ends:
			return nil
		case Rests:
			v.c.Task.Join()
			if v.c.Task != nil && v.c.Idle() {
				return v.c.sock.(engine.Socket)
			}
		}
	}
}

// end closes the connection, also after a panic of the handler, which concerns no other client.
func (v *serving) end(p any) {
	defer v.wg.Done()
	if p != nil {
		v.panicked(p)
	}
	v.quit()
	v.c.Task.Leave() // what follows may wait
	if unread(v.c.sock) {
		linger(v.c.sock)
	}
	v.c.Release()
	_ = v.c.Close() // it is given up either way
	v.clients.leave(v.c.sock)
	v.opts.Metrics.Connection(v.opts.Name, -1)
}

// quit ends the service.
func (v *serving) quit() {
	defer func() {
		if p := recover(); p != nil {
			v.panicked(p)
		}
	}()
	if v.service != nil {
		v.service.Close()
	}
}

func (v *serving) panicked(p any) {
	v.opts.Log.Error("panic in a client's connection", slog.String("port", v.opts.Name), slog.Uint64("id", uint64(v.c.ID)),
		slog.String("remote", v.c.Remote.String()), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
}
