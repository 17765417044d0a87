package server

// lockstep reads not one byte beyond the packet at hand. Before the login that matters
// twice: a client sends its TLS hello right behind its request for TLS, without waiting,
// and those bytes are TLS's; and after the login nothing is left in a buffer, so that the
// socket itself can be handed on. It costs one system call more for each packet.
type lockstep struct {
	socket
	off  bool // TLS reads from here on
	head [4]byte
	n    int // bytes of head that have come
	left int // bytes of the packet's payload that have not
}

func (l *lockstep) Read(p []byte) (int, error) {
	if l.off {
		return l.socket.Read(p)
	}
	if l.left > 0 {
		n, err := l.socket.Read(p[:min(len(p), l.left)])
		l.left -= n
		return n, err
	}
	n, err := l.socket.Read(p[:min(len(p), len(l.head)-l.n)])
	l.n += copy(l.head[l.n:], p[:n])
	if l.n == len(l.head) {
		l.left = int(l.head[0]) | int(l.head[1])<<8 | int(l.head[2])<<16
		l.n = 0
	}
	return n, err
}
