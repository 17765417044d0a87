package server

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"time"
)

// ChangeUser carries out COM_CHANGE_USER: payload is the packet after the command byte. It
// really authenticates again; on success the client's fields are those of the new user and
// NOTHING has been answered yet (the handler resets its session, then answers OK). On
// failure the client has been answered and the connection must end.
func (s *Server) ChangeUser(c *Client, payload []byte) error {
	id, err := parseChangeUser(payload, c.Capabilities, c.Collation)
	if err == nil {
		err = s.changeUser(c, id)
	}
	if err == nil {
		return nil
	}
	r := explain(err, false)
	s.opts.Metrics.Refused(s.opts.Name, r.why)
	s.opts.Log.Warn("change of user refused", slog.String("port", s.opts.Name), slog.String("remote", c.Remote.String()),
		slog.String("user", c.User), slog.String("why", r.why), slog.Any("error", r))
	if r.answer != nil {
		if werr := c.WriteError(r.answer); werr != nil {
			return errors.Join(err, werr)
		}
		return errors.Join(err, c.Flush())
	}
	return err
}

func (s *Server) changeUser(c *Client, id *identity) error {
	c.SetPatience(0) // the whole of it has a deadline
	if err := c.SetDeadline(time.Now().Add(s.opts.HandshakeTimeout)); err != nil {
		return err
	}
	c.SetMaxPacket(s.opts.MaxHandshake)
	_, secure := c.NetConn().(*tls.Conn)
	// The scramble of the login has been answered once: only clients that cannot be sent a
	// new one may answer it again, as MySQL lets them.
	x := exchange{conn: c.Conn, secrets: s.secrets, fallback: s.opts.AuthPlugin, scramble: c.scramble, secure: secure}
	ok, err := x.authenticate(id, s.accounts)
	switch {
	case err != nil:
		return err
	case !ok:
		return &refusal{why: whyAuth, answer: denied(id, c.Remote.Addr())}
	}
	if err := s.accounts.MayUse(id.user, id.schema); err != nil {
		return &refusal{why: whyAuth, answer: asAnswer(err)}
	}
	if !s.clients.rename(c.User, id.user) {
		return &refusal{why: whyTooMany, answer: tooManyOf(id.user)}
	}
	c.scramble = x.scramble
	c.become(id)
	c.SetMaxPacket(s.opts.MaxPacket)
	c.SetPatience(s.opts.StallTimeout)
	return c.SetDeadline(time.Time{})
}
