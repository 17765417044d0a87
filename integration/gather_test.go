package integration

import (
	"testing"

	"sluice/internal/testkit"
)

// TestGatherSelects: SELECTs that need rows of several shards in one place have the answer
// of one server, in both protocols, and none is refused.
func TestGatherSelects(t *testing.T) {
	eachFlavor(t, func(t *testing.T, flavor testkit.Flavor) {
		w := newWorld(t, flavor)
		s, err := readScript("testdata/gather/selects.sql")
		if err != nil {
			t.Fatal(err)
		}
		for _, binary := range []bool{false, true} {
			w.gatherScript(t, s, binary)
		}
		if w.compared < 240 {
			t.Errorf("only %d statements were compared", w.compared)
		}
	})
}

func (w *world) gatherScript(t *testing.T, s *script, binary bool) {
	t.Helper()
	p := w.connect(binary, 0)
	defer p.close()
	for _, l := range s.lines {
		if l.only != "" && l.only != w.flavor.String() || l.binary && !binary {
			continue
		}
		o := p.run(&l.statement)
		if o.refused != "" {
			t.Errorf("%s:%d: %s\n  refused: %s", s.name, l.number, l.statement.sql, o.got[len(o.got)-1].err.Message)
		} else if o.diff != "" {
			t.Errorf("%s:%d: binary %v: %s %v\n  %s\n  one server:\n%s  Sluice:\n%s", s.name, l.number, binary, l.statement.sql, l.statement.args, o.diff, show(o.want), show(o.got))
		}
	}
}
