package wire

import "io"

// AskFile asks the client for a file (LOAD DATA LOCAL). File gives what it sends.
func (c *Conn) AskFile(name []byte) error {
	if err := writePieces(c, []byte{headerLocal}, name); err != nil {
		return err
	}
	return c.Flush()
}

// File is the file that a client sends after AskFile: packets up to an empty one. It has to be
// read to its end before anything else is read, or written: clients look for an answer then.
type File struct {
	c    *Conn
	left int  // bytes of the current piece that have not come
	full bool // the current piece is followed by another one of the same packet
	end  bool
}

// File starts to read the file that was asked for.
func (c *Conn) File() *File {
	c.in.inside = true
	return &File{c: c}
}

// Read implements io.Reader. A client that ends in the middle is io.ErrUnexpectedEOF.
func (f *File) Read(p []byte) (int, error) {
	in := &f.c.in
	for f.left == 0 {
		if f.end {
			return 0, io.EOF
		}
		if err := f.header(); err != nil {
			return 0, inside(err)
		}
	}
	if err := in.need(1); err != nil {
		return 0, inside(err)
	}
	n := copy(p[:min(len(p), f.left)], in.bytes())
	in.skip(n)
	f.left -= n
	return n, nil
}

// header reads the header of the next piece.
func (f *File) header() error {
	in := &f.c.in
	if err := in.need(headerSize); err != nil {
		return err
	}
	h := in.bytes()
	size := pieceLength(h)
	if h[3] != f.c.seq && f.c.comp == nil {
		return ErrSequence
	}
	f.c.seq = h[3] + 1
	in.skip(headerSize)
	f.end = size == 0 && !f.full
	f.left, f.full = size, size == maxPiece
	if !f.end {
		return nil
	}
	if err := in.done(); err != nil {
		return err
	}
	in.release()
	return nil
}
