package integration

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"sluice/wire"
)

// peer is a client's connection of the differential test. No driver stands in between: all
// that the protocol says about an answer is seen.
type peer struct {
	conn *wire.Conn
	// charset gives for a collation the one that stands for all of its character set: a
	// server prints a column with the default collation of character_set_results, but with the
	// one of the login's as long as the client has not said SET NAMES.
	charset map[uint16]uint16
}

// columns are the definitions as they are compared.
func (p *peer) columns(cols []wire.Column) []wire.Column {
	cols = slices.Clone(cols)
	for i := range cols {
		if c, ok := p.charset[cols[i].Collation]; ok {
			cols[i].Collation = c
		}
	}
	return cols
}

const peerCaps = wire.ClientLongPassword | wire.ClientLongFlag | wire.ClientConnectWithDB | wire.ClientProtocol41 | wire.ClientTransactions |
	wire.ClientSecureConnection | wire.ClientMultiStatements | wire.ClientMultiResults | wire.ClientPSMultiResults | wire.ClientPluginAuth

// answerTime bounds one exchange; it is a bound for machines under load, not an expectation.
const answerTime = 60 * time.Second

// dialPeer logs in. extra are further capabilities.
func dialPeer(addr, user, password, schema string, extra uint32) (*peer, error) {
	nc, err := net.DialTimeout("tcp", addr, answerTime)
	if err != nil {
		return nil, err
	}
	p := &peer{conn: wire.NewConn(nc, 64<<20)}
	if err := p.login(user, password, schema, peerCaps|extra); err != nil {
		nc.Close()
		return nil, fmt.Errorf("login at %s: %w", addr, err)
	}
	return p, nil
}

func (p *peer) login(user, password, schema string, caps uint32) error {
	if err := p.conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	greeting, err := p.conn.ReadPacket()
	if err != nil {
		return err
	}
	if wire.IsError(greeting) {
		return parsedError(greeting)
	}
	end := bytes.IndexByte(greeting, 0)
	if end < 0 || len(greeting) < end+52 {
		return wire.ErrMalformed
	}
	scramble := append(bytes.Clone(greeting[end+5:end+13]), greeting[end+32:end+44]...)
	answer := gomysql.CalcNativePassword(scramble, []byte(password))
	b := binary.LittleEndian.AppendUint32(nil, caps)
	b = binary.LittleEndian.AppendUint32(b, 64<<20)
	b = append(b, byte(wire.CollationUTF8MB4))
	b = append(b, make([]byte, 23)...)
	b = append(append(b, user...), 0)
	b = append(append(b, byte(len(answer))), answer...)
	b = append(append(b, schema...), 0)
	b = append(b, "mysql_native_password\x00"...)
	if err := p.write(b); err != nil {
		return err
	}
	for range 4 {
		b, err := p.conn.ReadPacket()
		switch {
		case err != nil:
			return err
		case wire.IsOK(b):
			return nil
		case wire.IsError(b):
			return parsedError(b)
		case b[0] == 0xfe:
			plugin, data, _ := bytes.Cut(b[1:], []byte{0})
			answer := []byte{}
			if string(plugin) == "mysql_native_password" {
				answer = gomysql.CalcNativePassword(bytes.TrimSuffix(data, []byte{0}), []byte(password))
			} else if password != "" {
				return fmt.Errorf("the plugin %s is for accounts without a password here", plugin)
			}
			if err := p.write(answer); err != nil {
				return err
			}
		}
	}
	return errors.New("the login does not end")
}

func (p *peer) write(b []byte) error {
	if err := p.conn.WritePacket(b); err != nil {
		return err
	}
	return p.conn.Flush()
}

func parsedError(b []byte) error {
	e, err := wire.ParseError(b)
	if err != nil {
		return err
	}
	return e
}

func (p *peer) close() {
	p.conn.Command(wire.ComQuit, nil)
	p.conn.Flush()
	p.conn.Close()
}

// null is how a NULL is shown; no value of the test's data is this text.
const null = "⟨NULL⟩"

// result is one result of a statement: an error, an OK, or columns and rows.
type result struct {
	err  *wire.Error
	ok   wire.OK // of a result set: the status and warnings of its end
	cols []wire.Column
	rows [][]string // values as text
	raw  []string   // rows of the binary protocol as they came
}

// text runs a text of statements.
func (p *peer) text(sql string) ([]result, error) {
	if err := p.command(wire.ComQuery, []byte(sql)); err != nil {
		return nil, err
	}
	return p.results(false)
}

func (p *peer) command(cmd byte, arg []byte) error {
	if err := p.conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	if err := p.conn.Command(cmd, arg); err != nil {
		return err
	}
	return p.conn.Flush()
}

// prepared is a prepared statement of one side.
type prepared struct {
	id     uint32
	params int
	cols   []wire.Column
	warns  uint16
}

// prepare gives the statement, or the server's error as a result.
func (p *peer) prepare(sql string) (*prepared, *wire.Error, error) {
	if err := p.command(wire.ComStmtPrepare, []byte(sql)); err != nil {
		return nil, nil, err
	}
	ok, _, cols, err := wire.ReadPrepare(p.conn)
	var we *wire.Error
	if errors.As(err, &we) {
		return nil, we, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return &prepared{id: ok.ID, params: int(ok.Params), cols: p.columns(cols), warns: ok.Warnings}, nil, nil
}

// execute runs a prepared statement.
func (p *peer) execute(s *prepared, args []param) ([]result, error) {
	e := wire.Execute{ID: s.id}
	for _, a := range args {
		e.Params = append(e.Params, a.wire())
	}
	if err := p.command(wire.ComStmtExecute, wire.AppendExecute(nil, &e)); err != nil {
		return nil, err
	}
	return p.results(true)
}

// results reads a whole answer.
func (p *peer) results(binary bool) (all []result, err error) {
	for len(all) < 100 {
		r, err := p.result(binary)
		if err != nil {
			return all, err
		}
		all = append(all, r)
		if r.err != nil || r.ok.Status&wire.StatusMoreResults == 0 {
			return all, nil
		}
	}
	return all, errors.New("the results do not end")
}

func (p *peer) result(binary bool) (r result, err error) {
	h, err := p.conn.ReadResultHeader()
	if errors.As(err, &r.err) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if h.LocalFile != nil {
		return r, errors.New("the server asks for a file")
	}
	if h.Columns == nil {
		r.ok = h.OK
		return r, nil
	}
	r.cols = p.columns(h.Columns)
	for {
		b, end, err := p.conn.ReadRow()
		if errors.As(err, &r.err) {
			return r, nil
		}
		if err != nil {
			return r, err
		}
		if b == nil {
			r.ok = *end
			return r, nil
		}
		row, err := rowText(b, r.cols, binary)
		if err != nil {
			return r, fmt.Errorf("row %x: %w", b, err)
		}
		r.rows = append(r.rows, row)
		if binary {
			r.raw = append(r.raw, string(b))
		}
	}
}

func rowText(b []byte, cols []wire.Column, binary bool) ([]string, error) {
	split := func() ([][]byte, error) { return wire.SplitTextRow(b, nil) }
	if binary {
		split = func() ([][]byte, error) { return wire.SplitBinaryRow(b, cols, nil) }
	}
	values, err := split()
	if err != nil {
		return nil, err
	}
	if len(values) != len(cols) {
		return nil, fmt.Errorf("%d values for %d columns", len(values), len(cols))
	}
	row := make([]string, len(values))
	for i, v := range values {
		switch {
		case v == nil:
			row[i] = null
		case binary:
			text, err := wire.BinaryToText(nil, v, &cols[i])
			if err != nil {
				return nil, err
			}
			row[i] = string(text)
		default:
			row[i] = string(v)
		}
	}
	return row, nil
}

// param is a parameter of a prepared statement: its type's name and its value as text.
type param struct {
	kind  string // int, uint, tiny, double, decimal, str, blob, date, datetime, time, null
	value string
}

func (a param) String() string { return a.kind + ":" + a.value }

func (a param) wire() wire.Param {
	text := []byte(a.value)
	convert := func(typ byte, unsigned bool) wire.Param {
		col := wire.Column{Type: typ}
		if unsigned {
			col.Flags = wire.FlagUnsigned
		}
		value, err := wire.TextToBinary(nil, text, &col)
		if err != nil {
			panic(fmt.Sprintf("parameter %v: %v", a, err)) // the test's own corpus is wrong
		}
		return wire.Param{Type: typ, Unsigned: unsigned, Value: value}
	}
	switch a.kind {
	case "int":
		return convert(wire.TypeLongLong, false)
	case "uint":
		return convert(wire.TypeLongLong, true)
	case "tiny":
		return convert(wire.TypeTiny, false)
	case "double":
		return convert(wire.TypeDouble, false)
	case "decimal":
		return wire.Param{Type: wire.TypeNewDecimal, Value: text}
	case "blob":
		return wire.Param{Type: wire.TypeBlob, Value: text}
	case "null":
		return wire.Param{Type: wire.TypeNull}
	case "date", "datetime", "time":
		p := convert(map[string]byte{"date": wire.TypeDate, "datetime": wire.TypeDatetime, "time": wire.TypeTime}[a.kind], false)
		p.Value = p.Value[1:] // stands without its length
		return p
	default:
		return wire.Param{Type: wire.TypeVarString, Value: text}
	}
}

// literal is the parameter as text of a statement.
func (a param) literal() string {
	switch a.kind {
	case "null":
		return "NULL"
	case "str", "blob", "date", "datetime", "time":
		return "'" + strings.ReplaceAll(strings.ReplaceAll(a.value, `\`, `\\`), "'", "''") + "'"
	}
	return a.value
}
