package server

import (
	"fmt"
	"net/netip"

	"sluice/wire"
)

// First bytes of the packets of an authentication.
const (
	authSwitch    = 0xfe // AuthSwitchRequest
	authMoreData  = 0x01
	sha2PublicKey = 0x02 // the client asks for the RSA key
	sha2FastOK    = 0x03
	sha2Full      = 0x04 // the server asks for the password itself
)

// exchange is one authentication: at the login, or in COM_CHANGE_USER.
//
//	response fits the plugin and its scramble ──────────┬─ mysql_native_password: compare
//	else ── AuthSwitchRequest (plugin, new scramble) ───┘
//	                                                    └─ caching_sha2_password: compare ── right: 0x01 0x03
//	                                                       └─ wrong: 0x01 0x04 ── TLS: the password
//	                                                                           └─ else [0x02 → key] → RSA(password)
type exchange struct {
	conn     *wire.Conn
	secrets  *secrets
	fallback string // the plugin for clients that name none of ours
	scramble scramble
	fits     string // the plugin for which a client's first response has used the scramble; "" for none
	secure   bool   // TLS
}

// authenticate says whether the client knows the password of the user that it names. It
// does the same whether or not there is such a user. An error is the connection's.
func (x *exchange) authenticate(id *identity, accounts Accounts) (ok bool, err error) {
	account, exists := accounts.Account(id.user)
	password := account.Password
	if !exists {
		password = x.secrets.decoy
	}
	plugin := id.plugin
	if id.caps&wire.ClientPluginAuth == 0 {
		plugin = nativePassword // it can do nothing else, and cannot be asked to switch
	} else if plugin != x.fits || !knownPlugin(plugin) {
		if !knownPlugin(plugin) {
			plugin = x.fallback
		}
		if id.response, err = x.switchTo(plugin); err != nil {
			return false, err
		}
	}
	if plugin == nativePassword {
		return nativeMatches(password, x.scramble, id.response), nil
	}
	return x.cachingSHA2(id, password)
}

// switchTo asks for a response to a new scramble by another plugin.
func (x *exchange) switchTo(plugin string) ([]byte, error) {
	x.scramble = newScramble()
	b := append([]byte{authSwitch}, plugin...)
	b = append(b, 0)
	b = append(append(b, x.scramble[:]...), 0)
	return x.ask(b)
}

// ask sends a packet and gives a copy of the answer.
func (x *exchange) ask(packet []byte) ([]byte, error) {
	if err := x.conn.WritePacket(packet); err != nil {
		return nil, err
	}
	if err := x.conn.Flush(); err != nil {
		return nil, err
	}
	b, err := x.conn.ReadPacket()
	return clone(b), err
}

// cachingSHA2 ends an authentication by caching_sha2_password.
func (x *exchange) cachingSHA2(id *identity, password string) (bool, error) {
	if len(id.response) == 0 || len(id.response) == 1 && id.response[0] == 0 {
		id.response = nil
		return password == "", nil
	}
	if password != "" && sha2Matches(password, x.scramble, id.response) {
		return true, x.conn.WritePacket([]byte{authMoreData, sha2FastOK}) // the OK follows in the same write
	}
	answer, err := x.ask([]byte{authMoreData, sha2Full})
	if err != nil {
		return false, err
	}
	if x.secure {
		plain, ok := cutNUL(answer)
		return ok && samePassword(password, plain), nil
	}
	return x.byRSA(answer, password)
}

// byRSA takes the password as a client sends it that has no TLS. answer is the password,
// when the client has the key already, or the request for the key.
func (x *exchange) byRSA(answer []byte, password string) (bool, error) {
	key, err := x.secrets.key()
	if err != nil {
		return false, fmt.Errorf("no RSA key: %w", err)
	}
	if len(answer) == 1 && answer[0] == sha2PublicKey {
		if answer, err = x.ask(append([]byte{authMoreData}, key.public...)); err != nil {
			return false, err
		}
	}
	x.secrets.work <- struct{}{} // a decryption takes a millisecond
	defer func() { <-x.secrets.work }()
	plain, ok := key.password(answer, x.scramble)
	return ok && samePassword(password, plain), nil
}

// denied is the answer to a wrong password and to an unknown user alike.
func denied(id *identity, from netip.Addr) *wire.Error {
	using := "NO"
	if len(id.response) > 0 {
		using = "YES"
	}
	return &wire.Error{Code: 1045, SQLState: "28000",
		Message: fmt.Sprintf("Access denied for user '%s'@'%s' (using password: %s)", shorten(id.user), from, using)}
}
