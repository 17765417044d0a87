package advise

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"sluice/shard"
)

// what each way of answering means, for the reader of a report, in the order of the list.
var meanings = []struct{ way, text string }{
	{"one shard", "relayed as they are"},
	{wayOwn, "SET, BEGIN, COMMIT, SHOW WARNINGS …: no shard is asked"},
	{"split-insert", "rows dealt to their shards, one atomic commit"},
	{"split-load", "the file's rows dealt to their shards"},
	{"concatenate", "rows of several shards one after the other"},
	{"merge-sort", "ordered rows of several shards merged"},
	{"aggregate", "groups and counts of several shards combined"},
	{"add-counts", "UPDATE or DELETE on several shards, one atomic commit"},
	{"everywhere", "reference tables and DDL: on every shard"},
	{"insert-select", "rows computed on one shard, then dealt"},
	{"create-select", "a new table from rows of several shards"},
	{"gather", "rows brought together on one shard first: costs more"},
	{"gather-write", "rows locked and brought together first: costs more"},
	{wayRefused, "with an error that says what to do instead"},
	{wayError, "as the server itself would say"},
	{"other schemas", "not looked at"},
}

// report keeps the first error of a writer.
type report struct {
	w   io.Writer
	err error
}

func (r *report) printf(format string, args ...any) {
	if r.err == nil {
		_, r.err = fmt.Fprintf(r.w, format, args...)
	}
}

// table writes aligned columns; a row is cells with tabs between them.
func (r *report) table(rows []string) {
	tw := tabwriter.NewWriter(r.w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		if r.err == nil {
			_, r.err = fmt.Fprintln(tw, "  "+row)
		}
	}
	if r.err == nil {
		r.err = tw.Flush()
	}
}

// Report writes the advice for people; at most digests kinds of statements are listed.
func (a *Advice) Report(w io.Writer, digests int) error {
	r := &report{w: w}
	var rows, bytes uint64
	for _, c := range a.Choices {
		rows, bytes = rows+c.Rows, bytes+c.Bytes
	}
	r.printf("%s on %s (%s): %d tables, some %d rows, %s\n\n", strings.Join(a.schemas, ", "), a.Address, a.Version, len(a.Choices), rows, size(bytes))
	if a.Domain == "" {
		r.printf("No key was found by which tables could be sharded: an integer, binary or _bin string column that several tables share, or -key.\n\n")
	} else {
		r.printf("Shard by %s: %.0f %% of the data is spread over the shards.\n\n", a.Domain, 100*a.spread)
	}
	list := []string{"table\tkind\tkey\trows\tsize\twhy"}
	for _, c := range a.Choices {
		name := c.Table
		if len(a.schemas) > 1 {
			name = c.Schema + "." + c.Table
		}
		list = append(list, fmt.Sprintf("%s\t%s\t%s\t%d\t%s\t%s", name, c.Kind, c.Key, c.Rows, size(c.Bytes), c.Why))
	}
	r.table(list)
	if len(a.Warnings) > 0 {
		r.printf("\nBefore and after the move:\n")
		for _, text := range a.Warnings {
			r.printf("  - %s\n", text)
		}
	}
	if len(a.Others) > 0 {
		r.printf("\nOther keys that were looked at (-key NAME takes one):\n")
		list := []string{"key\tsharded tables\tdata spread\tstatements of one shard"}
		for _, o := range a.Others[:min(len(a.Others), 5)] {
			one := "–"
			if o.OneShard >= 0 {
				one = fmt.Sprintf("%.0f %%", 100*o.OneShard)
			}
			list = append(list, fmt.Sprintf("%s\t%d\t%.0f %%\t%s", o.Name, o.Tables, 100*o.Spread, one))
		}
		r.table(list)
	}
	if a.Log != nil {
		a.Log.report(r, a.Shards, digests)
	}
	return r.err
}

func (l *LogAdvice) report(r *report, shards, digests int) {
	r.printf("\nThe log: %d statements of %d kinds, planned over %d shards:\n", l.Statements, l.Kinds, shards)
	count := map[string]int{}
	for _, way := range l.Ways {
		count[way.Name] = way.Count
	}
	var list []string
	for _, m := range meanings {
		if n := count[m.way]; n > 0 {
			list = append(list, fmt.Sprintf("%s\t%d\t%.1f %%\t%s", m.way, n, 100*float64(n)/float64(max(l.Statements, 1)), m.text))
		}
	}
	r.table(list)
	if l.Broken > 0 {
		r.printf("  %d entries could not be read as statements\n", l.Broken)
	}
	if l.Rest > 0 {
		r.printf("  %d statements were of still other kinds and not planned\n", l.Rest)
	}
	r.printf("\nStatements that one shard cannot answer alone, the most frequent first:\n")
	l.list(r, digests, func(way string) bool { return strings.HasSuffix(way, " shards") && way != wayRefused })
	r.printf("\nRefused:\n")
	l.list(r, digests, func(way string) bool { return way == wayRefused })
	r.printf("\nErrors that the server would give, too (a table that is not there any more, say):\n")
	l.list(r, digests, func(way string) bool { return way == wayError })
}

// list writes the digests that were answered in such a way at least once.
func (l *LogAdvice) list(r *report, most int, is func(way string) bool) {
	n, left := 0, 0
	for _, d := range l.Digests {
		var ways []string
		hit := false
		for _, w := range d.Ways {
			hit = hit || is(w.Name)
			if ways = append(ways, w.Name); len(d.Ways) > 1 {
				ways[len(ways)-1] = fmt.Sprintf("%d× %s", w.Count, w.Name)
			}
		}
		if !hit {
			continue
		}
		if n++; n > most {
			left++
			continue
		}
		r.printf("  %6d×  %s\n           %s\n", d.Count, strings.Join(ways, "; "), clip(d.Fingerprint, 300))
		if d.Why != "" {
			r.printf("           → %s\n", d.Why)
		}
	}
	switch {
	case n == 0:
		r.printf("  none\n")
	case left > 0:
		r.printf("  and %d more kinds; -digests N lists more\n", left)
	}
}

// YAML writes the schemas section of a configuration, which stands below "cluster:".
func (a *Advice) YAML(w io.Writer) error {
	r := &report{w: w}
	r.printf("  schemas:\n")
	for _, schema := range a.schemas {
		r.printf("    - name: %s\n      default_shard: s0\n", scalar(schema))
		head := false
		for _, c := range a.Choices {
			if c.Schema != schema || c.Kind == shard.Unsharded {
				continue
			}
			if !head {
				head = true
				r.printf("      tables:\n")
			}
			rule := "{kind: reference}"
			if c.Kind == shard.Sharded {
				rule = "{shard_key: " + scalar(c.Key) + "}"
			}
			r.printf("        %s: %s\n", scalar(c.Table), rule)
		}
	}
	return r.err
}

// scalar writes a name so that YAML reads it as a string.
func scalar(name string) string {
	for i, c := range name {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return strconv.Quote(name)
		}
	}
	switch strings.ToLower(name) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return strconv.Quote(name)
	}
	return name
}

func size(bytes uint64) string {
	n, unit := float64(bytes), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if n < 1024 {
			break
		}
		n, unit = n/1024, u
	}
	if n < 10 && unit != "B" {
		return fmt.Sprintf("%.1f %s", n, unit)
	}
	return fmt.Sprintf("%.0f %s", n, unit)
}

func clip(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most]) + " …"
}
