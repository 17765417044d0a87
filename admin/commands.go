package admin

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/server"
)

// command is one statement of the admin port.
type command struct {
	syntax  string
	help    string
	columns []string // of its answer ("#name": a number); nil: it answers OK
	run     func(ctx context.Context, a *Admin, c *server.Client, args map[string]string) ([][]any, error)
	parsed  []element
}

// commands is the whole language of the admin port: SHOW HELP prints it, Admin.run obeys it.
func commands() []command {
	list := []command{
		{syntax: "SHOW HELP", help: "these statements", columns: []string{"statement", "help"}, run: showHelp},
		{syntax: "SHOW SHARDS", help: "the shards, their state and how many slots they own",
			columns: []string{"shard", "primary", "state", "#slots", "replicas", "version", "error"}, run: showShards},
		{syntax: "SHOW SLOTS", help: "which shard owns which slots, and what becomes of them",
			columns: []string{"#first", "#last", "shard", "state", "#migration"}, run: showSlots},
		{syntax: "SHOW PROXIES", help: "the live proxies of the cluster",
			columns: []string{"node", "listen", "#map_version", "version", "started"}, run: showProxies},
		{syntax: "SHOW TABLES", help: "the tables of all schemas and how their rows are spread",
			columns: []string{"schema", "table", "kind", "shard_key", "sequence", "rule", "note"}, run: showTables},
		{syntax: "SHOW SESSIONS", help: "the applications' connections to this proxy",
			columns: []string{"#id", "user", "remote", "schema", "command", "#seconds", "state", "statement", "transaction",
				"pinned", "#pinned_seconds", "shards", "#statements", "attributes"}, run: showSessions},
		{syntax: "SHOW TRANSACTIONS", help: "the open transactions of this proxy, and those of the cluster that wait, prepared, for their end",
			columns: []string{"#id", "user", "transaction", "#seconds", "shards", "statement", "gtrid", "decision"}, run: showTransactions},
		{syntax: "RESOLVE TRANSACTION <'gtrid'> COMMIT", help: "commits what is prepared of a transaction that cannot be decided otherwise",
			run: resolve(true)},
		{syntax: "RESOLVE TRANSACTION <'gtrid'> ROLLBACK", help: "rolls back what is prepared of a transaction that cannot be decided otherwise",
			run: resolve(false)},
		{syntax: "SHOW BACKENDS", help: "this proxy's connections to the shards' servers",
			columns: []string{"shard", "address", "role", "state", "version", "#open", "#idle", "#waiting", "#max", "error", "since",
				"breaker", "#limit", "#in_flight", "#refused", "#severed", "#all_limit", "#all_in_flight"},
			run: showBackends},
		{syntax: "SHOW DIGESTS", help: "what each kind of statement has cost on this proxy, the dearest first (times in milliseconds)",
			columns: []string{"schema", "digest", "#count", "#errors", "#rows", "#total_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms", "id"},
			run:     showDigests},
		{syntax: "SHOW CACHE", help: "this proxy's result cache: its state, then what it has done for each rule (times in milliseconds)",
			columns: []string{"rule", "state", "#hits", "#misses", "#bypassed", "#refused", "#invalidations", "#suspensions", "lookup_ms", "#served_bytes", "#stored_bytes",
				"#near", "#waited", "lookup_p99_ms", "#stale"}, run: showCache},
		{syntax: "ADD SHARD <name> PRIMARY <'host:port'> [REPLICAS <'host:port,…'>]",
			help: "adds a shard that owns no slot yet, with the schemas and tables of the others", run: addShard},
		{syntax: "DROP SHARD <name>", help: "takes out a shard that owns no slot and is no schema's default shard", run: dropShard},
		{syntax: "KILL <id>", help: "ends an application's connection to this proxy", run: killSession},
		{syntax: "RELOAD", help: "reads the configuration file again, as SIGHUP does", run: reload},
		{syntax: "DRAIN", help: "this proxy stops accepting, lets open work finish and exits, as after SIGTERM", run: drain},
	}
	list = append(list, migrationCommands()...)
	list = append(list, limitCommands()...)
	for i := range list {
		list[i].parsed = parseSyntax(list[i].syntax)
	}
	return list
}

// run finds and runs a statement. columns is nil when the answer is an OK.
func (a *Admin) run(ctx context.Context, c *server.Client, text string) (columns []string, rows [][][]byte, err error) {
	in, err := words(text)
	if err != nil {
		return nil, nil, refuse(1064, "42000", err.Error())
	}
	if len(in) == 0 {
		return nil, nil, refuse(1065, "42000", "the statement is empty; SHOW HELP lists what there is")
	}
	for i := range a.commands {
		cmd, args := &a.commands[i], map[string]string{}
		if match(cmd.parsed, in, args) {
			values, err := cmd.run(ctx, a, c, args)
			if err != nil {
				return nil, nil, err
			}
			return cmd.columns, render(values), nil
		}
	}
	if columns, values, ok := a.clientsOwn(c, in); ok {
		return columns, render(values), nil
	}
	return nil, nil, a.unknown(in)
}

// unknown names the statement that was probably meant.
func (a *Admin) unknown(in []string) error {
	best, most := "", 0
	for _, cmd := range a.commands {
		if n := leading(cmd.parsed, in); n > most {
			best, most = cmd.syntax, n
		}
	}
	if best != "" && !strings.EqualFold(in[0], "SHOW") {
		return refuse(1064, "42000", fmt.Sprintf("the syntax is: %s", best))
	}
	return refuse(1064, "42000", fmt.Sprintf("%.60q is no statement of the admin port; SHOW HELP lists what there is", strings.Join(in, " ")))
}

// clientsOwn answers what MySQL clients say by themselves when they connect.
func (a *Admin) clientsOwn(c *server.Client, in []string) (columns []string, rows [][]any, ok bool) {
	first := strings.ToUpper(in[0])
	if first == "SET" {
		return nil, nil, true // SET NAMES and the like: nothing here depends on it
	}
	if first != "SELECT" || len(in) < 2 {
		return nil, nil, false
	}
	rest := strings.ToLower(strings.Join(in[1:], " "))
	rest, _, _ = strings.Cut(rest, " limit ")
	for expr, value := range map[string]any{
		"@@version_comment": "Sluice admin port", "@@version": a.Version, "version()": a.Version, "user()": c.User, "current_user()": c.User,
		"database()": nil, "schema()": nil, "1": 1, "connection_id()": c.ID, "@@max_allowed_packet": 64 << 20, "@@autocommit": 1,
	} {
		if rest == expr {
			return []string{expr}, [][]any{{value}}, true
		}
	}
	return nil, nil, false
}

// render turns values into the text protocol's: nil is NULL.
func render(rows [][]any) [][][]byte {
	out := make([][][]byte, len(rows))
	for i, row := range rows {
		out[i] = make([][]byte, len(row))
		for j, v := range row {
			switch v := v.(type) {
			case nil:
			case string:
				out[i][j] = []byte(v)
			case time.Time:
				if !v.IsZero() {
					out[i][j] = []byte(v.UTC().Format("2006-01-02 15:04:05"))
				}
			case time.Duration:
				out[i][j] = strconv.AppendFloat(nil, float64(v)/float64(time.Millisecond), 'f', 3, 64)
			default:
				out[i][j] = fmt.Append(nil, v)
			}
		}
	}
	return out
}

func showHelp(_ context.Context, a *Admin, _ *server.Client, _ map[string]string) ([][]any, error) {
	var rows [][]any
	for _, cmd := range a.commands {
		rows = append(rows, []any{cmd.syntax, cmd.help})
	}
	return rows, nil
}

func reload(ctx context.Context, a *Admin, _ *server.Client, _ map[string]string) ([][]any, error) {
	return nil, a.Reload(ctx)
}

func drain(_ context.Context, a *Admin, c *server.Client, _ map[string]string) ([][]any, error) {
	a.Log.Info("drain asked for on the admin port", "admin", c.User)
	a.Drain()
	return nil, nil
}
