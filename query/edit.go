package query

import (
	"fmt"
	"slices"
)

// Edit puts a text in the place of a span; an empty span is a place to insert at.
type Edit struct {
	Span Span
	Text string
}

// Apply appends sql with the edits made. Edits come in any order, which is left as it is;
// those at the same place are made in theirs. Spans that overlap or lie outside of the text
// are a defect of the caller: an error, and nothing is appended.
func Apply(dst, sql []byte, edits []Edit) ([]byte, error) {
	if !slices.IsSortedFunc(edits, byStart) {
		edits = slices.Clone(edits)
		slices.SortStableFunc(edits, byStart)
	}
	size, at := len(sql), int32(0)
	for _, e := range edits {
		if e.Span.Start < at || e.Span.End < e.Span.Start || int(e.Span.End) > len(sql) {
			return dst, fmt.Errorf("query: edit of [%d,%d) overlaps another one or leaves the text of %d bytes",
				e.Span.Start, e.Span.End, len(sql))
		}
		at = e.Span.End
		size += len(e.Text) - int(e.Span.End-e.Span.Start)
	}
	dst, at = slices.Grow(dst, size), 0
	for _, e := range edits {
		dst = append(append(dst, sql[at:e.Span.Start]...), e.Text...)
		at = e.Span.End
	}
	return append(dst, sql[at:]...), nil
}

// byStart orders edits by their places; an insertion comes before what replaces the text there.
func byStart(a, b Edit) int {
	if a.Span.Start != b.Span.Start {
		return int(a.Span.Start) - int(b.Span.Start)
	}
	return int(min(1, a.Span.End-a.Span.Start)) - int(min(1, b.Span.End-b.Span.Start))
}
