package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"sluice/query"
	"sluice/server"
	"sluice/shard"
)

// limitCommands are the statements about what a user, a schema or a kind of statement may cost.
func limitCommands() []command {
	var list []command
	for _, of := range []string{shard.OfUser, shard.OfSchema, shard.OfDigest} {
		what, arg := "of a user's statements", "<'"+of+"'>"
		switch of {
		case shard.OfSchema:
			what = "of statements in a schema"
		case shard.OfDigest:
			what, arg = "of a kind of statement (its id in SHOW DIGESTS, or such a statement)", "<'id or statement'>"
		}
		head := "LIMIT " + strings.ToUpper(of) + " " + arg
		list = append(list,
			command{syntax: head + " [CONCURRENCY <n>] [QUEUE <waiting>] [WAIT <time to wait>] [TIME <time of one>] [ROWS <rows>]", run: setLimit(of),
				help: "limits, on each proxy: how many " + what + " run at once (0: none), how many more wait and for how long; the time and the rows of one. What is not named stays"},
			command{syntax: head + " OFF", help: "takes the limits " + what + " away", run: unlimit(of)},
			command{syntax: "UN" + head, help: "as LIMIT … OFF", run: unlimit(of)})
	}
	return append(list, command{syntax: "SHOW LIMITS", help: "what LIMIT has set, and what came of it on this proxy", run: showLimits,
		columns: []string{"of", "name", "#concurrency", "#queue", "#wait_ms", "#time_ms", "#rows", "#running", "#waiting", "#refused", "#timeouts", "#cut", "statement"}})
}

// limitArg is the one argument of LIMIT that says of what.
func limitArg(of string, args map[string]string) string {
	if of == shard.OfDigest {
		return args["id or statement"]
	}
	return args[of]
}

func setLimit(of string) func(context.Context, *Admin, *server.Client, map[string]string) ([][]any, error) {
	return func(ctx context.Context, a *Admin, c *server.Client, args map[string]string) ([][]any, error) {
		name, err := a.limitName(of, limitArg(of, args))
		if err != nil {
			return nil, err
		}
		change, err := readLimit(args)
		if err != nil {
			return nil, err
		}
		_, err = a.Topology.Update(ctx, func(spec *shard.Spec) error {
			if err := known(spec, of, name); err != nil {
				return err
			}
			i := slices.IndexFunc(spec.Limits, func(l shard.Limit) bool { return l.Of == of && l.Name == name })
			if i < 0 {
				i = len(spec.Limits)
				spec.Limits = append(spec.Limits, shard.Limit{Of: of, Name: name})
			}
			l := &spec.Limits[i]
			l.Concurrency, l.Queue = cmp.Or(change.Concurrency, l.Concurrency), cmp.Or(change.Queue, l.Queue)
			l.Wait, l.Time, l.Rows = cmp.Or(change.Wait, l.Wait), cmp.Or(change.Time, l.Time), cmp.Or(change.Rows, l.Rows)
			return nil
		})
		if err == nil {
			a.Log.Info("limit set", "of", of, "name", name, "admin", c.User)
		}
		return nil, err
	}
}

// known refuses a limit of what is not there.
func known(spec *shard.Spec, of, name string) error {
	switch {
	case of == shard.OfUser && !slices.ContainsFunc(spec.Users, func(u shard.User) bool { return u.Name == name }):
		return refuse(1210, "HY000", fmt.Sprintf("there is no user %q", name))
	case of == shard.OfSchema && !slices.ContainsFunc(spec.Schemas, func(s shard.Schema) bool { return s.Name == name }):
		return refuse(1210, "HY000", fmt.Sprintf("there is no schema %q", name))
	}
	return nil
}

// readLimit reads what LIMIT names, and refuses a LIMIT that names nothing.
func readLimit(args map[string]string) (l shard.Limit, err error) {
	wrong := func(what, text, write string) error {
		return refuse(1210, "HY000", fmt.Sprintf("%s %q: write %s", what, text, write))
	}
	named := false
	for _, n := range []struct {
		word, arg string
		to        **int
	}{{"CONCURRENCY", "n", &l.Concurrency}, {"QUEUE", "waiting", &l.Queue}} {
		if _, ok := args[n.word]; ok {
			v, err := strconv.Atoi(args[n.arg])
			if err != nil || v < 0 || v > 1_000_000 {
				return l, wrong(n.word, args[n.arg], "a number from 0 to 1000000")
			}
			*n.to, named = &v, true
		}
	}
	for _, n := range []struct {
		word, arg string
		to        *time.Duration
		most      time.Duration
	}{{"WAIT", "time to wait", &l.Wait, shard.MaxLimitWait}, {"TIME", "time of one", &l.Time, 365 * 24 * time.Hour}} {
		if _, ok := args[n.word]; ok {
			text := args[n.arg]
			d, err := time.ParseDuration(text)
			if err != nil || d <= 0 || d > n.most {
				return l, wrong(n.word, text, "a time such as 500ms, 2s or 1m, at most "+n.most.String())
			}
			*n.to, named = d, true
		}
	}
	if _, ok := args["ROWS"]; ok {
		v, err := strconv.ParseUint(args["rows"], 10, 63)
		if err != nil || v == 0 {
			return l, wrong("ROWS", args["rows"], "a number from 1 on")
		}
		l.Rows, named = v, true
	}
	if !named {
		return l, refuse(1064, "42000", "LIMIT names nothing: write CONCURRENCY, QUEUE, WAIT, TIME or ROWS, or OFF")
	}
	return l, nil
}

func unlimit(of string) func(context.Context, *Admin, *server.Client, map[string]string) ([][]any, error) {
	return func(ctx context.Context, a *Admin, c *server.Client, args map[string]string) ([][]any, error) {
		name, err := a.limitName(of, limitArg(of, args))
		if err != nil {
			return nil, err
		}
		_, err = a.Topology.Update(ctx, func(spec *shard.Spec) error {
			i := slices.IndexFunc(spec.Limits, func(l shard.Limit) bool { return l.Of == of && l.Name == name })
			if i < 0 {
				return refuse(1210, "HY000", fmt.Sprintf("there is no limit of the %s %q; SHOW LIMITS lists them", of, name))
			}
			spec.Limits = slices.Delete(spec.Limits, i, i+1)
			return nil
		})
		if err == nil {
			a.Log.Info("limit taken away", "of", of, "name", name, "admin", c.User)
		}
		return nil, err
	}
}

// limitName gives the name under which a limit is stored: of a digest its fingerprint, which is
// looked up by its id or made of a statement.
func (a *Admin) limitName(of, text string) (string, error) {
	if of != shard.OfDigest {
		return text, nil
	}
	if isDigestID(text) {
		for _, l := range a.Topology.Map().Spec.Limits {
			if l.Of == of && shard.DigestID(l.Name) == text {
				return l.Name, nil
			}
		}
		for _, d := range a.Digests.Rows() {
			if d.Fingerprint != "" && shard.DigestID(d.Fingerprint) == text {
				return d.Fingerprint, nil
			}
		}
		return "", refuse(1210, "HY000", fmt.Sprintf("this proxy has seen no statement with the id %s; SHOW DIGESTS lists them, or give such a statement in quotes", text))
	}
	if !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) { // a slip in an id would limit nothing, and say so to nobody
		return "", refuse(1210, "HY000", fmt.Sprintf("%q is neither the id of a digest, which has 16 digits from 0 to f and is in SHOW DIGESTS, nor a statement that could be limited", text))
	}
	var scan query.Scan
	version := ""
	for _, s := range a.Pools.Status() {
		if version = s.Version; version != "" {
			break
		}
	}
	if err := scan.Run([]byte(text), query.Version(version)); err != nil || len(scan.Fingerprint) == 0 || int(scan.End) < len(text) {
		return "", refuse(1210, "HY000", fmt.Sprintf("%.60q is no single statement", text))
	}
	return string(scan.Fingerprint), nil
}

func isDigestID(text string) bool {
	_, err := strconv.ParseUint(text, 16, 64)
	return len(text) == 16 && err == nil
}

func showLimits(_ context.Context, a *Admin, _ *server.Client, _ map[string]string) ([][]any, error) {
	var rows [][]any
	orNull := func(n *int) any {
		if n == nil {
			return nil
		}
		return *n
	}
	ms := func(d time.Duration) any {
		if d == 0 {
			return nil
		}
		return d.Milliseconds()
	}
	for _, l := range a.Limits.Status(a.Topology.Map()) {
		name, statement, queue, wait, most := l.Name, any(nil), orNull(l.Queue), ms(l.Wait), any(nil)
		if l.Of == shard.OfDigest {
			name, statement = shard.DigestID(l.Name), l.Name
		}
		if l.Concurrency != nil && l.Queue == nil {
			queue = shard.DefaultLimitQueue
		}
		if l.Concurrency != nil && l.Wait == 0 {
			wait = shard.DefaultLimitWait.Milliseconds()
		}
		if l.Rows > 0 {
			most = l.Rows
		}
		rows = append(rows, []any{l.Of, name, orNull(l.Concurrency), queue, wait, ms(l.Time), most, l.Running, l.Waiting, l.Refused, l.Timeouts, l.Cut, statement})
	}
	return rows, nil
}
