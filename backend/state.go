package backend

import (
	"errors"
	"fmt"
	"time"

	"sluice/wire"
)

// change is what must be sent to bring a connection from its state to another.
type change struct {
	reset    bool // COM_RESET_CONNECTION and the base settings
	use      bool // COM_INIT_DB
	set      bool // the settings' SET
	schema   string
	settings *Settings
}

// enter brings a connection that comes from the pool to a state. Nothing of an earlier
// settings may remain, and only COM_RESET_CONNECTION takes a variable back that the new
// ones do not mention. It resets neither the schema nor what the login fixed.
func (c *Conn) enter(schema string, s *Settings) error {
	ch := change{schema: schema, settings: s}
	ch.use = schema != "" && schema != c.schema
	if c.mixed || !same(c.settings, s) {
		ch.reset = c.mixed || c.settings != nil
		ch.set = s != nil
	}
	ch.set = ch.set || ch.use && s != nil && s.AfterUse
	if ch.use || ch.reset || ch.set {
		return c.apply(&ch)
	}
	return nil
}

// Sync brings the connection to another state while it is leased (after the client's SET
// or USE): within a transaction, with everything else that it carries. Variables that the
// new settings do not mention keep their values, so that the new ones must mention all that
// the old ones do. On error the connection is broken and must be closed, unless *wire.Error.
// It is bounded by DialTimeout and removes a deadline that was set.
func (c *Conn) Sync(schema string, s *Settings) error {
	s = normal(s)
	if s == c.settings && (schema == c.schema || schema == "") {
		return nil
	}
	ch := change{schema: schema, settings: s}
	ch.use = schema != "" && schema != c.schema
	if ch.set = !same(c.settings, s); ch.set {
		if s == nil {
			c.broken = true
			return errors.New("a connection that carries a session's settings cannot go back to a fresh one's")
		}
		c.mixed = c.mixed || c.settings != nil
	}
	ch.set = ch.set || ch.use && s != nil && s.AfterUse
	if !ch.use && !ch.set {
		return nil
	}
	return c.apply(&ch)
}

// Has tells whether the connection has these settings, so that Sync would set nothing but a schema.
func (c *Conn) Has(s *Settings) bool { return normal(s) == c.settings }

// normal makes nil of settings that are a fresh connection's.
func normal(s *Settings) *Settings {
	if s != nil && s.Set == "" {
		return nil
	}
	return s
}

// Soil says that more is set on the connection than its settings tell: it is reset before
// its next lease.
func (c *Conn) Soil() { c.mixed = true }

// apply sends all that a change needs in one write and then reads the answers. The first
// ERR is the error; the connection's state is known in any case.
func (c *Conn) apply(ch *change) error {
	if err := c.Conn.SetDeadline(time.Now().Add(c.pool.opts.DialTimeout)); err != nil {
		return c.check(err)
	}
	if err := c.sendChange(ch); err != nil {
		return c.check(err)
	}
	if ch.reset {
		if err := c.afterReset(); err != nil {
			return err
		}
	}
	var refused error
	if ch.use {
		c.AwaitAnswer()
		if err := readOK(c.Conn); err == nil {
			c.schema = ch.schema
		} else if refused = c.check(err); c.broken {
			return err
		}
	}
	if ch.set {
		c.AwaitAnswer()
		if err := readOK(c.Conn); err == nil {
			c.settings = ch.settings
		} else {
			c.mixed = true // a part of it may have been done
			if c.check(err); c.broken {
				return err
			}
			if refused == nil {
				refused = err
			}
		}
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		return c.check(err)
	}
	return refused
}

func (c *Conn) sendChange(ch *change) error {
	if ch.reset {
		if err := c.Command(wire.ComResetConnection, nil); err != nil {
			return err
		}
		if err := c.Command(wire.ComQuery, []byte(baseSet)); err != nil {
			return err
		}
	}
	if ch.use {
		if err := c.Command(wire.ComInitDB, []byte(ch.schema)); err != nil {
			return err
		}
	}
	if ch.set {
		if err := c.Command(wire.ComQuery, []byte(ch.settings.Set)); err != nil {
			return err
		}
	}
	return c.Flush()
}

// afterReset reads the answers to the reset and to the base settings. Neither can be
// refused by a server in order, so any error breaks the connection.
func (c *Conn) afterReset() error {
	c.stmts.clear()
	for range 2 {
		c.AwaitAnswer()
		if err := readOK(c.Conn); err != nil {
			c.broken = true
			return fmt.Errorf("the server refused to reset a connection: %v", err)
		}
	}
	c.settings, c.mixed = nil, false
	return nil
}
