package exec

import (
	"bytes"
	"math"
	"strings"
)

// warned says what the legs of a write have warned of.
type warned struct{ *scatter }

// note asks the legs of an UPDATE, DELETE, INSERT … SELECT or … ON DUPLICATE KEY UPDATE for their warnings where several
// have some. A constant of the statement that a server converts is converted once by one server,
// and once by each shard: what the first has said of it, or of words of the statement, is left out of the others' words.
func (s warned) note() error {
	n := 0
	for i := range s.legs {
		if s.legs[i].ok.Warnings > 0 {
			n++
		}
	}
	if n < 2 {
		return nil
	}
	said := map[string]int{} // by which leg first
	s.out.Conditions = [][][]byte{}
	for i := range s.legs {
		l := &s.legs[i]
		if l.ok.Warnings == 0 {
			continue
		}
		_, rows, err := l.conn.Query("SHOW WARNINGS")
		if err != nil {
			return l.failed(err)
		}
		for _, row := range rows {
			if len(row) != 3 || !s.aboutStatement(row) {
				s.out.Conditions = append(s.out.Conditions, row)
				continue
			}
			text := string(bytes.Join(row, []byte{0}))
			if first, known := said[text]; known && first != i {
				l.ok.Warnings--
				continue
			}
			said[text] = i
			s.out.Conditions = append(s.out.Conditions, row)
		}
		if info := updated(l.ok.Info); info != nil {
			warnings := &info[len(info)-1]
			*warnings = min(*warnings, uint64(l.ok.Warnings))
			l.ok.Info = writeInfo(l.ok.Info, info)
		}
	}
	s.out.Conditions = s.out.Conditions[:min(len(s.out.Conditions), math.MaxUint16)]
	return nil
}

// deprecated is ER_WARN_DEPRECATED_SYNTAX.
const deprecated = "1287"

// aboutStatement tells whether a warning is of the statement's text, not of a row.
func (s warned) aboutStatement(row [][]byte) bool {
	stmt := s.req.Bound.Plan.Stmt
	ofRows := stmt != nil && stmt.Insert != nil && !stmt.Insert.FromSelect // each with constants of its own
	return string(row[1]) == deprecated || !ofRows && s.aboutConstant(row[2])
}

// aboutConstant tells whether a warning names a value that stands in the statement.
func (s warned) aboutConstant(text []byte) bool {
	words := string(text)
	from := strings.Index(words, ": '")
	if from < 0 || !strings.HasSuffix(words, "'") || len(words) < from+5 {
		return false
	}
	value := words[from+3 : len(words)-1]
	if s.req.Execute == nil {
		return bytes.Contains(s.req.SQL, []byte("'"+value+"'")) || bytes.Contains(s.req.SQL, []byte(`"`+value+`"`))
	}
	for i := range s.req.Execute.Params {
		if bytes.HasSuffix(s.req.Execute.Params[i].Value, []byte(value)) {
			return true
		}
	}
	return bytes.Contains(s.req.SQL, []byte("'"+value+"'"))
}
