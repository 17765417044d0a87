package admin

import (
	"context"

	"sluice/server"
)

// resolve ends a transaction by a DBA's word, which is logged.
func resolve(commit bool) func(context.Context, *Admin, *server.Client, map[string]string) ([][]any, error) {
	return func(ctx context.Context, a *Admin, c *server.Client, args map[string]string) ([][]any, error) {
		gtrid := args["gtrid"]
		a.Log.Warn("a DBA resolves a transaction", "admin", c.User, "gtrid", gtrid, "commit", commit)
		if _, err := a.Decisions.Resolve(ctx, gtrid, commit); err != nil {
			return nil, refuse(1105, "HY000", err.Error())
		}
		return nil, nil
	}
}
