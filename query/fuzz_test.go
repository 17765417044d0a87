package query

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzScan: whatever the text, Run gives an error or a Scan that holds together; its literals
// have values, and the values make literals again.
func FuzzScan(f *testing.F) {
	files, err := filepath.Glob("testdata/scan/*")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, block := range strings.Split(string(b), "\n\n") {
			_, sql, _ := strings.Cut(block, "\n")
			sql, _, _ = strings.Cut(sql, "----")
			f.Add([]byte(sql), byte(len(sql)))
		}
	}
	var s Scan // one for all: it is to be reused
	f.Fuzz(func(t *testing.T, sql []byte, modeByte byte) {
		mode := testModes[int(modeByte)%len(testModes)]
		checkText(t, &s, sql, mode)
	})
}

func checkText(t *testing.T, s *Scan, sql []byte, mode Mode) {
	before := bytes.Clone(sql)
	err := s.Run(sql, mode)
	if !bytes.Equal(before, sql) {
		t.Fatal("the text was changed")
	}
	if err != nil {
		return
	}
	if err := checkScan(sql, s, mode); err != nil {
		t.Fatalf("%+v: %q: %v\n%q %+v", mode, sql, err, s.Fingerprint, s)
	}
	for _, lit := range s.Literals {
		if lit.Kind == String {
			checkQuoting(t, Unquote(nil, sql, lit, mode), mode)
		}
	}
	if _, err := ParseHints(s.Hint.Of(sql)); err != nil && len(err.Error()) > 500 {
		t.Fatalf("error of %d bytes", len(err.Error()))
	}
	if int(s.End) > 0 {
		var again Scan
		if err := again.Run(sql[:s.End], mode); err != nil || !bytes.Equal(again.Fingerprint, s.Fingerprint) {
			t.Fatalf("%q: the first statement alone is %q, not %q: %v", sql, again.Fingerprint, s.Fingerprint, err)
		}
	}
}

// checkQuoting: a value, quoted, is one literal with that value. (Values that are not sound
// in the character set may lose this; see TestQuoteString.)
func checkQuoting(t *testing.T, value []byte, mode Mode) {
	text := QuoteString([]byte("SELECT "), string(value), mode)
	var s Scan
	if err := s.Run(text, mode); err != nil || string(s.Fingerprint) != "SELECT ?s" {
		t.Fatalf("%+v: %q quoted is %q: %q, %v", mode, value, text, s.Fingerprint, err)
	}
	if got := Unquote(nil, text, s.Literals[0], mode); !bytes.Equal(got, value) {
		t.Fatalf("%+v: %q quoted is %q, whose value is %q", mode, value, text, got)
	}
}

// TestScanSoup is the fuzz target on statements thrown together.
func TestScanSoup(t *testing.T) {
	var s Scan
	for i, mode := range testModes {
		r := rand.New(rand.NewPCG(3, uint64(i)))
		for range 5_000 {
			checkText(t, &s, randomSoup(r, 30), mode)
		}
	}
}
