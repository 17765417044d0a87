package integration

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/testkit"
	"sluice/wire"
)

// script is a file of the corpus: statements of one session, a line each. A line that
// begins with white space goes on with the statement above. Lines that begin with "#" are
// comments, with "#!" they say how the next statement is to be run:
//
//	#! any              rows in any order although there is an ORDER BY
//	#! size             only the number of rows is certain
//	#! fold             strings of groups may stand for equal ones
//	#! deprecated       the number of warnings is not certain
//	#! text             by the text protocol only; "#! binary" the other
//	#! mariadb          only there; "#! mysql" the other
//	#! args int:5 str:x parameters of the placeholders; the line is left out in the text protocol
//	#! reset            compare all tables, and give them the rows of the start
//	#! session          a new session before the statement; "#! session found-rows" sets that capability
//	#! doc NAME         docs/SQL.md lists the statements from here to the next empty line in its list NAME
type script struct {
	name  string
	lines []scriptLine
}

type scriptLine struct {
	number    int
	statement diffStatement
	only      string // "", "mariadb", "mysql"
	binary    bool   // only in the binary protocol
	session   bool
	reset     bool
	caps      uint32
	list      string // of docs/SQL.md
}

func readScript(path string) (*script, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := &script{name: filepath.Base(path)}
	var next scriptLine
	list := ""
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for n := 1; in.Scan(); n++ {
		line := in.Text()
		switch {
		case strings.HasPrefix(line, "#! doc "):
			list = strings.TrimSpace(line[len("#! doc "):])
		case strings.HasPrefix(line, "#!"):
			if err := next.directive(strings.Fields(line[2:])); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", s.name, n, err)
			}
		case line == "":
			list = ""
		case line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			s.lines[len(s.lines)-1].statement.sql += "\n" + line
		default:
			next.number, next.list, next.statement.sql = n, list, line
			if next.statement.how.order == anyOrder && totalOrder.MatchString(line) {
				next.statement.how.order = ordered
			}
			if next.statement.how.order == unorderedLine {
				next.statement.how.order = anyOrder
			}
			if list != "" && next.binary {
				return nil, fmt.Errorf("%s:%d: only statements of the text protocol are listed", s.name, n)
			}
			s.lines = append(s.lines, next)
			next = scriptLine{}
		}
	}
	return s, in.Err()
}

// unorderedLine is "#! any" while the line that it is for is not read yet.
const unorderedLine order = -1

var totalOrder = regexp.MustCompile(`(?i)\border\s+by\b[^()]*(\([^()]*(\([^()]*\)[^()]*)*\)[^()]*)*$`)

func (l *scriptLine) directive(words []string) error {
	for i := 0; i < len(words); i++ {
		switch word := words[i]; word {
		case "any":
			l.statement.how.order = unorderedLine
		case "size":
			l.statement.how.order = onlySize
		case "fold":
			l.statement.how.fold = true
		case "deprecated":
			l.statement.how.deprecated = true
		case "text":
			l.statement.textOnly = true
		case "binary":
			l.binary = true
		case "mariadb", "mysql":
			l.only = word
		case "session":
			l.session = true
		case "reset":
			l.reset = true
		case "found-rows":
			l.caps |= wire.ClientFoundRows
		case "args":
			for _, a := range words[i+1:] {
				kind, value, _ := strings.Cut(a, ":")
				l.statement.args = append(l.statement.args, param{kind, strings.ReplaceAll(value, "␣", " ")})
			}
			l.binary = true
			return nil
		default:
			return fmt.Errorf("unknown directive %q", word)
		}
	}
	return nil
}

// TestDiffCorpus: statements that proxies are known to get wrong have the answer of one
// server, in both protocols.
func TestDiffCorpus(t *testing.T) {
	paths, err := filepath.Glob("testdata/corpus/*.sql")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	scripts := make([]*script, len(paths))
	for i, path := range paths {
		if scripts[i], err = readScript(path); err != nil {
			t.Fatal(err)
		}
	}
	lists := newLists(scripts)
	t.Cleanup(func() { lists.check(t) })
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		t.Parallel() // the kinds of servers have nothing in common
		// What both are asked passes the race detector once, in front of MariaDB.
		w := newWorldOf(t, setup{flavor: flavor, plain: flavor == testkit.MySQLFlavor}, nil)
		w.lists = lists
		for _, s := range scripts {
			for _, protocol := range []string{"text", "binary"} {
				t.Run(s.name+"/"+protocol, func(t *testing.T) { w.runScript(t, s, protocol == "binary") })
			}
		}
		w.report()
	})
}

func (w *world) runScript(t *testing.T, s *script, binary bool) {
	w.reset()
	p := w.connect(binary, 0)
	defer func() { p.close() }()
	for _, l := range s.lines {
		if l.reset {
			if d := w.contents(); d != "" {
				t.Errorf("%s: before line %d: %s", s.name, l.number, d)
			}
			w.reset()
		}
		if l.session {
			p.close()
			p = w.connect(binary, l.caps)
		}
		if l.only != "" && l.only != w.flavor.String() || l.binary && !binary {
			continue
		}
		way := ""
		if l.list != "" && !binary {
			way = p.way(t, l.statement.sql)
		}
		o := p.run(&l.statement)
		w.lists.saw(w.flavor, &l, way, &o)
		switch {
		case o.refused != "" && o.diff == "":
			if testing.Verbose() {
				t.Logf("%s:%d: %.200s\n    %s", s.name, l.number, l.statement.sql, o.got[len(o.got)-1].err.Message)
			}
		case o.diff != "":
			t.Errorf("%s:%d: %s %v\n  %s\n  one server:\n%s  Sluice:\n%s", s.name, l.number, l.statement.sql, l.statement.args, o.diff, show(o.want), show(o.got))
		}
	}
	p.close()
	if d := w.contents(); d != "" {
		t.Errorf("%s: after all: %s", s.name, d)
	}
	w.lists.end()
}
