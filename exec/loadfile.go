package exec

import (
	"errors"
	"io"

	"sluice/infile"
	"sluice/router"
)

const (
	fileBytes = 256 << 10 // of the client's file that are read before they are cut
	// maxLine bounds the longest line, and with it what a load takes of memory besides two
	// buffers a shard.
	maxLine   = 16 << 20
	batchRows = 4096 // that are cut before they are dealt, and get their ids together
)

// fileLoad is a LOAD DATA LOCAL whose rows go to several shards: the client's file is cut
// into rows, each of which goes as it is to a LOAD DATA LOCAL on its own shard.
//
//	              ┌─ buffers ─▶ LOAD DATA on s0
//	client ─ cut ─┼─ buffers ─▶ LOAD DATA on s1
//	              └─ buffers ─▶ LOAD DATA on s2
//
// A shard that is slow stops the reading, and so the client. Whatever fails, the client's
// file is read to its end, because clients look for an answer only then, and the shards' files
// are ended: the session rolls back what they have taken.
type fileLoad struct {
	*scatter
	load    *router.Load
	cut     *infile.Cutter
	format  infile.Format
	charset string
	parts   []*filePart
	ignore  uint64 // lines that are still to be skipped
	rows    uint64 // that were read
	last    int    // part that got the last one
	batch   []fileRow
	low     uint64 // smallest and largest explicit id of the batch, 0 for none
	high    uint64
	value   []byte // scratch
	why     error  // nothing more is sent
}

// fileRow is a row between cutting and dealing; offsets are those of the buffer.
type fileRow struct {
	start, end   int
	idFrom, idTo int // of the field that the id takes the place of
	part         int // -1: of the id, or every one
	generated    bool
}

func (l *fileLoad) run() error {
	err := l.prepare()
	if err == nil {
		err = l.send()
	}
	if err != nil {
		for _, p := range l.parts {
			_ = p.restore() // if it fails the connection is closed
		}
		return err
	}
	name, err := l.asked()
	if err == nil {
		l.last = -1
		for _, p := range l.parts {
			p.start()
		}
		err = l.stream(name)
	}
	return l.finish(err)
}

// prepare makes the cutter, and the connections patient: a shard may have to wait for its
// next row for as long as the client sends others.
func (l *fileLoad) prepare() error {
	in := l.req.Bound.Plan.Stmt.Load
	l.ignore, l.charset = in.IgnoreLines, in.Charset
	if l.load.Sequence != "" {
		if err := l.req.Sequence.Prepare(l.ctx); err != nil {
			return err
		}
	}
	for i := range l.legs {
		p := &filePart{leg: &l.legs[i]}
		l.parts = append(l.parts, p)
		database, err := p.settle()
		if err != nil {
			return err
		}
		if in.Charset != "" {
			continue
		}
		if i > 0 && database != l.charset {
			return refuse(1235, "42000", "the schema has another character set on shard %s; say CHARACTER SET in the statement", p.leg.conn.Shard())
		}
		l.charset = database
	}
	l.format = infile.Format{
		FieldEnd: in.FieldEnd, LineEnd: in.LineEnd, LineStart: in.LineStart, Enclosed: in.Enclosed, Escaped: in.Escaped,
		Charset: l.charset, Columns: l.load.Columns, Binary: l.load.Binary, Wanted: []int{l.load.Key, l.load.ID},
	}
	var err error
	if l.cut, err = infile.New(l.format); err != nil {
		return refuse(1235, "42000", "%v cannot be split into the rows of several shards; write the file as CSV in utf8mb4", err)
	}
	return nil
}

// asked reads the shards' requests for the file.
func (l *fileLoad) asked() (name []byte, err error) {
	for _, p := range l.parts {
		n, perr := p.request()
		if perr != nil && err == nil {
			err = perr
		}
		name = n
	}
	return name, err
}

// stream deals the client's file. Its error is the client's; any other one is l.why.
func (l *fileLoad) stream(name []byte) error {
	if err := l.client.AskFile(name); err != nil {
		return clientGone(err)
	}
	file := l.client.File()
	buf, n := make([]byte, fileBytes), 0
	for whole := false; !whole; {
		for n < len(buf) && !whole {
			k, err := file.Read(buf[n:])
			n += k
			whole = err == io.EOF
			if err != nil && !whole {
				return clientGone(err)
			}
		}
		if l.why == nil {
			l.why = l.trouble()
		}
		used := 0
		if l.why == nil {
			used, l.why = l.deal(buf[:n], whole)
		}
		if l.why != nil {
			n = 0
			continue
		}
		if used == 0 && n == len(buf) && !whole {
			if len(buf) >= maxLine {
				l.why = refuse(1235, "42000", "the line after row %d has more than %d bytes; check the quotes and the line ends, or INSERT the row; nothing was loaded", l.rows, maxLine)
				continue
			}
			buf = append(buf, make([]byte, len(buf))...)
		}
		n = copy(buf, buf[used:n])
	}
	return nil
}

// trouble tells whether there is a reason not to go on.
func (l *fileLoad) trouble() error {
	if err := interrupted(l.ctx); err != nil {
		return err
	}
	for _, p := range l.parts {
		if p.broken.Load() {
			return errPart
		}
	}
	return l.leases.Interrupted()
}

// errPart says that a part's own error is the reason.
var errPart = errors.New("a shard failed")

// deal cuts the rows of b and gives each to its part.
func (l *fileLoad) deal(b []byte, whole bool) (used int, err error) {
	for ; l.ignore > 0; l.ignore-- {
		n, err := l.cut.Ignore(b[used:], whole)
		if done, err := l.ended(err); done {
			return used, err
		}
		used += n
	}
	for {
		l.batch, l.low, l.high = l.batch[:0], 0, 0
		base, done := used, false
		for len(l.batch) < batchRows && !done {
			r, n, err := l.cut.Next(b[used:], whole)
			if done, err = l.ended(err); err != nil {
				return used, err
			}
			if !done {
				if err := l.note(b[used:], &r, used-base); err != nil {
					return used, err
				}
				used += n
			}
		}
		if err := l.emit(b[base:]); err != nil || done {
			return used, err
		}
	}
}

// ended tells whether a cutter has come to an end, and what its error means.
func (l *fileLoad) ended(err error) (bool, error) {
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, infile.ErrMore), errors.Is(err, infile.ErrEnd):
		return true, nil
	}
	return true, refuse(1300, "HY000", "row %d %v (%s); nothing was loaded", l.rows+1, err, l.charset)
}
