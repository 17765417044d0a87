// Package arch holds the shape of the house: which package may import which, which one
// package may import each foreign library, and how large a file and a type may grow.
// docs/ARCHITECTURE.md explains the table.
package arch

import (
	"bufio"
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// may lists every package and the packages of Sluice that it may import. No arrow runs
// back up. "*" is all.
var may = map[string]string{
	"cmd/proxy":        "*",
	"config":           "shard",
	"wire":             "",
	"shard":            "",
	"query":            "",
	"metrics":          "",
	"cache":            "metrics internal/fault",
	"router":           "query shard",
	"engine":           "",
	"backend":          "wire shard metrics engine",
	"topo":             "shard internal/sleep",
	"server":           "wire metrics engine",
	"txn":              "backend shard metrics wire internal/fault internal/sleep",
	"reshard/model":    "", // a model stands on nothing
	"internal/fault":   "",
	"internal/sleep":   "",
	"infile":           "",
	"binlog":           "backend wire",
	"mover":            "binlog backend shard wire internal/fault internal/sleep",
	"slowlog":          "",
	"limit":            "shard",
	"advise":           "backend exec query router session shard wire",
	"exec":             "router backend wire shard metrics query infile",
	"session":          "query router exec txn backend server topo shard wire metrics slowlog limit cache binlog",
	"reshard":          "mover shard topo backend metrics wire internal/fault internal/sleep",
	"admin":            "server config topo backend txn reshard metrics shard wire query limit cache",
	"internal/arch":    "",
	"internal/testkit": "",
	"integration":      "*",
	"compat":           "*",
	"bench":            "internal/testkit",
	"bench/relay":      "",
}

// owner names the one package that may import a foreign library (by prefix of its path).
var owner = map[string]string{
	"github.com/pingcap/":                    "query",
	"go.etcd.io/":                            "topo",
	"github.com/prometheus/":                 "metrics",
	"go.yaml.in/":                            "config",
	"github.com/go-mysql-org/":               "backend",
	"github.com/cockroachdb/apd":             "exec",
	"github.com/klauspost/compress":          "wire",
	"github.com/pires/go-proxyproto":         "server",
	"go.uber.org/zap":                        "topo",
	"google.golang.org/grpc":                 "topo",
	"github.com/redis/":                      "cache",
	"github.com/go-sql-driver/mysql":         "internal/testkit", // and tests
	"github.com/cockroachdb/datadriven":      "",                 // tests only
	"go.uber.org/goleak":                     "",
	"github.com/google/go-cmp":               "",
	"github.com/go-mysql-org/go-mysql/mysql": "backend",
}

const (
	maxLines   = 600
	maxMethods = 20
)

const root = "../.."

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	eachFile(t, func(pkg, path string, file *ast.File) {
		seen[pkg] = true
		allowed, known := may[pkg]
		if !known {
			t.Errorf("%s: package %s is not in the table of internal/arch", path, pkg)
			return
		}
		isTest := strings.HasSuffix(path, "_test.go")
		for _, spec := range file.Imports {
			imported := strings.Trim(spec.Path.Value, `"`)
			if local, ok := strings.CutPrefix(imported, "sluice/"); ok {
				if local == pkg || allowed == "*" || isTest {
					continue // a test may stand on anything
				}
				if !slices.Contains(strings.Fields(allowed), local) {
					t.Errorf("%s: %s may not import %s; it may import: %s", path, pkg, local, allowed)
				}
				continue
			}
			for prefix, who := range owner {
				if strings.HasPrefix(imported, prefix) && !isTest && pkg != who {
					t.Errorf("%s: only %q may import %s", path, who, prefix)
				}
			}
		}
	})
	for pkg := range may {
		if !seen[pkg] {
			t.Errorf("the table names %s, which does not exist", pkg)
		}
	}
}

// TestSize fails for files and types that have outgrown their measure: redesign, then add.
func TestSize(t *testing.T) {
	methods := map[string]int{}
	eachFile(t, func(pkg, path string, file *ast.File) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		if n := lines(t, path); n > maxLines {
			t.Errorf("%s has %d lines; %d is the most", path, n, maxLines)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil {
				methods[pkg+"."+receiver(f.Recv.List[0].Type)]++
			}
		}
	})
	for name, n := range methods {
		if n > maxMethods && !large[name] {
			t.Errorf("%s has %d methods; %d is the most", name, n, maxMethods)
		}
	}
}

// large are the types that are above the measure for a reason.
var large = map[string]bool{
	"wire.Conn":      true, // every kind of packet that is read or written is a method of its own
	"backend.Conn":   true, // what a leased connection can do, one short method each
	"backend.pool":   true, // one lock, one state: its steps are small methods
	"exec.gathering": true, // the steps of one gather, over one state
	"query.analysis": true, // a method for each clause
	"query.lexer":    true, // a method for each kind of token
	"query.scanner":  true, // and for each kind of list
}

// TestNoInit: no init functions, and no package-level variable that is changed later is
// looked for by review; init is what a test can see.
func TestNoInit(t *testing.T) {
	eachFile(t, func(_, path string, file *ast.File) {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function: registration belongs into the wiring", path)
			}
		}
	})
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}

func lines(t *testing.T, path string) (n int) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		n++
	}
	return n
}

func eachFile(t *testing.T, f func(pkg, path string, file *ast.File)) {
	t.Helper()
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		f(filepath.ToSlash(rel), path, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
