package compat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/testkit"
)

// site is a PHP application on one target, with a browser before it. All sites have the
// same name in their pages: the browser's dialer knows where each is.
type site struct {
	t      *testing.T
	on     *target
	host   string
	addr   string // where PHP's web server listens
	client *http.Client
	pages  []page
	log    string            // of the application
	own    *strings.Replacer // what only this site can have in its pages: names of its files and of its database
	nonce  string            // of WordPress's REST interface
}

// page is one answer, normalised.
type page struct {
	what string
	text string
}

// startSite runs PHP's own web server.
func startSite(t *testing.T, on *target, host, root string, env ...string) *site {
	t.Helper()
	addr := fmt.Sprintf("127.0.0.1:%d", testkit.Port(t))
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}, DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	s := &site{t: t, on: on, host: host, addr: addr, client: &http.Client{Jar: jar, Transport: transport, Timeout: 2 * time.Minute}}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	dir := testkit.Dir(t, "php-"+on.name)
	s.log = filepath.Join(dir, "application.log")
	own := []string{s.log, "/LOG", root, "/ROOT", on.schema, "SCHEMA", on.addr(), "DATABASE:PORT", url.QueryEscape(on.addr()), "DATABASE:PORT", addr, "SITE:PORT"}
	for _, e := range env {
		if name, value, _ := strings.Cut(e, "="); filepath.IsAbs(value) {
			own = append(own, value, "/"+name)
		}
	}
	s.own = strings.NewReplacer(own...)
	testkit.Start(t, testkit.Spec{Name: "php", Dir: dir, Argv: []string{"php", "-d", "sendmail_path=/bin/true", "-d", "memory_limit=512M", "-d", "max_execution_time=100",
		"-S", addr, "-t", root}, Env: append(env, "WP_LOG="+s.log, "PHP_CLI_SERVER_WORKERS=2"), Ready: func(ctx context.Context) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			c.Close()
		}
		return err
	}})
	return s
}

// fail ends this site's scenario.
func (s *site) fail(format string, args ...any) {
	s.t.Errorf(s.on.name+": "+format, args...)
	runtime.Goexit()
}

func (s *site) get(path string) string { return s.do(http.MethodGet, path, "", nil) }

func (s *site) post(path string, form url.Values) string {
	return s.do(http.MethodPost, path, "application/x-www-form-urlencoded", []byte(form.Encode()))
}

// do sends a request and keeps what is answered; it follows one redirect after a form.
func (s *site) do(method, path, contentType string, body []byte, header ...string) string {
	req, err := http.NewRequest(method, "http://"+s.host+path, bytes.NewReader(body))
	if err != nil {
		s.fail("%v", err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.fail("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.fail("%s %s: %v", method, path, err)
	}
	text := string(b)
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		text = indented(b)
	}
	location := resp.Header.Get("Location")
	head := fmt.Sprintf("%s\nLocation: %s\nX-WP-Total: %s\n\n", resp.Status, location, resp.Header.Get("X-WP-Total"))
	s.pages = append(s.pages, page{fmt.Sprintf("%03d %s %s %s", len(s.pages), method, path, brief(body)), s.normalise(head + text)})
	if resp.StatusCode/100 != 3 || method != http.MethodPost {
		return text
	}
	if strings.HasPrefix(location, "http://"+s.host) {
		return s.get(strings.TrimPrefix(location, "http://"+s.host))
	}
	if !strings.Contains(location, "://") && !strings.HasPrefix(location, "/") {
		return s.get(path[:strings.LastIndexByte(path, '/')+1] + location)
	}
	return text
}

// anyOrder says of the last page that it lists rows in no order of its own.
func (s *site) anyOrder() {
	last := &s.pages[len(s.pages)-1]
	lines := strings.Split(last.text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	sort.Strings(lines)
	last.text = strings.Join(lines, "\n")
}

func brief(b []byte) string {
	if len(b) > 100 {
		b = b[:100]
	}
	return string(b)
}

func indented(b []byte) string {
	var v any
	if json.Unmarshal(b, &v) != nil {
		return string(b)
	}
	out, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return string(b)
	}
	return string(out)
}

// find takes a value out of a page: the first group of an expression.
func (s *site) find(text, expression string) string {
	m := regexp.MustCompile(expression).FindStringSubmatch(text)
	if m == nil {
		s.fail("%s: no %s in\n%.3000s", s.pages[len(s.pages)-1].what, expression, text)
	}
	return strings.ReplaceAll(m[1], "&amp;", "&")
}

// what differs between two runs of one application on one server: secrets and times.
var noise = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`\\?\$P\\?\$[./0-9A-Za-z]{31}`), "HASH"},
	{regexp.MustCompile(`\b[0-9a-f]{32,64}\b`), "HASH"},
	{regexp.MustCompile(`\b[0-9a-f]{10}\b`), "NONCE"},
	{regexp.MustCompile(`\b1[0-9]{9}(\.[0-9]+)?\b`), "UNIX"},
	{regexp.MustCompile(`20[23][0-9]-[01][0-9]-[0-3][0-9]([ T]|%20|\+)[0-2][0-9](:|%3A)[0-5][0-9]((:|%3A)[0-9]{2})?`), "TIME"},
	{regexp.MustCompile(`[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} 20[0-9]{2} [0-9:]{8}`), "TIME"},
	{regexp.MustCompile(`(?i)\b[0-2]?[0-9]:[0-5][0-9](:[0-5][0-9])?( ?[ap]m\b)?`), "HOUR"},
	{regexp.MustCompile(`\b[0-9]+ (second|min|minute|sec)s? ago`), "AGO"},
	{regexp.MustCompile(`name="(mn|ss|hh|cur_mn|hidden_mn|cur_hh|hidden_hh|cur_ss)" value="[0-9]+"|value="[0-9]+" (size|maxlength)="[24]"`), "FIELD"},
	{regexp.MustCompile(`(expires_at|-0-[0-9]+|wp-emoji-release\.min\.js\?ver=)[^"&]*`), "$1"},
	{regexp.MustCompile(`<div class="(hh|mn|ss)">[0-9]+`), "HOUR"},
	{regexp.MustCompile(`(?m)\tcron\ta:.*`), "\tcron"},
	{regexp.MustCompile(`(AGO|20(2[6-9]|[3-9][0-9])/[01][0-9]/[0-3][0-9])\b( at HOUR)?`), "TODAY"},
	{regexp.MustCompile(`\b[0-9](\.gravatar\.com)`), "$1"},                            // which of its servers
	{regexp.MustCompile(`<option>information_schema.*?</select>`), "DATABASES"},       // Sluice's user sees the schemas of both modes, and no performance_schema
	{regexp.MustCompile(`<td>[0-9]+<td>(<i>NULL</i>|Using [^<]*)`), "<td>ROWS<td>$1"}, // of EXPLAIN
	{regexp.MustCompile(`\(cost=[^)]*\)`), "COST"},                                    // of EXPLAIN, which one shard answers
	{regexp.MustCompile(`nonce="[^"]*"|['"][0-9]+:[0-9]+['"]`), "NONCE"},              // Adminer's
	{regexp.MustCompile(`\b[0-9]\.[0-9]{3} s\b`), "SECONDS"},
	{regexp.MustCompile(`data-pw="[^"]*"`), "data-pw"},
	{regexp.MustCompile(`user_pass=[^&"]*`), "user_pass"},
}

// normalise also writes out character references: WordPress hides addresses of mail behind
// references that it chooses at random.
func (s *site) normalise(text string) string {
	text = s.own.Replace(html.UnescapeString(text))
	for _, n := range noise {
		text = n.re.ReplaceAllString(text, n.with)
	}
	return text
}

// eachSite runs a scenario on all sites at once.
func eachSite(sites []*site, scenario func(*site)) {
	var wg sync.WaitGroup
	for _, s := range sites {
		wg.Add(1)
		go func() {
			defer wg.Done()
			scenario(s)
		}()
	}
	wg.Wait()
}

// comparePages holds every page of a site against the plain one's; it gives how many are the same.
func comparePages(t *testing.T, want, got *site) (same, all int) {
	t.Helper()
	dir := os.Getenv("SLUICE_COMPAT_PAGES") // pages that differ go there
	for i := range want.pages {
		if i >= len(got.pages) {
			t.Errorf("%s: ended before %s", got.on.name, want.pages[i].what)
			return same, len(want.pages)
		}
		if got.pages[i].text == want.pages[i].text {
			same++
			continue
		}
		t.Errorf("%s: %s differs:\n%s", got.on.name, want.pages[i].what, diff(t, want.pages[i].text, got.pages[i].text))
		if dir != "" {
			for _, s := range []*site{want, got} {
				if err := os.WriteFile(fmt.Sprintf("%s/%s-%03d.html", dir, s.on.name, i), []byte(s.pages[i].text), 0o600); err != nil {
					t.Error(err)
				}
			}
		}
	}
	return same, len(want.pages)
}

// diff gives the first lines in which two texts differ.
func diff(t *testing.T, want, got string) string {
	t.Helper()
	if want == got {
		return ""
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"plain": want, "sluice": got} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("diff", "-U1", "plain", "sluice")
	cmd.Dir = dir
	out, _ := cmd.CombinedOutput() // an exit code says that they differ
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	lines = lines[min(2, len(lines)):]
	var b strings.Builder
	for i := 0; i < len(lines) && i < 60; {
		if !strings.HasPrefix(lines[i], "-") {
			fmt.Fprintf(&b, "%.200s\n", lines[i])
			i++
			continue
		}
		n := 0 // lines of either side that stand for each other
		for i+n < len(lines) && lines[i+n][:1] == "-" {
			n++
		}
		for j := range n {
			w := lines[i+j][1:]
			if i+n+j >= len(lines) || !strings.HasPrefix(lines[i+n+j], "+") {
				fmt.Fprintf(&b, "-%.400s\n", w)
				continue
			}
			g := lines[i+n+j][1:]
			at := 0
			for at < len(w) && at < len(g) && w[at] == g[at] {
				at++
			}
			at = max(0, at-60)
			fmt.Fprintf(&b, "-…%.300s\n+…%.300s\n", w[at:], g[at:])
			lines[i+n+j] = " (above)"
		}
		i += n
	}
	return b.String()
}
