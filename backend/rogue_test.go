package backend

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
	"sluice/shard"
	"sluice/wire"
)

// honestGreeting is what a server says first.
func honestGreeting(plugin string, caps uint32) []byte {
	b := append([]byte{10}, "5.5.5-10.11.6-Rogue\x00"...)
	b = append(b, 7, 0, 0, 0)
	b = append(b, "12345678\x00"...)
	b = binary.LittleEndian.AppendUint16(b, uint16(caps))
	b = append(b, 45, 2, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(caps>>16))
	b = append(b, 21)
	b = append(b, make([]byte, 10)...)
	b = append(b, "abcdefghijkl\x00"...)
	return append(append(b, plugin...), 0)
}

const rogueCaps = fixedCaps | wire.ClientConnectAttrs

var okPacket = []byte{0, 0, 0, 2, 0, 0, 0}

// welcome lets a client in without asking much.
func welcome(w *wire.Conn) error {
	if err := send(w, honestGreeting(pluginNative, rogueCaps)); err != nil {
		return err
	}
	if _, err := w.ReadPacket(); err != nil {
		return err
	}
	if err := send(w, okPacket); err != nil {
		return err
	}
	w.ResetSequence()
	if _, err := w.ReadPacket(); err != nil {
		return err
	}
	return send(w, okPacket)
}

// TestRogueGreeting: whatever a stranger says first is an error in time.
func TestRogueGreeting(t *testing.T) {
	whole := honestGreeting(pluginNative, rogueCaps)
	cases := map[string][]byte{
		"nothing":        {},
		"version 9":      append([]byte{9}, whole[1:]...),
		"only text":      bytes.Repeat([]byte{10}, 300),
		"no plugins":     honestGreeting(pluginNative, rogueCaps&^wire.ClientPluginAuth),
		"refusal":        wire.AppendError(nil, &wire.Error{Code: 1129, Message: "Host is blocked"}),
		"short refusal":  {0xff},
		"long scramble":  append(whole[:len(whole)-45:len(whole)-45], 255),
		"an OK":          okPacket,
		"random":         []byte("GET / HTTP/1.1\r\n\r\nHost: x"),
		"64 KiB and one": make([]byte, loginPacket+1),
	}
	for n := range len(whole) - len(pluginNative) - 2 {
		cases["cut at "+hex.EncodeToString([]byte{byte(n)})] = whole[:n]
	}
	for name, greeting := range cases {
		addr := serverOf(t, func(w *wire.Conn, nc net.Conn) {
			if send(w, greeting) == nil {
				io.Copy(io.Discard, nc)
			}
		})
		p := open(t, Options{DialTimeout: 5 * time.Second}, mapOf(t, shard.Backend{}, addr))
		start := time.Now()
		if _, err := p.Probe(context.Background(), addr); err == nil || time.Since(start) > 4*time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(start))
		}
		p.Close()
	}
}

// TestRogueAuth: a server that asks for the password in clear, for unknown plugins, or
// breaks the exchange gets no password and no connection.
func TestRogueAuth(t *testing.T) {
	const password = "open sesame"
	key := "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAIBAAIBAw==\n-----END PUBLIC KEY-----\n"
	more := func(s string) []byte { return append([]byte{1}, s...) }
	to := func(plugin, scramble string) []byte { return []byte("\xfe" + plugin + "\x00" + scramble) }
	scramble := strings.Repeat("x", 20) + "\x00"
	for name, c := range map[string]struct {
		plugin string
		say    [][]byte
	}{
		"clear password":              {pluginNative, [][]byte{to("mysql_clear_password", "")}},
		"dialog":                      {pluginNative, [][]byte{to("dialog", "Password: ")}},
		"old password":                {pluginNative, [][]byte{{0xfe}}},
		"clear password as default":   {"mysql_clear_password", [][]byte{to("mysql_clear_password", "")}},
		"no plugin's name":            {pluginNative, [][]byte{[]byte("\xfemysql_native_password")}},
		"native with a short one":     {pluginNative, [][]byte{to(pluginNative, "abc")}},
		"native with nothing":         {pluginNative, [][]byte{to(pluginNative, "")}},
		"ed25519 with a short one":    {pluginNative, [][]byte{to(pluginEd25519, "abc")}},
		"sha2 with a short one":       {pluginNative, [][]byte{to(pluginSHA2, "abc")}},
		"more for native":             {pluginNative, [][]byte{more("\x04")}},
		"an unknown step":             {pluginSHA2, [][]byte{more("\x09")}},
		"no key":                      {pluginSHA2, [][]byte{more("\x04"), more("this is no key")}},
		"a broken key":                {pluginSHA2, [][]byte{more("\x04"), more(key)}},
		"a key of another kind":       {pluginSHA2, [][]byte{more("\x04"), more("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n")}},
		"an empty packet":             {pluginNative, [][]byte{{}}},
		"no end":                      {pluginNative, [][]byte{to(pluginNative, scramble), to(pluginNative, scramble), to(pluginNative, scramble), to(pluginNative, scramble), to(pluginNative, scramble), to(pluginNative, scramble), to(pluginNative, scramble), to(pluginNative, scramble), to(pluginNative, scramble)}},
		"full without end":            {pluginSHA2, [][]byte{more("\x04"), more("\x04"), more("\x04"), more("\x04"), more("\x04"), more("\x04"), more("\x04"), more("\x04"), more("\x04")}},
		"fast without end":            {pluginSHA2, [][]byte{more("\x03"), more("\x03"), more("\x03"), more("\x03"), more("\x03"), more("\x03"), more("\x03"), more("\x03"), more("\x03")}},
		"a short OK":                  {pluginNative, [][]byte{{0}}},
		"a file instead of an answer": {pluginNative, [][]byte{[]byte("\xfb/etc/passwd")}},
	} {
		said := make(chan []byte, 1)
		addr := serverOf(t, func(w *wire.Conn, nc net.Conn) {
			var all []byte
			defer func() { said <- all }()
			if send(w, honestGreeting(c.plugin, rogueCaps)) != nil {
				return
			}
			b, err := w.ReadPacket()
			for _, say := range c.say {
				if err != nil {
					return
				}
				all = append(all, b...)
				if send(w, say) != nil {
					return
				}
				if len(say) > 1 && say[0] == 1 && say[1] == sha2FastOK {
					continue // no answer is due
				}
				b, err = w.ReadPacket()
			}
			all = append(all, b...)
		})
		p := open(t, Options{DialTimeout: 5 * time.Second}, mapOf(t, shard.Backend{User: "u", Password: password}, addr))
		if _, err := p.Probe(context.Background(), addr); err == nil {
			t.Errorf("%s: logged in", name)
		}
		if bytes.Contains(<-said, []byte(password)) {
			t.Errorf("%s: the password was sent in clear", name)
		}
		p.Close()
	}
}

// TestRogueAnswers: after the login a server answers anything with nonsense.
func TestRogueAnswers(t *testing.T) {
	column := wire.AppendColumn(nil, &wire.Column{Name: "a", Type: wire.TypeVarString})
	for name, answer := range map[string][][]byte{
		"a file":                       {[]byte("\xfb/etc/passwd")},
		"nothing":                      {{}},
		"half an OK":                   {{0, 0}},
		"half an ERR":                  {{0xff}},
		"70000 columns":                {wire.AppendLenencInt(nil, 70000)},
		"2^63 columns":                 {wire.AppendLenencInt(nil, 1<<63)},
		"a column of nonsense":         {{1}, {0xfd, 0xff, 0xff}},
		"no EOF":                       {{1}, column, column},
		"a row that is too short":      {{1}, column, {0xfe, 0, 0, 2, 0}, {5, 'x'}},
		"a row of 2^64 bytes":          {{1}, column, {0xfe, 0, 0, 2, 0}, append([]byte{0xfe}, bytes.Repeat([]byte{0xff}, 8)...)},
		"a row with a value too many":  {{1}, column, {0xfe, 0, 0, 2, 0}, {1, 'x', 1, 'y'}},
		"a row with a value too few":   {{2}, column, column, {0xfe, 0, 0, 2, 0}, {1, 'x'}},
		"an OK that has not all there": {{0, 0xfe, 1, 2}},
	} {
		addr := serverOf(t, func(w *wire.Conn, nc net.Conn) {
			if welcome(w) != nil {
				return
			}
			for {
				w.ResetSequence()
				if _, err := w.ReadPacket(); err != nil {
					return
				}
				for _, b := range answer {
					if send(w, b) != nil {
						return
					}
				}
			}
		})
		p := open(t, Options{DialTimeout: 5 * time.Second}, mapOf(t, shard.Backend{}, addr))
		run := map[string]func(c *Conn) error{
			"query":   func(c *Conn) error { _, _, err := c.Query("SELECT 1"); return err },
			"exec":    func(c *Conn) error { _, err := c.Exec("SELECT 1"); return err },
			"prepare": func(c *Conn) error { _, err := c.Prepare([]byte("SELECT 1")); return err },
			"sync":    func(c *Conn) error { return c.Sync("db", settingsOf("SET @a=1")) },
		}
		for what, f := range run {
			if what == "exec" && strings.HasPrefix(name, "a row") {
				continue // rows are dropped unseen
			}
			c := get(t, p, "", nil)
			if err := c.SetDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			err := f(c)
			if err == nil || errors.As(err, new(*wire.Error)) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
			c.Put()
			if st := p.Status()[0]; st.Idle != 0 {
				t.Errorf("%s: %s: the connection is used again", name, what)
			}
		}
		p.Close()
	}
}

// TestRogueSilence: a server that falls silent while a connection is brought to a state
// costs one timeout and not one for each client.
func TestRogueSilence(t *testing.T) {
	addr := serverOf(t, func(w *wire.Conn, nc net.Conn) {
		if welcome(w) == nil {
			io.Copy(io.Discard, nc)
		}
	})
	p := open(t, Options{DialTimeout: 300 * time.Millisecond}, mapOf(t, shard.Backend{}, addr))
	get(t, p, "", nil).Put()
	start := time.Now()
	_, err := p.Get(context.Background(), "s0", Class{}, "db", settingsOf("SET @a=1"))
	unavailable(t, err)
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("after %v", d)
	}
}

// TestRogueSize: a packet without an end does not fill the memory.
func TestRogueSize(t *testing.T) {
	addr := serverOf(t, func(w *wire.Conn, nc net.Conn) {
		if welcome(w) != nil {
			return
		}
		if _, err := nc.Read(make([]byte, 100)); err != nil {
			return
		}
		piece := make([]byte, 4+1<<24-1)
		for seq := byte(1); ; seq++ {
			piece[0], piece[1], piece[2], piece[3] = 0xff, 0xff, 0xff, seq
			piece[4] = 0xfc
			if _, err := nc.Write(piece); err != nil {
				return
			}
		}
	})
	p := open(t, Options{MaxPacket: 8 << 20}, mapOf(t, shard.Backend{}, addr))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := get(t, p, "", nil)
	if _, _, err := c.Query("SELECT 1"); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("%v", err)
	}
	c.Close()
	runtime.ReadMemStats(&after)
	if grown := int64(after.TotalAlloc) - int64(before.TotalAlloc); grown > 64<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
}

// TestCutLink: a path that breaks inside the login or inside an answer is an error, and the next lease works.
func TestCutLink(t *testing.T) {
	s := testkit.Shared(t, testkit.MySQLFlavor, 0)
	link := testkit.NewLink(t, s.Addr)
	p := open(t, Options{DialTimeout: 5 * time.Second}, mapOf(t, shard.Backend{}, link.Addr))
	for n := range int64(180) {
		if n%7 != 0 {
			continue
		}
		link.CutAfter(n)
		_, err := p.Probe(context.Background(), link.Addr)
		link.CutAfter(-1)
		if err == nil && n < 100 {
			t.Errorf("logged in with %d bytes", n)
		}
	}
	c := get(t, p, "", nil)
	link.CutAfter(20)
	if _, _, err := c.Query("SELECT 1, 2, 3"); err == nil {
		t.Error("an answer over a path that was cut")
	}
	link.CutAfter(-1)
	c.Put()
	c = get(t, p, "", nil)
	if got := value(t, c, "SELECT 1"); got != "1" {
		t.Error(got)
	}
	c.Put()
	time.Sleep(checkAfter)
	link.Cut()
	c = get(t, p, "", nil)
	defer c.Put()
	if got := value(t, c, "SELECT 2"); got != "2" {
		t.Error(got)
	}
}

func FuzzGreeting(f *testing.F) {
	f.Add(honestGreeting(pluginNative, rogueCaps))
	f.Add(honestGreeting(pluginSHA2, rogueCaps|wire.ClientSSL))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := parseGreeting(b)
		if err == nil && (len(g.scramble) < 8 || g.caps&greetingCaps != greetingCaps) {
			t.Errorf("%+v", g)
		}
		if plugin, scramble, err := parseSwitch(append([]byte{0xfe}, b...)); err == nil {
			c := credentials{user: "u", password: "p"}
			_, _ = c.answer(plugin, scramble)
		}
		_, _ = parsePublicKey(b)
	})
}
