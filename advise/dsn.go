package advise

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"sluice/shard"
)

// DSN says where the existing server is and which of its schemas are meant.
type DSN struct {
	User, Password string
	Address        string // host:port
	Schemas        []string
}

// ParseDSN reads user:password@host:port/schema[,schema…], also with tcp(host:port). file:PATH
// is a file that holds it: a password on a command line is seen by all users of the machine.
func ParseDSN(text string) (d DSN, err error) {
	if path, ok := strings.CutPrefix(text, "file:"); ok {
		b, err := os.ReadFile(path)
		if err != nil {
			return d, err
		}
		text = strings.TrimSpace(string(b))
	}
	slash := strings.LastIndexByte(text, '/')
	if slash < 0 {
		return d, errors.New("the DSN names no schema; write user:password@host:port/schema")
	}
	account, address, ok := cutLast(text[:slash], '@')
	if !ok {
		return d, errors.New("the DSN names no user; write user:password@host:port/schema")
	}
	d.User, d.Password, _ = strings.Cut(account, ":")
	if inner, ok := strings.CutPrefix(address, "tcp("); ok {
		address = strings.TrimSuffix(inner, ")")
	}
	if d.Address = address; shard.CheckAddress(address) != nil && shard.CheckAddress(address+":3306") == nil {
		d.Address = address + ":3306"
	}
	if err := shard.CheckAddress(d.Address); err != nil {
		return d, fmt.Errorf("the DSN's server: %w", err)
	}
	for _, s := range strings.Split(text[slash+1:], ",") {
		if s = strings.TrimSpace(s); s == "" || shard.IsSystemSchema(s) {
			return d, fmt.Errorf("the DSN names the schema %q; write user:password@host:port/schema", s)
		}
		d.Schemas = append(d.Schemas, s)
	}
	return d, nil
}

func cutLast(s string, c byte) (before, after string, ok bool) {
	if i := strings.LastIndexByte(s, c); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
