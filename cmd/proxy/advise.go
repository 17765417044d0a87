package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"sluice/advise"
)

// adviseCommand looks at an existing server before anybody moves it.
func adviseCommand(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("advise", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dsn := flags.String("dsn", "", "the existing server: `user:password@host:port/schema[,schema…]`, or file:PATH that holds it")
	log := flags.String("log", "", "a query log `FILE`: general log or slow log of MariaDB or MySQL, or plain SQL")
	shards := flags.Int("shards", 4, "plan the log's statements over `N` shards")
	key := flags.String("key", "", "shard by this column, `TABLE.COLUMN[,TABLE.COLUMN…]` or COLUMN, instead of the best that is found")
	yaml := flags.Bool("yaml", false, "write the schemas section for the configuration instead of the report")
	digests := flags.Int("digests", 20, "list at most `N` kinds of statements in each part")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *dsn == "" || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "usage: sluice advise -dsn user:password@host:port/schema [-log FILE] [-shards N] [-key COLUMN] [-yaml] [-digests N]")
		return 2
	}
	fail := func(err error) int {
		fmt.Fprintln(stderr, "sluice:", err)
		return 1
	}
	o := advise.Options{Shards: *shards, Key: *key}
	var err error
	if o.DSN, err = advise.ParseDSN(*dsn); err != nil {
		return fail(err)
	}
	if *log != "" {
		o.Log = func() (io.ReadCloser, error) { return os.Open(*log) }
	}
	advice, err := advise.Run(ctx, o)
	if err != nil {
		return fail(err)
	}
	if *yaml {
		err = advice.YAML(stdout)
	} else {
		err = advice.Report(stdout, *digests)
	}
	if err != nil {
		return fail(err)
	}
	return 0
}
