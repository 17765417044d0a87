package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
)

// The PROXY protocol: https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt. A load
// balancer says in front of the connection who the client is. It is believed only from
// ProxyNetworks, and there it must come; from anybody else its bytes are a broken packet.
const (
	proxy1Max = 107 // bytes of a version 1 header, CRLF included
	proxyMax  = 536 // of a version 2 header, with its extensions
)

var proxy2Signature = []byte("\r\n\r\n\x00\r\nQUIT\n")

var (
	errProxyShort = errors.New("the header of the PROXY protocol is not whole")
	errProxy      = errors.New("bad header of the PROXY protocol")
)

// readProxy reads the header when the connection comes from a network that must send one.
func (l *login) readProxy() error {
	if !l.s.proxied(l.remote.Addr()) {
		return nil
	}
	var buf [proxyMax + 1]byte
	n := 0
	for {
		k, err := l.tcp.Read(buf[n:])
		n += k
		if n == 0 && left(err) {
			return err // the balancer's health check
		}
		if n == 0 && err != nil {
			return &refusal{why: whyProxy, err: err}
		}
		addr, size, perr := parseProxy(buf[:n])
		switch {
		case perr == nil && size < n:
			// Nobody may speak before the greeting: a second header, perhaps.
			return &refusal{why: whyProxy, err: fmt.Errorf("%w: bytes behind it", errProxy)}
		case perr == nil:
			if addr.IsValid() {
				l.remote = addr
			}
			return nil
		case !errors.Is(perr, errProxyShort):
			return &refusal{why: whyProxy, err: perr}
		case err != nil:
			return &refusal{why: whyProxy, err: fmt.Errorf("%w: %w", perr, err)}
		}
	}
}

func (s *Server) proxied(addr netip.Addr) bool {
	for _, p := range s.opts.ProxyNetworks {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// parseProxy decodes the header at the start of b, size bytes long. errProxyShort asks for
// more bytes. An invalid addr says that the header names no client (UNKNOWN, LOCAL): then
// the connection's own peer is the client, whatever else the header says.
func parseProxy(b []byte) (addr netip.AddrPort, size int, err error) {
	if n := min(len(b), len(proxy2Signature)); bytes.Equal(b[:n], proxy2Signature[:n]) {
		return parseProxy2(b)
	}
	return parseProxy1(b)
}

// parseProxy1 decodes the form for people: "PROXY TCP4 192.0.2.1 192.0.2.2 51234 3306\r\n".
func parseProxy1(b []byte) (addr netip.AddrPort, size int, err error) {
	const start = "PROXY "
	if n := min(len(b), len(start)); string(b[:n]) != start[:n] {
		return addr, 0, fmt.Errorf("%w: there is none", errProxy)
	}
	end := bytes.Index(b[:min(len(b), proxy1Max)], []byte("\r\n"))
	switch {
	case end < 0 && len(b) >= proxy1Max:
		return addr, 0, fmt.Errorf("%w: no end within %d bytes", errProxy, proxy1Max)
	case end < 0:
		return addr, 0, errProxyShort
	}
	size = end + 2
	words := bytes.Split(b[len(start):max(end, len(start))], []byte(" "))
	if string(words[0]) == "UNKNOWN" {
		return addr, size, nil
	}
	want6 := string(words[0]) == "TCP6"
	if len(words) != 5 || !want6 && string(words[0]) != "TCP4" {
		return addr, 0, fmt.Errorf("%w: %q", errProxy, b[:end])
	}
	source, err := proxyAddr(words[1], words[3], want6)
	if err == nil {
		_, err = proxyAddr(words[2], words[4], want6)
	}
	if err != nil {
		return addr, 0, err
	}
	return source, size, nil
}

// proxyAddr reads an address and a port as version 1 writes them, and no other spelling.
func proxyAddr(host, port []byte, want6 bool) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(string(host))
	if err != nil || a.Is6() != want6 || a.Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("%w: address %q", errProxy, host)
	}
	p, err := strconv.ParseUint(string(port), 10, 16)
	if err != nil || strconv.FormatUint(p, 10) != string(port) {
		return netip.AddrPort{}, fmt.Errorf("%w: port %q", errProxy, port)
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), nil
}

// Version 2:
//
//	+----------------------+---------+-----------+--------+----------------------+------+
//	| signature (12 bytes) | 2 | cmd | fam | tran| length | addresses and ports  | TLVs |
//	+----------------------+---------+-----------+--------+----------------------+------+
const (
	proxy2Header = 16
	proxy2Local  = 0x20
	proxy2Proxy  = 0x21
)

// parseProxy2 decodes the binary form.
func parseProxy2(b []byte) (addr netip.AddrPort, size int, err error) {
	if len(b) < proxy2Header {
		return addr, 0, errProxyShort
	}
	command, family := b[12], b[13]
	size = proxy2Header + int(binary.BigEndian.Uint16(b[14:]))
	switch {
	case command != proxy2Local && command != proxy2Proxy:
		return addr, 0, fmt.Errorf("%w: version and command %#x", errProxy, command)
	case size > proxyMax:
		return addr, 0, fmt.Errorf("%w: %d bytes, more than %d", errProxy, size, proxyMax)
	case size > len(b):
		return addr, 0, errProxyShort
	case command == proxy2Local:
		return addr, size, nil
	}
	body, addresses := b[proxy2Header:size], 0
	switch family {
	case 0x00: // unspecified
		return addr, size, nil
	case 0x11: // TCP over IPv4
		addresses = 2*4 + 2*2
	case 0x21: // TCP over IPv6
		addresses = 2*16 + 2*2
	case 0x31: // a stream of unix sockets, which has no address that we could use
		addresses = 2 * 108
	default:
		return addr, 0, fmt.Errorf("%w: family and protocol %#x", errProxy, family)
	}
	if len(body) < addresses || !wholeTLVs(body[addresses:]) {
		return addr, 0, fmt.Errorf("%w: a length is wrong", errProxy)
	}
	switch family {
	case 0x11:
		addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte(body)), binary.BigEndian.Uint16(body[8:]))
	case 0x21:
		addr = netip.AddrPortFrom(netip.AddrFrom16([16]byte(body)).Unmap(), binary.BigEndian.Uint16(body[32:]))
	}
	return addr, size, nil
}

// wholeTLVs says that the extensions, of which none is used, fill their space exactly.
func wholeTLVs(b []byte) bool {
	for len(b) > 0 {
		if len(b) < 3 {
			return false
		}
		n := 3 + int(binary.BigEndian.Uint16(b[1:]))
		if n > len(b) {
			return false
		}
		b = b[n:]
	}
	return true
}
