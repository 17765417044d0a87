package admin

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/reshard"
	"sluice/server"
	"sluice/shard"
)

// Migrations is what the admin port needs of online moves.
type Migrations interface {
	Move(ctx context.Context, slots, target string, auto bool, by string) ([]int64, error)
	Rebalance(ctx context.Context, by string) ([]int64, []reshard.Step, error)
	List(ctx context.Context) ([]reshard.Migration, error)
	Get(ctx context.Context, id int64) (*reshard.Migration, error)
	Cutover(ctx context.Context, id int64, by string) error
	Verify(ctx context.Context, id int64, by string) error
	Cancel(ctx context.Context, id int64, by string) error
	Revert(ctx context.Context, id int64, by string) error
	Complete(ctx context.Context, id int64, by string) error
	Pause(ctx context.Context, id int64, by string) error
	Resume(ctx context.Context, id int64, by string) error
	GiveUp(ctx context.Context, target, by string) (none bool, err error)
}

// migrationCommands are the statements about online moves.
func migrationCommands() []command {
	list := []command{
		{syntax: "SHOW MIGRATIONS", help: "online moves of slots, the newest last",
			columns: []string{"#migration", "slots", "source", "target", "state", "#copied_rows", "#total_rows", "#lag_ms", "#pause_ms", "error",
				"phase", "#rows_per_second", "eta", "#attempts", "verified", "waiting", "node", "log"}, run: showMigrations},
		{syntax: "SHOW MIGRATION <id>", help: "what has happened to an online move, step by step",
			columns: []string{"time", "node", "phase", "text"}, run: showMigration},
		{syntax: "MOVE SLOTS <first-last,…> TO <shard> [AUTO]", columns: []string{"#migration"}, run: moveSlots,
			help: "moves slots online, a migration for each shard that owns some; with AUTO it switches and completes by itself"},
		{syntax: "REBALANCE", help: "starts the online moves that even the slots out; they switch and complete by themselves",
			columns: []string{"#migration", "slots", "source", "target"}, run: rebalance},
	}
	for _, o := range []struct {
		verb, help string
		do         func(Migrations, context.Context, int64, string) error
	}{
		{"CUTOVER", "switches a migration that is ready", Migrations.Cutover},
		{"VERIFY", "compares both sides of a migration that is ready or switched", Migrations.Verify},
		{"CANCEL", "gives a migration up before its switch and leaves nothing of it", Migrations.Cancel},
		{"REVERT", "gives the slots of a switched migration back, with all that was written since", Migrations.Revert},
		{"COMPLETE", "ends a switched migration: the source's rows are deleted, there is no way back", Migrations.Complete},
		{"PAUSE", "a migration stands still until RESUME", Migrations.Pause},
		{"RESUME", "a migration that was paused or has failed goes on", Migrations.Resume},
	} {
		list = append(list, command{syntax: o.verb + " MIGRATION <id>", help: o.help, run: steer(o.do)})
	}
	return list
}

// migrationError gives a refused order the number of a wrong argument.
func migrationError(err error) error {
	var refused *reshard.Refused
	if errors.As(err, &refused) {
		return refuse(1210, "HY000", refused.Text)
	}
	return err
}

func steer(do func(Migrations, context.Context, int64, string) error) func(context.Context, *Admin, *server.Client, map[string]string) ([][]any, error) {
	return func(ctx context.Context, a *Admin, c *server.Client, args map[string]string) ([][]any, error) {
		id, err := migrationID(args["id"])
		if err != nil {
			return nil, err
		}
		return nil, migrationError(do(a.Migrations, ctx, id, c.User))
	}
}

func migrationID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, refuse(1064, "42000", fmt.Sprintf("%q is no number of a migration; SHOW MIGRATIONS lists them", text))
	}
	return id, nil
}

func moveSlots(ctx context.Context, a *Admin, c *server.Client, args map[string]string) ([][]any, error) {
	_, auto := args["AUTO"]
	ids, err := a.Migrations.Move(ctx, args["first-last,…"], args["shard"], auto, c.User)
	if err != nil {
		return nil, migrationError(err)
	}
	var rows [][]any
	for _, id := range ids {
		rows = append(rows, []any{id})
	}
	return rows, nil
}

func rebalance(ctx context.Context, a *Admin, c *server.Client, _ map[string]string) ([][]any, error) {
	ids, steps, err := a.Migrations.Rebalance(ctx, c.User)
	if err != nil {
		return nil, migrationError(err)
	}
	var rows [][]any
	for i, id := range ids {
		rows = append(rows, []any{id, spans(steps[i].Slots), steps[i].Source, steps[i].Target})
	}
	return rows, nil
}

func showMigrations(ctx context.Context, a *Admin, _ *server.Client, _ map[string]string) ([][]any, error) {
	list, err := a.Migrations.List(ctx)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for i := range list {
		m := &list[i]
		p := &m.Progress
		last := ""
		if n := len(m.Log); n > 0 {
			last = m.Log[n-1].Text
		}
		rows = append(rows, []any{m.ID, spans(m.Slots), m.Source, m.Target, m.State(), max(p.Copied, m.Copied), max(p.Total, m.Copied), int64(p.LagMS), int64(m.PauseMS + 0.5), m.Error,
			phase(m), int64(p.Rate), eta(m), m.Attempt, m.Verified, waiting(m), p.Node, last})
	}
	return rows, nil
}

func phase(m *reshard.Migration) string {
	switch {
	case m.Paused && !m.Phase.Over():
		return string(m.Phase) + " (paused)"
	case m.Phase == reshard.Failed:
		return "failed while " + string(m.From)
	}
	return string(m.Phase)
}

// waiting says what a migration waits for, as far as its mover says it.
func waiting(m *reshard.Migration) string {
	p := &m.Progress
	var all []string
	carries := m.Phase == reshard.Preparing || m.Phase == reshard.Copying // else it is what was said last
	if p.Waiting != "" && carries {
		all = append(all, p.Waiting)
	}
	if p.Throttle > 0 && p.Why != "" && carries {
		all = append(all, fmt.Sprintf("slowed down by %.0f %%: %s", 100*p.Throttle, p.Why))
	}
	if p.Trouble != "" && !m.Phase.Over() {
		all = append(all, "last trouble of the stream: "+p.Trouble)
	}
	return strings.Join(all, "; ")
}

// eta is when the copy is complete, as an estimate.
func eta(m *reshard.Migration) any {
	switch p := &m.Progress; {
	case m.Phase != reshard.Copying:
		return nil
	case p.ETA < 0:
		return "never, at this rate"
	case p.Rate == 0:
		return nil
	default:
		return "about " + (time.Duration(p.ETA) * time.Second).String()
	}
}

func showMigration(ctx context.Context, a *Admin, _ *server.Client, args map[string]string) ([][]any, error) {
	id, err := migrationID(args["id"])
	if err != nil {
		return nil, err
	}
	m, err := a.Migrations.Get(ctx, id)
	if err != nil {
		return nil, migrationError(err)
	}
	var rows [][]any
	for _, l := range m.Log {
		rows = append(rows, []any{l.Time.UTC().Format("2006-01-02 15:04:05.000"), l.Node, string(l.Phase), l.Text})
	}
	return rows, nil
}

// spans writes slots as MOVE SLOTS takes them.
func spans(list []shard.Span) string {
	parts := make([]string, len(list))
	for i, s := range list {
		parts[i] = fmt.Sprintf("%d-%d", s.First, s.Last)
	}
	return strings.Join(parts, ",")
}

// showSlots lists runs of slots that one shard owns and that are in one state.
func showSlots(_ context.Context, a *Admin, _ *server.Client, _ map[string]string) ([][]any, error) {
	m := a.Topology.Map()
	var rows [][]any
	var lastOwner int
	var lastMove *shard.Move
	for slot := range shard.Slots {
		owner, v := m.Owner(uint16(slot)), m.MoveOf(uint16(slot))
		if n := len(rows) - 1; n >= 0 && owner == lastOwner && v == lastMove {
			rows[n][1] = slot
			continue
		}
		lastOwner, lastMove = owner, v
		state, migration := "stable", any(nil)
		if v != nil {
			migration = v.ID
			switch {
			case v.Frozen:
				state = "frozen"
			case m.ShardName(owner) == v.Target:
				state = "moved"
			default:
				state = "moving"
			}
		}
		rows = append(rows, []any{slot, slot, m.ShardName(owner), state, migration})
	}
	return rows, nil
}
