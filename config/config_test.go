package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"sluice/internal/testkit"
	"sluice/shard"
)

const secret = "s3cr3t"

// closed is a world without a machine behind it.
func closed(files map[string][]byte) world {
	env := map[string]string{"NODE": "px-env", "LISTEN": "10.1.1.1:3306", "TIMEOUT": "1m", "PASSWORD": secret}
	return world{
		env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		read: func(name string) ([]byte, error) {
			if b, ok := files[name]; ok {
				return b, nil
			}
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		},
	}
}

func TestFaults(t *testing.T) {
	files := map[string][]byte{"secret.txt": []byte(secret + "\n"), "empty.txt": nil}
	certificates(t, files)
	datadriven.RunTest(t, "testdata/faults", func(t *testing.T, d *datadriven.TestData) string {
		c, err := parse("sluice.yaml", []byte(d.Input), closed(files))
		if err != nil {
			if c != nil {
				d.Fatalf(t, "both a configuration and an error")
			}
			if strings.Contains(err.Error(), secret) {
				d.Fatalf(t, "a secret is printed: %v", err)
			}
			checkLines(t, err, d.Input)
			return err.Error() + "\n"
		}
		return show(t, c)
	})
}

// checkLines holds that every fault is one line of the promised form and lies in the file.
func checkLines(t *testing.T, err error, input string) {
	t.Helper()
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("%T: %v", err, err)
	}
	last, lines := 1, 1
	for _, c := range input { // the line breaks of YAML
		if strings.ContainsRune("\n\r\u0085\u2028\u2029", c) {
			lines++
		}
	}
	for _, f := range faults {
		if f.Line < last || f.Line > lines {
			t.Errorf("a fault on line %d after line %d: %v", f.Line, last, f)
		}
		last = f.Line
		if !strings.Contains(f.Text, "; ") || strings.Contains(f.String(), "\n") {
			t.Errorf("no line that says what to write instead: %v", f)
		}
	}
}

// show prints what differs from the defaults.
func show(t *testing.T, c *Config) string {
	var b strings.Builder
	got, def := reflect.ValueOf(*c), reflect.ValueOf(*defaults())
	for i := range got.NumField() {
		f := got.Type().Field(i)
		if !f.IsExported() || reflect.DeepEqual(got.Field(i).Interface(), def.Field(i).Interface()) {
			continue
		}
		v := got.Field(i)
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		fmt.Fprintf(&b, "%s: %+v\n", f.Name, v.Interface())
	}
	spec, err := c.Spec()
	if err != nil {
		t.Fatal(err)
	}
	if spec != nil {
		j, err := json.MarshalIndent(spec, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		b.Write(j)
		b.WriteByte('\n')
	}
	if b.Len() == 0 {
		return "defaults\n"
	}
	return b.String()
}

func certificates(t *testing.T, files map[string][]byte) {
	t.Helper()
	certs := testkit.Certificates(t)
	for name, path := range map[string]string{"cert.pem": certs.ServerCert, "key.pem": certs.ServerKey, "ca.pem": certs.CA} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = b
	}
}

func TestTheContractsExample(t *testing.T) {
	c, err := Load("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := c.Spec()
	if err != nil {
		t.Fatal(err)
	}
	want := &shard.Spec{
		Admins:  []shard.Admin{{Name: "root", Password: "root"}},
		Users:   []shard.User{{Name: "app", Password: "app", Schemas: []string{"shop"}}},
		Backend: shard.Backend{User: "sluice", Password: "sluice", MaxConnections: 64},
		Shards: []shard.Shard{{Name: "s0", Primary: "127.0.0.1:33061", Replicas: []string{"127.0.0.1:33071"}},
			{Name: "s1", Primary: "127.0.0.1:33062"}},
		Ranges: []shard.Range{{First: 0, Last: 8191, Shard: "s0"}, {First: 8192, Last: 16383, Shard: "s1"}},
		Schemas: []shard.Schema{{Name: "shop", DefaultShard: "s0", AutoShardKey: []string{"user_id"}, Tables: []shard.Table{
			{Name: "users", Kind: shard.Sharded, ShardKey: "user_id"},
			{Name: "orders", Kind: shard.Sharded, ShardKey: "user_id", Sequence: "order_id"},
			{Name: "countries", Kind: shard.Reference},
		}}},
		Cache: []shard.CacheRule{{Schema: "shop", Table: "users", TTL: "60s"}},
	}
	if !reflect.DeepEqual(spec, want) {
		t.Errorf("cluster:\n%+v\nwant\n%+v", spec, want)
	}
	if c.Redis == nil || c.Node != "px1" {
		t.Errorf("%+v", c)
	}
}

func TestTenFaultsAreTenLines(t *testing.T) {
	c, err := Load("testdata/ten.yaml")
	if err == nil {
		t.Fatalf("accepted: %+v", c)
	}
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		place, _, _ := strings.Cut(strings.TrimPrefix(line, "testdata/ten.yaml:"), ":")
		lines = append(lines, place)
	}
	if got, want := strings.Join(lines, " "), "2 3 4 5 6 10 13 14 17 19"; got != want {
		t.Errorf("faults on the lines %s, want %s:\n%v", got, want, err)
	}
}

func TestMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.yaml")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	c, err := parse("x", []byte(`
redis: {addrs: [r:1], password: "${PASSWORD}"}
cluster:
  admins: [{name: root, password: "${PASSWORD}"}]
  backend: {user: sluice, password: "${PASSWORD}"}
  shards: [{name: s0, primary: h:1}]
`), closed(nil))
	if err != nil {
		t.Fatal(err)
	}
	if c.Redis.Password.Reveal() != secret {
		t.Fatal("the secret is not there")
	}
	var b strings.Builder
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("x", "config", c, "value", *c, "redis", c.Redis, "password", c.Redis.Password)
	}
	fmt.Fprintf(&b, "%v %+v %#v %s %q %v %+v", c, *c, *c, c.Redis.Password, c.Redis.Password, *c.Redis, c.Redis)
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(j)
	if strings.Contains(b.String(), secret) {
		t.Errorf("printed: %s", b.String())
	}
}

func TestAliasesCannotExplode(t *testing.T) {
	var b strings.Builder
	b.WriteString("cluster:\n  users: &a0 [{name: x}]\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&b, "x%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
	}
	b.WriteString("etcd: {endpoints: *a29}\nredis: {addrs: *a29}\n")
	if _, err := parse("x", []byte(b.String()), closed(nil)); err == nil {
		t.Error("accepted")
	}
	// An alias as a value is as good as the value.
	c, err := parse("x", []byte("admin: &a 127.0.0.1:1\nnode: px1\nhttp: 127.0.0.1:2\nlisten: 127.0.0.1:3\nredis: {addrs: [*a]}\n"), closed(nil))
	if err != nil || c.Redis.Addrs[0] != "127.0.0.1:1" {
		t.Errorf("%v, %v", c, err)
	}
}

func TestMany(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "x%d: 1\n", i)
	}
	_, err := parse("x", []byte(b.String()), closed(nil))
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != mostFaults+1 || !strings.HasPrefix(faults[mostFaults].Text, "4800 more") {
		t.Errorf("%d faults, the last one: %v", len(faults), faults[len(faults)-1])
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"testdata/contract.yaml", "testdata/ten.yaml", "testdata/faults"} {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for part := range strings.SplitSeq(string(b), "\n\nparse\n") {
			input, _, _ := strings.Cut(part, "\n----")
			f.Add(input)
		}
	}
	f.Fuzz(func(t *testing.T, input string) {
		c, err := parse("x", []byte(input), closed(nil))
		if err != nil {
			checkLines(t, err, input)
			return
		}
		if spec, err := c.Spec(); err != nil {
			t.Errorf("accepted, but %v", err)
		} else if spec != nil {
			if _, err := shard.New(1, *spec); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestGather: the bounds of what one SELECT brings together.
func TestGather(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.yaml")
	text := "cluster:\n  backend: {user: sluice, password: sluice}\n  shards: [{name: s0, primary: \"10.0.0.1:3306\"}]\n  gather: {max_rows: 5000, max_bytes: 3M}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := c.Spec()
	if err != nil || spec.Gather.Rows() != 5000 || spec.Gather.Bytes() != 3<<20 {
		t.Errorf("%+v, %v", spec.Gather, err)
	}
}
