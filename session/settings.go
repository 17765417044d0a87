package session

import (
	"slices"
	"sort"
	"strings"
	"sync"

	"sluice/backend"
	"sluice/query"
)

// settings is a session's variables as far as the client has changed them: variable →
// value as a SQL literal. It is immutable; with makes a changed copy.
type settings struct {
	values  map[string]string
	backend *backend.Settings // nil: a fresh connection's state

	// What each statement asks for.
	manual   bool   // autocommit is off
	charset  string // character_set_client
	lockWait string // innodb_lock_wait_timeout
}

// noSettings is what a client has that changed nothing.
var noSettings = settingsOf(nil, &backend.Settings{})

func settingsOf(values map[string]string, b *backend.Settings) *settings {
	s := &settings{values: values, backend: b}
	auto := values["autocommit"]
	s.manual = auto != "" && auto != "1"
	s.charset, s.lockWait = s.plain("character_set_client"), s.plain("innodb_lock_wait_timeout")
	return s
}

// with gives the settings after variables were set. An empty value takes a variable out.
func (s *settings) with(changes map[string]string, intern *interner) *settings {
	values := make(map[string]string, len(s.values)+len(changes))
	for k, v := range s.values {
		values[k] = v
	}
	for k, v := range changes {
		values[k] = v
		if v == "" {
			delete(values, k)
		}
	}
	return intern.settings(values)
}

// text gives one SET statement for all values, in an order that the servers accept: the
// character set before the collation, which depends on it.
func (s *settings) text() string {
	if len(s.values) == 0 {
		return ""
	}
	names := make([]string, 0, len(s.values))
	for name := range s.values {
		if name == resultsCollation || name == "character_set_results" && s.values[resultsCollation] != "" {
			continue
		}
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		ci, cj := strings.HasPrefix(names[i], "collation"), strings.HasPrefix(names[j], "collation")
		if ci != cj {
			return cj
		}
		return names[i] < names[j]
	})
	var b strings.Builder
	b.WriteString("SET ")
	if s.values[resultsCollation] != "" {
		b.WriteString(s.names() + ", ")
	}
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("SESSION " + name + "=" + s.values[name])
	}
	return b.String()
}

func (s *settings) names() string {
	return "NAMES " + s.values["character_set_results"] + " COLLATE " + s.values[resultsCollation]
}

// charsets gives the assignments of SET that bring back what SET character_set_results has changed.
func (s *settings) charsets() string {
	if s.values[resultsCollation] == "" {
		return "SESSION character_set_results=" + s.values["character_set_results"]
	}
	return s.names() + ", SESSION character_set_client=" + s.values["character_set_client"] + ", SESSION collation_connection=" + s.values["collation_connection"]
}

// resultsCollation is the collation by which text columns of results are described, where it is
// not the default one of character_set_results. No variable shows it: a client's login and SET NAMES
// … COLLATE set it, and all that sets character_set_results alone takes it back.
const resultsCollation = "names"

// schemaCollation is the variable that a change of the schema sets, too.
const schemaCollation = "collation_database"

// plain gives a variable's value without quotes, "" when the client has not set it.
func (s *settings) plain(name string) string {
	return strings.Trim(s.values[name], "'")
}

// hasMode tells whether sql_mode has a word.
func (s *settings) hasMode(word string) bool {
	return slices.Contains(strings.Split(s.plain("sql_mode"), ","), word)
}

// interner makes equal settings one value, so that pools compare pointers. It holds a
// bounded number; what does not fit is simply not shared.
type interner struct {
	mu    sync.Mutex
	known map[string]*settings
}

const maxInterned = 4096

func newInterner() *interner { return &interner{known: map[string]*settings{}} }

func (in *interner) settings(values map[string]string) *settings {
	s := settingsOf(values, nil)
	text := s.text()
	if text == "" {
		return noSettings
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if old := in.known[text]; old != nil {
		return old
	}
	_, after := values[schemaCollation]
	s.backend = &backend.Settings{Key: text, Set: text, AfterUse: after}
	if len(in.known) < maxInterned {
		in.known[text] = s
	}
	return s
}

// modeOf gives what the scanner must know of a session.
func modeOf(s *settings, base query.Mode) query.Mode {
	m := base.With(s.plain("sql_mode"))
	m.Charset, _ = query.CharsetOf(strings.ToLower(s.plain("character_set_client"))) // checked when it was set
	return m
}
