package backend

import (
	"context"
	"slices"
	"testing"

	"sluice/internal/testkit"
	"sluice/shard"
)

// TestProcesses: what runs is seen whatever its text is. Oracle MySQL fails a SELECT from the
// process list while a statement with an emoji runs.
func TestProcesses(t *testing.T) {
	eachServer(t, func(t *testing.T, s *testkit.Server) {
		p := open(t, Options{}, mapOf(t, shard.Backend{}, s.Addr))
		busy, asker := get(t, p, "", nil), get(t, p, "", nil)
		defer busy.Close()
		defer asker.Put()
		if err := busy.begin(3, []byte("SELECT SLEEP(30), '😀'")); err != nil {
			t.Fatal(err)
		}
		find := func() *Process {
			list, err := asker.Processes()
			if err != nil {
				t.Fatal(err)
			}
			if i := slices.IndexFunc(list, func(p Process) bool { return p.ID == uint64(busy.ThreadID()) }); i >= 0 {
				return &list[i]
			}
			return nil
		}
		eventually(t, "the statement is listed", func() bool {
			p := find()
			return p != nil && p.Own && p.Command == "Query" && len(p.Text) > 5 && p.Text[:12] == "SELECT SLEEP"
		})
		if !busy.AtWork(context.Background()) {
			t.Error("a statement with an emoji is not at work")
		}
		if asker.AtWork(context.Background()) {
			t.Error("an idle connection is at work")
		}
	})
}
