package server

import (
	"encoding/binary"
	"fmt"
	"strings"

	"sluice/wire"
)

// sslRequestSize is the size of a request for TLS: the start of a handshake response and
// nothing behind it.
const sslRequestSize = 32

// Bounds of what is kept of the connection attributes, which live as long as the client.
const (
	maxAttributes     = 64
	maxAttributeBytes = 4 << 10
)

// greeting builds the first packet: HandshakeV10. With extended it is a MariaDB's: without the flag
// that says MySQL, and with MariaDB's own word of capabilities.
func (s *Server) greeting(id uint32, scr scramble, extended bool) []byte {
	offered, own := s.offered, uint32(0)
	if extended {
		offered, own = offered&^wire.ClientLongPassword, wire.MariaDBExtendedMetadata
	}
	version, _, _ := strings.Cut(s.opts.ServerVersion(), "\x00")
	b := append([]byte{10}, version...)
	b = append(b, 0)
	b = binary.LittleEndian.AppendUint32(b, id)
	b = append(append(b, scr[:8]...), 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(offered))
	b = append(b, s.opts.Collation())
	b = binary.LittleEndian.AppendUint16(b, wire.StatusAutocommit)
	b = binary.LittleEndian.AppendUint16(b, uint16(offered>>16))
	b = append(b, byte(len(scr)+1))
	b = binary.LittleEndian.AppendUint32(append(b, make([]byte, 6)...), own)
	b = append(append(b, scr[8:]...), 0)
	b = append(b, s.opts.AuthPlugin...)
	return append(b, 0)
}

// identity is who a client says that it is: at the login or in COM_CHANGE_USER.
type identity struct {
	caps       uint32 // those that both sides have
	collation  uint16
	user       string
	schema     string
	plugin     string // "" when the client names none
	response   []byte // to the scramble; a copy
	attributes map[string]string
	zstdLevel  int
	extended   bool // MariaDB's extended metadata
	ssl        bool // this is a request for TLS and says nothing else
}

// parseHandshake decodes HandshakeResponse41, or the request for TLS that comes before it.
// The result does not alias the packet.
func parseHandshake(payload []byte, offered uint32, extended bool) (*identity, error) {
	f := fields{b: payload}
	if len(payload) >= 2 && binary.LittleEndian.Uint16(payload)&uint16(wire.ClientProtocol41) == 0 {
		return nil, &wire.Error{Code: 1043, SQLState: "08S01",
			Message: "sluice: Bad handshake: the client speaks the protocol of MySQL 4.0; use a client of MySQL 4.1 or later"}
	}
	caps := f.uint32()
	id := &identity{caps: caps & offered}
	f.uint32() // the longest packet that the client will send: MaxPacket bounds it, whatever it is
	id.collation = uint16(f.uint8())
	f.take(19)
	own := f.uint32() // MariaDB's clients say here what they take, and that they are none of MySQL's
	id.extended = extended && caps&wire.ClientLongPassword == 0 && own&wire.MariaDBExtendedMetadata != 0
	if !f.bad && len(payload) == sslRequestSize && id.caps&wire.ClientSSL != 0 {
		id.ssl = true
		return id, nil
	}
	id.user = string(f.zero())
	switch {
	case id.caps&wire.ClientPluginAuthLenenc != 0:
		id.response = clone(f.lenenc())
	case id.caps&wire.ClientSecureConnection != 0:
		id.response = clone(f.take(uint64(f.uint8())))
	default:
		id.response = clone(f.zero())
	}
	if id.caps&wire.ClientConnectWithDB != 0 {
		id.schema = string(f.zero())
	}
	if id.caps&wire.ClientPluginAuth != 0 {
		id.plugin = string(f.zeroOrRest())
	}
	// Some clients set the flag and send no attributes at all.
	if id.caps&wire.ClientConnectAttrs != 0 && len(f.b) > 0 {
		id.attributes = f.attributes()
	}
	if id.caps&wire.ClientZstd != 0 && id.caps&wire.ClientCompress == 0 {
		id.zstdLevel = int(f.uint8())
		f.bad = f.bad || id.zstdLevel < 1 || id.zstdLevel > 22
	}
	if f.bad {
		return nil, badHandshake()
	}
	return id, nil
}

// parseChangeUser decodes COM_CHANGE_USER without its command byte; caps are those of the
// login. The result does not alias the packet.
func parseChangeUser(payload []byte, caps uint32, collation uint16) (*identity, error) {
	f := fields{b: payload}
	id := &identity{caps: caps, collation: collation, user: string(f.zero())}
	if caps&wire.ClientSecureConnection != 0 {
		id.response = clone(f.take(uint64(f.uint8())))
	} else {
		id.response = clone(f.zero())
	}
	id.schema = string(f.zero())
	if len(f.b) > 0 {
		id.collation = f.uint16()
	}
	if caps&wire.ClientPluginAuth != 0 && len(f.b) > 0 {
		id.plugin = string(f.zeroOrRest())
	}
	if caps&wire.ClientConnectAttrs != 0 && len(f.b) > 0 {
		id.attributes = f.attributes()
	}
	if f.bad {
		return nil, &wire.Error{Code: 1047, SQLState: "08S01", Message: "Unknown command"}
	}
	return id, nil
}

// attributes reads the connection attributes. All must be well formed; only as many are
// kept as the bounds allow.
func (f *fields) attributes() map[string]string {
	block := fields{b: f.lenenc(), bad: f.bad}
	keep := string(block.b[:min(len(block.b), maxAttributeBytes)]) // one piece of memory for all
	all := map[string]string{}
	whole := len(block.b)
	for len(block.b) > 0 && !block.bad {
		key := block.lenenc()
		keyEnd := whole - len(block.b)
		value := block.lenenc()
		valueEnd := whole - len(block.b)
		if !block.bad && valueEnd <= len(keep) && len(all) < maxAttributes {
			all[keep[keyEnd-len(key):keyEnd]] = keep[valueEnd-len(value) : valueEnd]
		}
	}
	f.bad = f.bad || block.bad
	return all
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

func badHandshake() *wire.Error {
	return &wire.Error{Code: 1043, SQLState: "08S01", Message: "Bad handshake"}
}

// String names a client in the log, without its secrets.
func (id *identity) String() string {
	return fmt.Sprintf("%q schema %q plugin %q", shorten(id.user), shorten(id.schema), shorten(id.plugin))
}

// shorten cuts what a client says to what a log line or an answer takes.
func shorten(s string) string {
	const most = 128
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
