package wire

import (
	"fmt"
	"runtime"
	"sync"
	"syscall"
)

// mediumSize is the second size of pooled buffers, for packets that do not fit the first:
// multi-row INSERTs, rows with texts.
const mediumSize = 256 << 10

var mediums = sync.Pool{New: func() any { return new([mediumSize]byte) }}

// assembly is the memory of a packet that does not fit a reader's buffer. Above
// mediumSize it is mapped from the OS and given back to it, so that no garbage is left
// and nothing is copied to grow; pages that no byte has reached cost nothing.
type assembly struct {
	medium  *[mediumSize]byte
	mapping *mapping
}

// mapping is one anonymous mapping. A Conn that is dropped without Release has it
// unmapped when it is collected.
type mapping struct {
	mem     []byte
	cleanup runtime.Cleanup
}

// take gives n bytes, uninitialised; what was taken before must have been dropped.
func (a *assembly) take(n int) ([]byte, error) {
	if n <= mediumSize {
		a.medium = mediums.Get().(*[mediumSize]byte)
		return a.medium[:n], nil
	}
	mem, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("wire: memory for a packet of %d bytes: %w", n, err)
	}
	a.mapping = &mapping{mem: mem}
	a.mapping.cleanup = runtime.AddCleanup(a.mapping, unmap, mem)
	return mem, nil
}

// drop gives the memory back; slices into it must not be used any more.
func (a *assembly) drop() {
	if a.medium != nil {
		mediums.Put(a.medium)
		a.medium = nil
	}
	if a.mapping != nil {
		a.mapping.cleanup.Stop()
		unmap(a.mapping.mem)
		a.mapping = nil
	}
}

// Gathered collects bytes that come piece by piece, up to a limit. They are held once,
// whatever they grow to, and above mediumSize in memory that goes back to the OS. The zero
// value is empty.
type Gathered struct {
	b   []byte
	mem assembly
}

// Append adds bytes; limit is the most that all calls together may add. It fails when the
// limit is passed or there is no memory.
func (g *Gathered) Append(p []byte, limit int) error {
	n := len(g.b) + len(p)
	if n > limit {
		return ErrTooLarge
	}
	if g.mem.mapping == nil && n > mediumSize {
		mem, err := g.mem.take(limit) // reserved, not used: how much follows is not known
		if err != nil {
			return err
		}
		g.b = mem[:copy(mem, g.b)]
	}
	g.b = append(g.b, p...)
	return nil
}

// Bytes gives what was collected, valid until Drop.
func (g *Gathered) Bytes() []byte { return g.b }

// Drop gives the memory back.
func (g *Gathered) Drop() {
	g.b = nil
	g.mem.drop()
}

// unmap cannot fail for memory that Mmap gave.
func unmap(mem []byte) { _ = syscall.Munmap(mem) }
