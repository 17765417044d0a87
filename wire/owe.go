package wire

import (
	"errors"
	"fmt"
)

// Commands may be written one after the other without waiting: their answers come in the same order.
//
//	BEGIN ─ Owe ─┐                        ┌─ OK, dropped
//	SELECT ──────┴─ one write · one read ─┴─ rows, the answer that is asked for

// Early is the ERR packet that answers a command before the one whose answer was to be read. The latter
// has not been looked at: it is an answer to a statement that should not have run. The connection can
// only be closed.
type Early struct{ Err *Error }

func (e *Early) Error() string { return "an earlier command was refused: " + e.Err.Error() }

// Owe notes that the command written last is answered, with an OK or rows that nobody wants, before that
// which the next read is for. Nothing has been flushed by it.
func (c *Conn) Owe() { c.owed++ }

// Owes tells whether such answers are still to come.
func (c *Conn) Owes() bool { return c.owed > 0 }

// Refused tells whether one of them was an ERR packet.
func (c *Conn) Refused() bool { return c.refused != nil }

// Settle reads the answers that are owed, as each read does that finds some.
func (c *Conn) Settle() error {
	seq := c.seq // of the answer behind them
	defer func() { c.seq = seq }()
	for c.owed > 0 {
		c.seq = 1
		m := relay{src: c}
		resp, err := m.read()
		var broke *RelayError
		switch {
		case errors.As(err, &broke) && resp.Bytes > 0:
			return fmt.Errorf("within the answer to an earlier command: %v", broke.Err) // no read can go on there
		case errors.As(err, &broke):
			return broke.Err
		}
		if c.owed--; resp.Err != nil && c.refused == nil {
			c.refused = resp.Err
		}
	}
	if c.refused != nil {
		return &Early{c.refused}
	}
	return nil
}
