package integration

import (
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"sluice/wire"
)

// login makes a bare connection by mysql_native_password, for tests that need thousands.
func login(addr, user, password, schema string) (net.Conn, error) {
	nc, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	c := wire.NewConn(nc, 1<<20)
	if err := authenticate(c, user, password, schema); err != nil {
		nc.Close()
		return nil, err
	}
	c.Release()
	return nc, nil
}

func authenticate(c *wire.Conn, user, password, schema string) error {
	greeting, err := c.ReadPacket()
	if err != nil {
		return err
	}
	scramble, err := scrambleOf(greeting)
	if err != nil {
		return err
	}
	const caps = 1<<0 | 1<<2 | 1<<3 | 1<<9 | 1<<13 | 1<<15 | 1<<19 // long password, long flag, schema, 4.1, transactions, secure, plugin
	b := binary.LittleEndian.AppendUint32(nil, caps)
	b = binary.LittleEndian.AppendUint32(b, 1<<24)
	b = append(append(b, 45), make([]byte, 23)...)
	b = append(append(b, user...), 0)
	auth := nativePassword(scramble, password)
	b = append(append(b, byte(len(auth))), auth...)
	b = append(append(b, schema...), 0)
	b = append(b, "mysql_native_password\x00"...)
	if err := c.WritePacket(b); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return err
	}
	answer, err := c.ReadPacket()
	switch {
	case err != nil:
		return err
	case wire.IsOK(answer):
		return nil
	case wire.IsError(answer):
		e, err := wire.ParseError(answer)
		if err != nil {
			return err
		}
		return e
	}
	return fmt.Errorf("unexpected packet %x", answer)
}

func scrambleOf(greeting []byte) ([]byte, error) {
	i := 1
	for i < len(greeting) && greeting[i] != 0 {
		i++
	}
	i += 5 // NUL and connection id
	if len(greeting) < i+8+1+2+1+2+2+1+10+12 {
		return nil, errors.New("short greeting")
	}
	second := i + 8 + 1 + 2 + 1 + 2 + 2 + 1 + 10
	return append(append([]byte{}, greeting[i:i+8]...), greeting[second:second+12]...), nil
}

func nativePassword(scramble []byte, password string) []byte {
	stage1 := sha1.Sum([]byte(password))
	stage2 := sha1.Sum(stage1[:])
	h := sha1.New()
	h.Write(scramble)
	h.Write(stage2[:])
	out := h.Sum(nil)
	for i := range out {
		out[i] ^= stage1[i]
	}
	return out
}
