package backend

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/go-mysql-org/go-mysql/mysql"

	"sluice/wire"
)

// The authentication plugins that a server may ask for. None of them gives the password
// away in clear text except caching_sha2_password, and that only under TLS or over a unix
// socket; any other plugin is refused, whatever the server says.
const (
	pluginNative  = "mysql_native_password"
	pluginSHA2    = "caching_sha2_password"
	pluginEd25519 = "client_ed25519"
)

const (
	scrambleSize        = 20
	ed25519ScrambleSize = 32
)

// credentials proves an account to a server.
type credentials struct {
	user, password string
	private        bool // nobody can listen: TLS or a unix socket
}

// firstPlugin is the plugin with which the login begins: the server's default where it is
// a known one. Whatever it is, the server then asks for the account's own.
func firstPlugin(g *greeting) string {
	switch {
	case g.plugin == pluginSHA2 && len(g.scramble) == scrambleSize:
		return pluginSHA2
	default:
		return pluginNative
	}
}

// answer computes a plugin's answer to a scramble.
func (c *credentials) answer(plugin string, scramble []byte) ([]byte, error) {
	want := scrambleSize
	if plugin == pluginEd25519 {
		want = ed25519ScrambleSize
	}
	switch plugin {
	case pluginNative, pluginSHA2, pluginEd25519:
	default:
		return nil, fmt.Errorf("the server asks for the authentication plugin %.64q; Sluice answers %s, %s and %s only",
			plugin, pluginNative, pluginSHA2, pluginEd25519)
	}
	if len(scramble) != want {
		return nil, fmt.Errorf("%w: a scramble of %d bytes for %s", wire.ErrMalformed, len(scramble), plugin)
	}
	if plugin == pluginEd25519 {
		return mysql.CalcEd25519Password(scramble, c.password)
	}
	if c.password == "" {
		return nil, nil
	}
	if plugin == pluginSHA2 {
		return mysql.CalcCachingSha2Password(scramble, []byte(c.password)), nil
	}
	return mysql.CalcNativePassword(scramble, []byte(c.password)), nil
}

// Bytes of caching_sha2_password's exchange.
const (
	sha2RequestKey = 2
	sha2FastOK     = 3
	sha2Full       = 4
)

// maxRounds bounds the packets of one authentication; the longest honest one has 5.
const maxRounds = 8

// authenticate answers the server until it accepts or refuses the account.
//
//	──response──▶ OK | ERR
//	            | switch to plugin P, scramble ──answer──▶ …
//	            | more: fast path worked ──▶ OK
//	            | more: full ──password (private)──▶ OK | ERR
//	                         ──key?──▶ more: public key ──password, encrypted──▶ OK | ERR
func (c *credentials) authenticate(w *wire.Conn, plugin string, scramble []byte) error {
	for range maxRounds {
		b, err := w.ReadPacket()
		if err != nil {
			return err
		}
		switch {
		case wire.IsError(b):
			e, err := wire.ParseError(b)
			if err != nil {
				return err
			}
			return e
		case wire.IsOK(b):
			_, err := wire.ParseOK(b)
			return err
		case len(b) > 1 && b[0] == 0xfe:
			if plugin, scramble, err = parseSwitch(b); err != nil {
				return err
			}
			answer, err := c.answer(plugin, scramble)
			if err != nil {
				return err
			}
			if err := send(w, answer); err != nil {
				return err
			}
		case len(b) > 1 && b[0] == 1 && plugin == pluginSHA2:
			if err := c.more(w, b[1:], scramble); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%w: authentication", wire.ErrMalformed)
		}
	}
	return fmt.Errorf("%w: authentication without an end", wire.ErrMalformed)
}

// parseSwitch decodes an AuthSwitchRequest.
func parseSwitch(b []byte) (plugin string, scramble []byte, err error) {
	name, data, found := bytes.Cut(b[1:], []byte{0})
	if !found {
		return "", nil, fmt.Errorf("%w: change of the authentication plugin", wire.ErrMalformed)
	}
	return string(name), trimScramble(bytes.Clone(data)), nil
}

// more answers caching_sha2_password's second step.
func (c *credentials) more(w *wire.Conn, data, scramble []byte) error {
	if len(data) == 1 {
		switch {
		case data[0] == sha2FastOK:
			return nil
		case data[0] == sha2Full && c.private:
			return send(w, append([]byte(c.password), 0))
		case data[0] == sha2Full:
			return send(w, []byte{sha2RequestKey})
		}
		return fmt.Errorf("%w: authentication", wire.ErrMalformed)
	}
	if c.private || len(scramble) != scrambleSize {
		return fmt.Errorf("%w: a public key that was not asked for", wire.ErrMalformed)
	}
	key, err := parsePublicKey(data)
	if err != nil {
		return err
	}
	secret, err := mysql.EncryptPassword(c.password, scramble, key)
	if err != nil {
		return fmt.Errorf("encrypting the password: %w", err)
	}
	return send(w, secret)
}

func parsePublicKey(data []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("the server's public key is not PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the server's public key: %w", err)
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the server's public key is a %T, not RSA", parsed)
	}
	return key, nil
}

// send writes one packet of the login.
func send(w *wire.Conn, b []byte) error {
	if err := w.WritePacket(b); err != nil {
		return err
	}
	return w.Flush()
}
