package backend

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"sluice/wire"
)

// greeting is the server's first packet (Protocol::HandshakeV10).
type greeting struct {
	version  string
	threadID uint32
	caps     uint32
	extended bool   // MariaDB's metadata of columns
	scramble []byte // 20 bytes, or what the plugin sent
	plugin   string
	// collation is the lower byte of the server's own: what a client takes that asks for none.
	collation uint8
}

// greetingCaps are what every server that Sluice supports has.
const greetingCaps = wire.ClientProtocol41 | wire.ClientSecureConnection | wire.ClientPluginAuth

// parseGreeting decodes it. The bytes are a stranger's: nothing about them is taken for
// granted.
func parseGreeting(b []byte) (*greeting, error) {
	malformed := fmt.Errorf("%w: greeting", wire.ErrMalformed)
	if len(b) == 0 {
		return nil, malformed
	}
	if b[0] != 10 {
		return nil, fmt.Errorf("%w: protocol version %d instead of 10", wire.ErrMalformed, b[0])
	}
	end := bytes.IndexByte(b, 0)
	if end < 0 || len(b) < end+1+31 {
		return nil, malformed
	}
	g := &greeting{version: strings.TrimPrefix(string(b[1:end]), "5.5.5-")} // MariaDB's tribute to old replicas
	b = b[end+1:]
	g.threadID = binary.LittleEndian.Uint32(b)
	first := b[4:12]
	// b[12] is a filler, b[16:18] the status.
	g.caps = uint32(binary.LittleEndian.Uint16(b[13:])) | uint32(binary.LittleEndian.Uint16(b[18:]))<<16
	if g.caps&greetingCaps != greetingCaps {
		return nil, errors.New("the server is too old: it lacks protocol 4.1 or authentication plugins")
	}
	g.extended = g.caps&wire.ClientLongPassword == 0 && binary.LittleEndian.Uint32(b[27:])&wire.MariaDBExtendedMetadata != 0
	g.collation = b[15]
	rest := max(int(b[20])-8, 13)
	b = b[31:]
	if len(b) < rest {
		return nil, malformed
	}
	g.scramble = trimScramble(append(bytes.Clone(first), b[:rest]...))
	b = b[rest:]
	if end := bytes.IndexByte(b, 0); end >= 0 {
		b = b[:end]
	}
	g.plugin = string(b)
	return g, nil
}

// trimScramble takes off the NUL that ends a scramble on the wire.
func trimScramble(s []byte) []byte {
	if n := len(s); n > 0 && s[n-1] == 0 && n%2 == 1 {
		return s[:n-1]
	}
	return s
}
