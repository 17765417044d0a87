package mover

import (
	"fmt"
	"strconv"
)

// room is the space of the file system that a server's data directory is on, in bytes.
type room struct{ free, total int64 }

// A server without free space stops, and its applications with it: the copy waits before that.
const (
	leastRoom     = 1 << 30 // or the part below, whichever is less
	leastRoomPart = 20
)

// least is what the copy leaves free.
func (r room) least() int64 { return min(leastRoom, r.total/leastRoomPart) }

// roomOf asks a server how much space it has. ok is false where it does not say: only MariaDB
// does, when its plugin "disks" is installed and the account has the right FILE.
func roomOf(s *session) (r room, ok bool, err error) {
	rows, err := s.query("SELECT Available * 1024, Total * 1024 FROM information_schema.DISKS " +
		"WHERE @@datadir LIKE CONCAT(TRIM(TRAILING '/' FROM Path), '/%') ORDER BY LENGTH(Path) DESC LIMIT 1")
	switch {
	case code(err) != 0:
		return r, false, nil
	case err != nil || len(rows) == 0:
		return r, false, err
	}
	r.free, err = strconv.ParseInt(string(rows[0][0]), 10, 64)
	if err == nil {
		r.total, err = strconv.ParseInt(string(rows[0][1]), 10, 64)
	}
	return r, err == nil, err
}

// short says that a server has less space than the copy leaves (0: the usual), "" if it has not,
// or does not say.
func short(s *session, least int64) (string, error) {
	r, ok, err := roomOf(s)
	if least == 0 {
		least = r.least()
	}
	if err != nil || !ok || r.free >= least {
		return "", err
	}
	return fmt.Sprintf("has %d MiB of disk left, and the copy leaves %d MiB; make room there", r.free>>20, least>>20), nil
}

// space looks whether the rows have room at the target.
func (p *preflight) space() error {
	need := int64(float64(p.bytes) * p.spec.Share * 2) // the tables, and the binary log
	if p.bytes <= 1<<20 {
		return nil
	}
	r, ok, err := roomOf(p.dst)
	switch {
	case err != nil:
		return err
	case !ok:
		p.warn("the rows that move need about %d MiB at %s, in the tables and in the binary log; whether it has them cannot be seen (MariaDB tells after INSTALL SONAME 'disks')",
			need>>20, p.dst.server)
	case r.free < need+r.least():
		p.refuse("%s has %d MiB of disk left, and the rows that move need about %d MiB there, in the tables and in the binary log, besides %d MiB that stay free; make room there",
			p.dst.server, r.free>>20, need>>20, r.least()>>20)
	}
	return nil
}
