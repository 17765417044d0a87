package session

import (
	"encoding/binary"
	"errors"
	"fmt"

	"sluice/server"
	"sluice/wire"
)

// handles are the prepared statements: those of the protocol's commands, which name them by number, and those of PREPARE.
type handles struct {
	c *server.Client

	stmts    map[uint32]*prepared
	named    map[string]*prepared // PREPARE name FROM …
	last     uint32               // number given
	size     int                  // of the texts
	longSize int                  // of the long data
}

// maxPrepared is the servers' default of max_prepared_stmt_count, which holds for a whole
// server there and for one session here.
const maxPrepared = 16382

// room tells whether one more statement may be prepared.
func (h *handles) room(size int) error {
	if len(h.stmts) >= maxPrepared {
		return tooManyPrepared()
	}
	if limit := h.c.MaxPacket(); h.size+size > limit {
		return refuse(1461, "42000", "the texts of the prepared statements of this connection are more than max_packet (%d) together; close some", limit)
	}
	return nil
}

func tooManyPrepared() *wire.Error {
	return &wire.Error{Code: 1461, SQLState: "42000",
		Message: fmt.Sprintf("Can't create more than max_prepared_stmt_count statements (current value: %d)", maxPrepared)}
}

// add gives a statement its number.
func (h *handles) add(p *prepared) {
	if h.stmts == nil {
		h.stmts = map[uint32]*prepared{}
	}
	for h.last++; h.last == 0 || h.stmts[h.last] != nil; h.last++ {
	}
	p.id = h.last
	h.stmts[p.id] = p
	h.size += len(p.sql)
}

// remove forgets a statement.
func (h *handles) remove(p *prepared) {
	h.dropLong(p)
	delete(h.stmts, p.id)
	h.size -= len(p.sql)
}

// clear forgets all statements.
func (h *handles) clear() {
	for _, p := range h.stmts {
		h.dropLong(p)
	}
	h.stmts, h.named, h.size = nil, nil, 0
}

// of finds the statement that a command names in its first four bytes.
func (h *handles) of(arg []byte, command string) (*prepared, error) {
	if len(arg) < 4 {
		return nil, &wire.Error{Code: 1210, SQLState: "HY000", Message: "Incorrect arguments to " + command}
	}
	id := binary.LittleEndian.Uint32(arg)
	if p := h.stmts[id]; p != nil {
		return p, nil
	}
	return nil, &wire.Error{Code: 1243, SQLState: "HY000", Message: fmt.Sprintf("Unknown prepared statement handler (%d) given to %s", id, command)}
}

// longData carries out COM_STMT_SEND_LONG_DATA, which has no answer: an error waits for
// the execution. All that a session gathers is no more than a packet may have.
func (h *handles) longData(arg []byte) {
	p, err := h.of(arg, "mysqld_stmt_send_long_data")
	if err != nil || p.longErr != nil {
		return
	}
	if len(arg) < 6 || int(binary.LittleEndian.Uint16(arg[4:])) >= p.params {
		p.longErr = &wire.Error{Code: 1210, SQLState: "HY000", Message: "Incorrect arguments to mysqld_stmt_send_long_data"}
		return
	}
	i, data, limit := int(binary.LittleEndian.Uint16(arg[4:])), arg[6:], h.c.MaxPacket()
	if p.gathered == nil {
		p.gathered, p.long, p.isLong = map[int]*wire.Gathered{}, map[int][]byte{}, make([]bool, p.params)
	}
	g := p.gathered[i]
	if g == nil {
		g = &wire.Gathered{}
		p.gathered[i] = g
	}
	if h.longSize+len(data) > limit {
		err = wire.ErrTooLarge
	} else {
		err = g.Append(data, limit)
	}
	switch {
	case errors.Is(err, wire.ErrTooLarge):
		h.dropLong(p)
		p.longErr = &wire.Error{Code: 1301, SQLState: "HY000",
			Message: fmt.Sprintf("Result of mysqld_stmt_send_long_data() was larger than max_allowed_packet (%d) - truncated", limit)}
	case err != nil:
		h.dropLong(p)
		p.longErr = refuse(1041, "HY000", "out of memory: %v", err)
	default:
		h.longSize += len(data)
		p.long[i], p.isLong[i] = g.Bytes(), true
	}
}

// dropLong forgets a statement's long data.
func (h *handles) dropLong(p *prepared) {
	clear(p.exec.Params) // they point into the packet
	p.exec.Types = nil
	for _, g := range p.gathered {
		h.longSize -= len(g.Bytes())
		g.Drop()
	}
	p.gathered, p.long, p.isLong, p.longErr = nil, nil, nil, nil
}
