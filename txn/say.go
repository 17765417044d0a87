package txn

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"sluice/backend"
	"sluice/wire"
)

func nonEmpty(list ...string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}

// sayAll says statements in one round trip and gives the first error.
func sayAll(c *backend.Conn, statements []string) error {
	if len(statements) == 0 {
		return nil
	}
	if err := sendAll(c, statements...); err != nil {
		return err
	}
	return receiveAll(c, len(statements))
}

// sendAll sends statements in one write.
func sendAll(c *backend.Conn, statements ...string) error {
	for _, sql := range statements {
		if err := c.Command(wire.ComQuery, []byte(sql)); err != nil {
			return err
		}
	}
	return c.Flush()
}

// receiveAll reads the answers to n statements and gives the first error, at once when
// nothing more can be read.
func receiveAll(c *backend.Conn, n int) error {
	_, err := receive(c, n, func() bool { return false })
	return err
}

// hear is receiveAll for statements that may take long: a server that has not answered until
// then is waited for as long as it says, over another connection, that it works at them. One
// that does not answer that either has lost the connection.
func hear(c *backend.Conn, n int, until time.Time) error {
	_, err := heard(c, n, until)
	return err
}

// heard is hear, and tells whether the last statement had warnings.
func heard(c *backend.Conn, n int, until time.Time) (warned bool, err error) {
	// A deadline that has passed while others were heard would hide an answer that is here.
	if err := c.SetDeadline(later(until, time.Now().Add(time.Second))); err != nil {
		return false, err
	}
	return receive(c, n, func() bool {
		c.Leave()
		ctx, cancel := context.WithTimeout(context.Background(), probeTime)
		defer cancel()
		return c.AtWork(ctx) && c.SetDeadline(time.Now().Add(answerTime)) == nil
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// receive asks more when the deadline has passed: whether there is more time.
func receive(c *backend.Conn, n int, more func() bool) (warned bool, first error) {
	for range n {
		c.AwaitAnswer()
		resp, err := wire.Discard(c.Conn)
		for err != nil && resp.Bytes == 0 && errors.Is(err, os.ErrDeadlineExceeded) && more() {
			resp, err = wire.Discard(c.Conn)
		}
		if err != nil {
			return false, err
		}
		if resp.Err != nil && first == nil {
			first = resp.Err
		}
		warned = resp.OK.Warnings > 0
	}
	return warned, first
}

// conditions asks a connection for the warnings of its last statement. A connection that does not
// answer is lost.
func conditions(c *backend.Conn) ([][][]byte, error) {
	if err := c.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, err
	}
	_, rows, err := c.Query("SHOW WARNINGS")
	if err == nil {
		err = c.SetDeadline(time.Time{})
	}
	return rows, err
}

// join adds what is not there yet: legs of one statement are warned of the same.
func join(rows, more [][][]byte) [][][]byte {
	for _, r := range more {
		if !slices.ContainsFunc(rows, func(have [][]byte) bool { return slices.EqualFunc(have, r, bytes.Equal) }) {
			rows = append(rows, r)
		}
	}
	return rows
}

// saying is what one connection is told.
type saying struct {
	conn       *backend.Conn
	statements []string
	err        error
	warned     bool
}

// sayEach tells every connection its statements, to all before the first answer is read, and
// gives the first error; that of a lost connection counts more.
func sayEach(list []saying) (first error) {
	for i := range list {
		list[i].err = sendAll(list[i].conn, list[i].statements...)
	}
	until := time.Now().Add(answerTime)
	for i := range list {
		s := &list[i]
		if s.err == nil {
			s.warned, s.err = heard(s.conn, len(s.statements), until)
		}
		if s.err == nil || inOrder(s.err) {
			if err := s.conn.SetDeadline(time.Time{}); err != nil {
				s.err = err
			}
		}
		if s.err != nil && (first == nil || inOrder(first)) {
			first = s.err
		}
	}
	return first
}

// sayLater tells every connection its statements with the one that follows.
func sayLater(list []saying) error {
	for _, s := range list {
		for _, sql := range s.statements {
			if err := s.conn.Later(sql); err != nil {
				return err
			}
		}
	}
	return nil
}
