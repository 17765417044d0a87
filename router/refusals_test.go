package router

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// unplanned are refusals that no statement of testdata gives: they need a change of the
// cluster at the same moment, or answers of servers that contradict the catalog.
var unplanned = []string{
	"table %s.%s was given another rule at this moment",
	"schema %s was removed",
	"a shard described the statement's result with %d columns",
	"the statement could not be described",
	"the statement could not be split",
	"the id could not be written into the statement",
	"the statement is not written like the one",
	"%s has no column %s, which its rule names as the sequence",
	"a part of the statement that must change",
	"CREATE TABLE without a name",
	"the statement could not be changed",
	"%s has no visible column %s, which its rule names as the sequence",
	"%s has no column that a value can be given to",
	"%s without a table",
	"an UPDATE of the shard key %s moves rows",
	"the new value of the shard key",
}

var refusalText = regexp.MustCompile(`(?:unsupported\(|notOverShards\(|refuse\(\w+, (?:"\w+"|\w+), |deniedPrivilege\()"((?:[^"\\]|\\.)*)"`)

// TestRefusalsListed holds every refusal of the source against testdata: each must be shown
// by a statement that gets it.
func TestRefusalsListed(t *testing.T) {
	shown := ""
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		shown += string(b)
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range sources {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range refusalText.FindAllStringSubmatch(string(b), -1) {
			n++
			if !isUnplanned(m[1]) && !isShown(m[1], shown) {
				t.Errorf("%s: no statement of testdata is refused with %q", f, m[1])
			}
		}
	}
	if n < 80 {
		t.Errorf("only %d refusals were found in the source", n)
	}
}

func isUnplanned(text string) bool {
	for _, u := range unplanned {
		if strings.HasPrefix(text, u) {
			return true
		}
	}
	return false
}

// isShown looks for the longest part of a format between its verbs.
func isShown(format, shown string) bool {
	longest := ""
	for _, part := range regexp.MustCompile(`%[a-z]`).Split(format, -1) {
		if len(part) > len(longest) {
			longest = part
		}
	}
	return strings.Contains(shown, longest)
}

// TestRefusalsSpeak: every refusal has a number and state that drivers know, and Sluice's own
// say so.
func TestRefusalsSpeak(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	line := regexp.MustCompile(`(?m)^    (\d{4}) \((\w+)\) (.*)$`)
	own := map[string]bool{"1044": true, "1046": true, "1049": true, "1136": true, "1142": true, "1370": true} // MySQL's words
	states := map[string]string{"1235": "42000", "1105": "HY000", "1227": "42000", "1044": "42000", "1046": "3D000", "1048": "23000", "1049": "42000",
		"1136": "21S01", "1142": "42000", "1146": "42S02", "1210": "HY000", "1264": "22003", "1364": "HY000", "1370": "42000", "1406": "22001"}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range line.FindAllStringSubmatch(string(b), -1) {
			if states[m[1]] != m[2] {
				t.Errorf("%s: %s has the state %s", f, m[0], m[2])
			}
			if !strings.HasPrefix(m[3], "sluice: ") && !own[m[1]] && !strings.HasPrefix(m[3], "Access denied; you need (at least one of) the ") {
				t.Errorf("%s: %s does not begin with sluice:", f, m[0])
			}
		}
	}
}
