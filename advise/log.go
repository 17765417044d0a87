package advise

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"sluice/query"
)

// logged is one statement of a query log.
type logged struct {
	conn   uint64 // the connection, as far as the log says
	schema string // what the log says beside the text; "" leaves the connection's as it was
	sql    string // "" where only the schema is said, or that the connection has ended
	ended  bool
}

// maxLogged bounds one statement of a log; what is longer is left out.
const maxLogged = 16 << 20

// readLog calls f for each statement of a query log, whose format it finds by its lines: the
// general log or the slow log of MariaDB and MySQL, else plain SQL.
func readLog(r io.Reader, mode query.Mode, f func(logged)) error {
	l := &lines{r: bufio.NewReaderSize(r, 64<<10)}
	var head []string
	for len(head) < 200 {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		head = append(head, line)
	}
	read := plainLog{mode}.read
	for _, line := range head {
		if slowHeader.MatchString(line) {
			read = slowLog{}.read
			break
		}
		if generalLine.MatchString(line) {
			read = generalLog{}.read
			break
		}
	}
	l.again = head
	return read(l, f)
}

// lines reads lines without their ends.
type lines struct {
	r     *bufio.Reader
	again []string
}

func (l *lines) next() (string, error) {
	if len(l.again) > 0 {
		line := l.again[0]
		l.again = l.again[1:]
		return line, nil
	}
	var b strings.Builder
	for {
		part, err := l.r.ReadSlice('\n')
		if b.Len() < maxLogged {
			b.Write(part)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (b.Len() == 0 || !errors.Is(err, io.EOF)):
			return "", err
		}
		return strings.TrimRight(b.String(), "\r\n"), nil
	}
}

// text collects the lines of a statement.
type text struct {
	strings.Builder
	long bool
}

func (t *text) add(line string) {
	if t.Len()+len(line) > maxLogged {
		t.long = true
		return
	}
	if t.Len() > 0 {
		t.WriteByte('\n')
	}
	t.WriteString(line)
}

func (t *text) take() string {
	s := t.String()
	if t.long {
		s = ""
	}
	t.Reset()
	t.long = false
	return s
}

// A line of a general log that begins an entry: MySQL's with a time of its own, MariaDB's
// with one, or with blanks where it is the time of the line before.
var generalLine = regexp.MustCompile(`^(?:\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)\t *|\d{6} {1,2}\d{1,2}:\d\d:\d\d\t *|\t\t? *)(\d+) (Connect|Init DB|Query|Prepare|Execute|Quit|Change user|Close stmt|Reset stmt|Fetch|Statistics|Ping|Field List|Long Data|Set option|Bulk|Kill|Refresh|Processlist|Debug|Binlog Dump|Reset Connection|Delayed insert|Shutdown|Sleep|Daemon)(?:\t(.*))?$`)

var loginSchema = regexp.MustCompile(` on (\S*) using `)

type generalLog struct{}

// read takes Query and Execute, whose values the servers write into the text; a Prepare is no
// statement that was run.
func (generalLog) read(l *lines, f func(logged)) error {
	var now text
	var conn uint64
	taking := false
	end := func() {
		if sql := now.take(); taking && sql != "" {
			f(logged{conn: conn, sql: sql})
		}
		taking = false
	}
	for {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			end()
			return nil
		}
		if err != nil {
			return err
		}
		m := generalLine.FindStringSubmatch(line)
		if m == nil {
			if taking {
				now.add(line)
			}
			continue
		}
		end()
		conn, _ = strconv.ParseUint(m[1], 10, 64) // digits; one that is too large is a connection, too
		switch m[2] {
		case "Query", "Execute":
			taking = true
			now.add(m[3])
		case "Init DB":
			f(logged{conn: conn, schema: m[3]})
		case "Connect", "Change user":
			if s := loginSchema.FindStringSubmatch(m[3]); s != nil && s[1] != "" {
				f(logged{conn: conn, schema: s[1]})
			}
		case "Quit":
			f(logged{conn: conn, ended: true})
		}
	}
}

var (
	slowHeader = regexp.MustCompile(`^# (?:User@Host: |Query_time: |Thread_id: )`)
	slowFirst  = regexp.MustCompile(`^# (?:Time: |User@Host: |administrator command: )`) // other lines with # may be a statement's own
	slowID     = regexp.MustCompile(`\b(?:Id|Thread_id): +(\d+)`)
	slowSchema = regexp.MustCompile(`\bSchema: (\S+)`)
	slowUse    = regexp.MustCompile("^use `?([^`;]+)`?;$")
	slowTime   = regexp.MustCompile(`^SET (?:last_insert_id=\d+,|insert_id=\d+,)*timestamp=\d+;$`)
	slowStart  = regexp.MustCompile(`^(?:\S+, Version: .* started with:|Tcp port: |Time[ \t]+Id Command[ \t]+Argument)`)
)

type slowLog struct{}

func (slowLog) read(l *lines, f func(logged)) error {
	var now text
	var e logged
	inHead := false
	end := func() {
		e.sql = strings.TrimSuffix(now.take(), ";")
		if e.sql != "" {
			f(e)
		}
		e.sql = ""
	}
	for {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			end()
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case slowFirst.MatchString(line), inHead && strings.HasPrefix(line, "# "):
			if !inHead {
				end()
				inHead, e = true, logged{}
			}
			if m := slowID.FindStringSubmatch(line); m != nil {
				e.conn, _ = strconv.ParseUint(m[1], 10, 64)
			}
			if m := slowSchema.FindStringSubmatch(line); m != nil {
				e.schema = m[1]
			}
		case slowStart.MatchString(line):
			end()
		case inHead && slowUse.MatchString(line):
			e.schema = slowUse.FindStringSubmatch(line)[1]
		case inHead && slowTime.MatchString(line):
			inHead = false
		default:
			inHead = false
			now.add(line)
		}
	}
}

type plainLog struct{ mode query.Mode }

// read takes what stands before each ";" outside of quotes and comments. In a file in which no
// line ends with one, each line is a statement.
func (p plainLog) read(l *lines, f func(logged)) error {
	var now text
	var scan query.Scan
	number, first := 0, 0
	ended := false
	for {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			rest := now.take()
			if ended {
				if strings.TrimSpace(rest) != "" {
					f(logged{sql: rest})
				}
				return nil
			}
			for _, sql := range strings.Split(rest, "\n") {
				if strings.TrimSpace(sql) != "" {
					f(logged{sql: sql})
				}
			}
			return nil
		}
		if err != nil {
			return err
		}
		if number++; now.Len() == 0 {
			first = number
		}
		now.add(line)
		if now.long {
			return fmt.Errorf("the statement that begins on line %d has no end within %d bytes; statements end with a semicolon at the end of a line", first, maxLogged)
		}
		if !strings.HasSuffix(strings.TrimRight(line, " \t"), ";") {
			continue
		}
		sql := now.String()
		for sql != "" && scan.Run([]byte(sql), p.mode) == nil && int(scan.End) < len(sql) {
			ended = true
			if strings.TrimSpace(sql[:scan.End]) != "" {
				f(logged{sql: sql[:scan.End]})
			}
			sql = strings.TrimLeft(sql[scan.End+1:], " \t\n")
		}
		now.Reset() // what is left goes on: a semicolon within quotes
		now.add(sql)
		if sql == "" {
			now.Reset()
		}
	}
}
