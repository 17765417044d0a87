package query

import (
	"strings"
	"testing"
)

func TestParseHints(t *testing.T) {
	for _, c := range []struct {
		text string
		want Hints
	}{
		{"", Hints{}},
		{"  \n", Hints{}},
		{" shard=s0", Hints{Shard: "s0"}},
		{"shard=s0,primary", Hints{Shard: "s0", Primary: true}},
		{" key=42 , replica nocache ", Hints{Key: "42", HasKey: true, Replica: true, NoCache: true}},
		{"key='a b'", Hints{Key: "a b", HasKey: true}},
		{`key="it's, ""so"""`, Hints{Key: `it's, "so"`, HasKey: true}},
		{"key='it''s'scatter=deny", Hints{Key: "it's", HasKey: true, DenyScatter: true}},
		{"key=''", Hints{HasKey: true}},
		{"key=-1", Hints{Key: "-1", HasKey: true}},
		{"cache=30s", Hints{Cache: "30s"}},
		{"cache='1m30s',scatter=deny", Hints{Cache: "1m30s", DenyScatter: true}},
	} {
		got, err := ParseHints([]byte(c.text))
		if err != nil || got != c.want {
			t.Errorf("%q: %+v, %v", c.text, got, err)
		}
	}
}

func TestParseHintsErrors(t *testing.T) {
	const list = "hints are shard=NAME, key=VALUE, primary, replica, cache=DURATION, nocache, scatter=deny"
	for text, want := range map[string]string{
		"shrad=s0":         `unknown hint "shrad"; ` + list,
		"PRIMARY":          `unknown hint "PRIMARY"; ` + list,
		"=5":               `unknown hint ""; ` + list,
		"shard":            "hint shard needs a value; " + list,
		"shard=":           `hint "shard": a value must follow the =`,
		"shard=''":         "hint shard names no shard",
		"key= 5":           `hint "key": a value must follow the =`,
		"key='a":           `hint "key": the quote of its value is not closed`,
		"primary=1":        "hint primary has no value; " + list,
		"nocache=":         `hint "nocache": a value must follow the =`,
		"cache=30":         `hint cache="30" is not a duration such as 30s, 5m or 250ms`,
		"cache=-1s":        `hint cache="-1s" is not a duration such as 30s, 5m or 250ms`,
		"scatter=allow":    `hint scatter="allow" is unknown; the only one is scatter=deny`,
		"primary replica":  "hint replica is given twice or contradicts another one",
		"shard=s0 key=1":   "hint key is given twice or contradicts another one",
		"key=1 key=1":      "hint key is given twice or contradicts another one",
		"cache=1s nocache": "hint nocache is given twice or contradicts another one",
		"shard=s0;primary": "",
		"a\x00b":           `unknown hint "a\x00b"; ` + list,
	} {
		got, err := ParseHints([]byte(text))
		switch {
		case want == "":
			if err != nil || got.Shard != "s0;primary" {
				t.Errorf("%q: %+v, %v", text, got, err)
			}
		case err == nil || err.Error() != want:
			t.Errorf("%q: %v", text, err)
		case got != Hints{}:
			t.Errorf("%q: hints along with the error", text)
		}
	}
	if _, err := ParseHints([]byte(strings.Repeat("x", 1<<20))); err == nil || len(err.Error()) > 300 {
		t.Error("an error repeats all of a long hint")
	}
}
