package compat

import (
	"context"
	"fmt"
	"html"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// TestChromium uses Adminer in a browser, whose scripts run: the page as it is in the end must
// be the same on all targets.
func TestChromium(t *testing.T) {
	onlyFull(t)
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, flavor, options{rules: toolRules})
			root := apps(t, "usr", "share", "adminer")
			var sites []*site
			for _, on := range w.targets() {
				tool{argv: "mariadb" + login + "SCHEMA", in: "source testdata/tools/shop.sql"}.run(t, on, t.TempDir())
				s := startSite(t, on, "adminer.example", root)
				for _, path := range []string{"&select=members&order%5B0%5D=id", "&select=posts&columns%5B0%5D%5Bfun%5D=count&columns%5B0%5D%5Bcol%5D=", "&table=members", "&edit=members&where%5Bid%5D=2", "&sql="} {
					s.browse(path)
				}
				sites = append(sites, s)
			}
			for _, s := range sites[1:] {
				same, all := comparePages(t, sites[0], s)
				matrix.record(result{Client: "Adminer 4.8.1 in Chromium", Server: serverName(flavor), Mode: s.on.name, What: "pages after their scripts", Passed: same, Of: all})
			}
		})
	}
}

// browse logs in with a form that sends itself, which leads to the page.
func (s *site) browse(path string) {
	s.t.Helper()
	dir := testkit.Dir(s.t, "chromium")
	action := "http://" + s.addr + "/adminer/index.php?" + url.Values{"server": {s.on.addr()}, "username": {"app"}, "db": {s.on.schema}}.Encode() + path
	var fields strings.Builder
	for name, value := range map[string]string{"driver": "server", "server": s.on.addr(), "username": "app", "password": "app", "db": s.on.schema} {
		fmt.Fprintf(&fields, "<input name='auth[%s]' value='%s'>", name, html.EscapeString(value))
	}
	form := filepath.Join(dir, "login.html")
	if err := os.WriteFile(form, []byte("<form method='post' action='"+html.EscapeString(action)+"'>"+fields.String()+"</form><script>document.forms[0].submit()</script>"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--user-data-dir="+filepath.Join(dir, "profile"),
		"--virtual-time-budget=10000", "--dump-dom", "file://"+form)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%s: chromium %s: %v", s.on.name, path, err)
	}
	text := string(out)
	if !strings.Contains(text, "id=\"content\"") || !strings.Contains(text, " js") || strings.Contains(text, "auth[password]") {
		s.t.Errorf("%s: %s is not Adminer's page after its scripts:\n%.3000s", s.on.name, path, text)
	}
	s.pages = append(s.pages, page{path, s.normalise(text)})
}
