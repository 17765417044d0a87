package router

import (
	"bytes"

	"sluice/query"
)

// place is a position in every text of a fingerprint: behind the last literal of a hole,
// after the same tokens. Texts of one fingerprint differ there in blanks and comments only.
type place struct {
	hole int    // -1: from the start of the text
	gap  string // what stands between the literal, or the start, and the position
}

// placeOf describes a position of the text that is being planned. A position inside a
// literal or a collapsed list is none.
func placeOf(sql []byte, scan *query.Scan, pos int32) (place, bool) {
	last := -1
	for i := range scan.Literals {
		if scan.Literals[i].End > pos {
			if scan.Literals[i].Start < pos {
				return place{}, false
			}
			break
		}
		last = i
	}
	if last < 0 {
		return place{hole: -1, gap: string(sql[:pos])}, true
	}
	hole, at := scan.HoleOf(last)
	if hole < 0 || at != int(scan.Holes[hole].Count)-1 {
		return place{}, false
	}
	return place{hole: hole, gap: string(sql[scan.Literals[last].End:pos])}, true
}

// find gives the position in another text of the fingerprint.
func (p *place) find(sql []byte, scan *query.Scan) (int32, bool) {
	at := int32(0)
	if p.hole >= 0 {
		if p.hole >= len(scan.Holes) {
			return 0, false
		}
		i := literalIndex(scan, p.hole, int(scan.Holes[p.hole].Count)-1)
		if i < 0 {
			return 0, false
		}
		at = scan.Literals[i].End
	}
	return follow(p.gap, sql, at, !scan.ExecutableComment)
}

// follow walks over the tokens of gap in sql, from at on, and gives where they end. inert says
// that comments of the kind /*!99999 … */ are for other servers.
func follow(gap string, sql []byte, at int32, inert bool) (int32, bool) {
	rest := sql[at:]
	if len(rest) >= len(gap) && string(rest[:len(gap)]) == gap {
		return at + int32(len(gap)), true
	}
	g, i, j := []byte(gap), 0, 0
	for i < len(g) {
		if n := skipped(g[i:], inert); n > 0 {
			i += n
			j += skipped(rest[j:], inert)
			continue
		}
		j += skipped(rest[j:], inert)
		n := quotedName(g[i:])
		if j+n > len(rest) || !bytes.Equal(g[i:i+n], rest[j:j+n]) {
			return 0, false
		}
		i, j = i+n, j+n
	}
	return at + int32(j), true
}

// skipped is blanks, with the comments for other servers where there are no others of that kind.
func skipped(b []byte, inert bool) int {
	i := blanks(b)
	for inert && (bytes.HasPrefix(b[i:], []byte("/*!")) || bytes.HasPrefix(b[i:], []byte("/*M!"))) {
		end := bytes.Index(b[i:], []byte("*/"))
		if end < 0 {
			return i
		}
		i += end + 2
		i += blanks(b[i:])
	}
	return i
}

// quotedName gives the length of a quoted name or string at the start of b, 1 for anything
// else. The text has been scanned: it ends.
func quotedName(b []byte) int {
	c := b[0]
	if c != '`' && c != '"' && c != '\'' {
		return 1
	}
	if end := bytes.IndexByte(b[1:], c); end >= 0 {
		return end + 2
	}
	return 1
}

// blanks gives the length of the blanks and comments at the start of b. Executable comments
// and optimizer hints are tokens.
func blanks(b []byte) int {
	i := 0
	for i < len(b) {
		switch c := b[i]; {
		case c == ' ' || c >= '\t' && c <= '\r':
			i++
		case c == '#', c == '-' && i+2 < len(b) && b[i+1] == '-' && b[i+2] <= ' ':
			end := bytes.IndexByte(b[i:], '\n')
			if end < 0 {
				return len(b)
			}
			i += end + 1
		case c == '/' && i+2 < len(b) && b[i+1] == '*' && b[i+2] != '!' && b[i+2] != '+' && !(b[i+2] == 'M' && i+3 < len(b) && b[i+3] == '!'):
			end := bytes.Index(b[i+2:], []byte("*/"))
			if end < 0 {
				return len(b)
			}
			i += end + 4
		default:
			return i
		}
	}
	return i
}

// edit puts a text in the place of what stands between two places.
type edit struct {
	from, to place
	text     string
	limit    limitEdit // text is computed of the statement's LIMIT
	slot     string    // of Plan.own: a row's slot, which between before and text is said to be the shard's own
	before   string
}

// limitEdit says what becomes of a LIMIT on the legs.
type limitEdit uint8

const (
	noLimitEdit limitEdit = iota
	limitToSum            // LIMIT offset+count
)

// addEdit plans an edit of the text that is being planned. Where its place cannot be
// found again in other texts, the plan holds for this one only.
func (p *planner) addEdit(span query.Span, text string, limit limitEdit) {
	p.plan.edits = p.appendEdit(p.plan.edits, span, text, limit)
}

func (p *planner) appendEdit(edits []edit, span query.Span, text string, limit limitEdit) []edit {
	if p.in.Scan.ExecutableComment {
		p.fail(unsupported("a statement with executable comments (/*! … */) cannot be changed for several shards; write it without them"))
		return edits
	}
	from, ok1 := placeOf(p.in.SQL, p.in.Scan, span.Start)
	to, ok2 := placeOf(p.in.SQL, p.in.Scan, span.End)
	if !ok1 || !ok2 {
		p.fail(unsupported("a part of the statement that must change for several shards is inside of a list of values; write it outside"))
		return edits
	}
	if len(from.gap)+len(to.gap) > maxGap {
		p.plan.usesText = true
	}
	return append(edits, edit{from: from, to: to, text: text, limit: limit})
}

// maxGap bounds the text that an edit of a plan keeps.
const maxGap = 16 << 10

// apply makes the edits on the text of a bind.
func (s *scratch) apply(edits []edit, a *Args, limit string) ([]byte, *Refusal) {
	s.edits = s.edits[:0]
	for i := range edits {
		e := &edits[i]
		from, ok1 := e.from.find(a.SQL, a.Scan)
		to, ok2 := e.to.find(a.SQL, a.Scan)
		if !ok1 || !ok2 {
			return nil, notFound()
		}
		text := e.text
		if e.limit == limitToSum {
			text = limit
		}
		s.edits = append(s.edits, query.Edit{Span: query.Span{Start: from, End: to}, Text: text})
	}
	out, err := query.Apply(nil, a.SQL, s.edits)
	if err != nil {
		return nil, refuse(1105, "HY000", "the statement could not be split: %v", err)
	}
	return out, nil
}

// kept gives the parameters that remain after the edits, nil when all do.
func (s *scratch) kept(a *Args) []int {
	if a.Scan.Params == 0 {
		return nil
	}
	var out []int
	lost := false
	for i := range a.Scan.Literals {
		l := &a.Scan.Literals[i]
		if l.Kind != query.Param {
			continue
		}
		inside := false
		for _, e := range s.edits {
			inside = inside || l.Start >= e.Span.Start && l.End <= e.Span.End
		}
		if inside {
			lost = true
			continue
		}
		out = append(out, s.paramOf(a.Scan, i))
	}
	if !lost {
		return nil
	}
	if out == nil {
		out = []int{}
	}
	return out
}
