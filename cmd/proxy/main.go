// Command sluice is the proxy:
//
//	sluice serve -config FILE     runs one proxy node
//	sluice check -config FILE     validates a configuration
//	sluice demo                   four local MariaDB shards, a proxy and a sample shop
//	sluice advise -dsn DSN        looks at an existing server, and says how to shard it
//	sluice version
//
// Exit codes: 0 done, 1 it failed, 2 it was called wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"sluice/config"
)

// version is set when a release is built.
var version = "dev"

func main() {
	// Child processes of the demo die with the thread that started them: the main one,
	// which lives as long as the process.
	runtime.LockOSThread()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

const usage = `usage: sluice COMMAND

  serve -config FILE    runs one proxy node until SIGTERM
  check -config FILE    validates a configuration
  demo [-shards N] [-dir DIR] [-listen ADDR] [-admin ADDR] [-http ADDR]
                        local shards, a proxy and a sample shop, until Ctrl-C
  advise -dsn user:password@host:port/schema [-log FILE] [-key COLUMN] [-yaml]
                        looks at an existing server, and says how to shard it
  version               prints name and version
`

// run is main without the process: it gives the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	switch args[0] {
	case "serve":
		return serveCommand(ctx, args[1:], stderr)
	case "check":
		return checkCommand(args[1:], stdout, stderr)
	case "demo":
		return demoCommand(ctx, args[1:], stdout, stderr)
	case "advise":
		return adviseCommand(ctx, args[1:], stdout, stderr)
	case "version":
		fmt.Fprintln(stdout, "sluice", version)
		return 0
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return 0
	}
	fmt.Fprintf(stderr, "sluice: there is no command %q\n%s", args[0], usage)
	return 2
}

// configFlag reads "-config FILE".
func configFlag(name string, args []string, stderr io.Writer) (path string, ok bool) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&path, "config", "", "the configuration `FILE`")
	if err := flags.Parse(args); err != nil {
		return "", false
	}
	if path == "" || flags.NArg() > 0 {
		fmt.Fprintf(stderr, "usage: sluice %s -config FILE\n", name)
		return "", false
	}
	return path, true
}

func checkCommand(args []string, stdout, stderr io.Writer) int {
	path, ok := configFlag("check", args, stderr)
	if !ok {
		return 2
	}
	if _, err := config.Load(path); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	fmt.Fprintf(stdout, "%s is valid\n", path)
	return 0
}

func serveCommand(ctx context.Context, args []string, stderr io.Writer) int {
	path, ok := configFlag("serve", args, stderr)
	if !ok {
		return 2
	}
	cfg, err := config.Load(path)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	level := newLevel(cfg)
	log := newLog(cfg, level, stderr)
	p, err := openProxy(ctx, cfg, log)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			fmt.Fprintln(stderr, "sluice:", err)
		}
		return 1
	}
	p.reload = func() error { return reloadFrom(path, p, level) }
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	if err := p.run(ctx, hangup); err != nil {
		log.Error("the proxy ended", "error", err)
		return 1
	}
	return 0
}
