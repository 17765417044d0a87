package shard

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest identifier of MySQL in characters ("Identifier Length Limits").
const maxName = 64

// maxAccount is the longest user name of MariaDB in characters; MySQL's is 32.
const maxAccount = 80

// CheckID tells what is wrong with the name of a shard or a proxy. Such names become parts
// of etcd keys, hints and file names, so they are of letters, digits, _ and - only.
func CheckID(name string) error {
	if name == "" {
		return errors.New("the name is empty; write 1 to 64 letters, digits, _ or -")
	}
	if len(name) > maxName {
		return fmt.Errorf("%s has %d characters; write at most 64 letters, digits, _ or -", clip(name), len(name))
	}
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			continue
		}
		return fmt.Errorf("%s is not a valid name; write 1 to 64 letters, digits, _ or -", clip(name))
	}
	return nil
}

// CheckIdentifier tells what is wrong with a column's name. MySQL allows more inside
// backticks; quotes, slashes and control characters are refused because such names end up
// in statements and messages.
func CheckIdentifier(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty; write 1 to 64 characters")
	case !utf8.ValidString(name):
		return fmt.Errorf("%s is not valid UTF-8; write the name in UTF-8", clip(name))
	case utf8.RuneCountInString(name) > maxName:
		return fmt.Errorf("%s has %d characters; write at most 64", clip(name), utf8.RuneCountInString(name))
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("%s begins or ends with a space; leave it out", clip(name))
	}
	for _, c := range name {
		if unicode.IsControl(c) || c > 0xffff || strings.ContainsRune("`'\"/\\", c) {
			return fmt.Errorf("%s holds the character %q; write a name without it", clip(name), c)
		}
	}
	return nil
}

// CheckObject tells what is wrong with the exact name of a schema or a table.
func CheckObject(name string) error {
	if err := CheckIdentifier(name); err != nil {
		return err
	}
	if i := strings.IndexAny(name, ".*?"); i >= 0 {
		return fmt.Errorf("%s holds the character %q; write a name without it", clip(name), name[i])
	}
	return nil
}

// checkTable is CheckObject for a table's rule, whose name may be a glob: then what is
// left of it must be able to be part of a name.
func checkTable(name string) error {
	if !IsGlob(name) {
		return CheckObject(name)
	}
	part := strings.NewReplacer("*", "", "?", "x").Replace(name)
	if part == "" {
		return nil
	}
	if CheckObject(part) != nil {
		return fmt.Errorf("the pattern %s cannot match a table; write a table's name with * for any characters and ? for one", clip(name))
	}
	return nil
}

// IsSystemSchema tells whether a schema belongs to the servers or to Sluice itself.
func IsSystemSchema(name string) bool {
	switch strings.ToLower(name) {
	case "mysql", "information_schema", "performance_schema", "sys", "_sluice":
		return true
	}
	return false
}

// checkAccount tells what is wrong with the name of a user.
func checkAccount(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty; write the name with which the user logs in")
	case !utf8.ValidString(name):
		return fmt.Errorf("%s is not valid UTF-8; write the name in UTF-8", clip(name))
	case utf8.RuneCountInString(name) > maxAccount:
		return fmt.Errorf("%s has %d characters; write at most %d", clip(name), utf8.RuneCountInString(name), maxAccount)
	case strings.IndexFunc(name, unicode.IsControl) >= 0:
		return fmt.Errorf("%s holds a control character; write a name without it", clip(name))
	}
	return nil
}

// CheckAddress tells what is wrong with a server's host:port.
func CheckAddress(addr string) error {
	if addr == "" {
		return errors.New("the address is empty; write host:port, such as 10.0.0.1:3306")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		if ip := net.ParseIP(addr); ip != nil {
			return fmt.Errorf("%s has no port; write %q", clip(addr), net.JoinHostPort(addr, "3306"))
		}
		if !strings.Contains(addr, ":") {
			return fmt.Errorf("%s has no port; write %s", clip(addr), clip(addr+":3306"))
		}
		return fmt.Errorf("%s is not host:port; write it like 10.0.0.1:3306", clip(addr))
	}
	if host == "" {
		return fmt.Errorf("%s has no host; write it like 10.0.0.1:3306", clip(addr))
	}
	if strings.ContainsFunc(host, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("/@,;'\"`\\", c) }) {
		return fmt.Errorf("%s is not host:port; write it like 10.0.0.1:3306", clip(addr))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%s has the port %q; write a number from 1 to 65535", clip(addr), port)
	}
	return nil
}

// IsGlob tells whether the name of a rule is a pattern.
func IsGlob(name string) bool { return strings.ContainsAny(name, "*?") }

// Match tells whether a name matches a pattern, in which * stands for any characters, also
// none, and ? for exactly one. It takes at most len(pattern)·len(name) steps.
func Match(pattern, name string) bool {
	p, n := 0, 0
	star, resume := -1, 0
	for n < len(name) {
		if p < len(pattern) {
			switch c := pattern[p]; {
			case c == '*':
				star, resume = p, n
				p++
				continue
			case c == '?':
				_, size := utf8.DecodeRuneInString(name[n:])
				p, n = p+1, n+size
				continue
			case c == name[n]:
				p, n = p+1, n+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		// The last star takes one character more, and the rest is tried again.
		_, size := utf8.DecodeRuneInString(name[resume:])
		resume += size
		p, n = star+1, resume
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// clip quotes what a user wrote for a message, shortened.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strconv.Quote(s)
}
