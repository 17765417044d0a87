package query

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// Hints are what the comment that begins a statement asks for.
type Hints struct {
	Shard       string // shard=s0: run there
	Key         string // key=42 or key='a b': where this shard key is
	HasKey      bool   // Key is given; it may be ''
	Primary     bool   // read from a primary
	Replica     bool   // read from a replica
	Cache       string // cache=30s: keep the result that long; a duration of Go above 0
	NoCache     bool   // neither take a stored result nor store one
	DenyScatter bool   // scatter=deny: refuse rather than ask several shards
}

const hintList = "shard=NAME, key=VALUE, primary, replica, cache=DURATION, nocache, scatter=deny"

// ParseHints reads the text of Scan.Hint: hints with blanks or commas between them. A value
// may be in quotes of either kind, doubled to stand for themselves. An empty text is no hints.
func ParseHints(text []byte) (Hints, error) {
	var h Hints
	for {
		text = bytes.TrimLeft(text, " \t\r\n,")
		if len(text) == 0 {
			return h, nil
		}
		end := bytes.IndexAny(text, " \t\r\n,=")
		if end < 0 {
			end = len(text)
		}
		name := string(text[:end])
		text = text[end:]
		var value string
		hasValue := len(text) > 0 && text[0] == '='
		if hasValue {
			var err error
			if value, text, err = hintValue(text[1:]); err != nil {
				return Hints{}, fmt.Errorf("hint %s: %w", clip(name), err)
			}
		}
		if err := h.set(name, value, hasValue); err != nil {
			return Hints{}, err
		}
	}
}

// hintValue reads a value, quoted or up to the next blank or comma.
func hintValue(text []byte) (value string, rest []byte, err error) {
	if len(text) == 0 || text[0] != '\'' && text[0] != '"' {
		end := bytes.IndexAny(text, " \t\r\n,")
		if end < 0 {
			end = len(text)
		}
		if end == 0 {
			return "", nil, errors.New("a value must follow the =")
		}
		return string(text[:end]), text[end:], nil
	}
	quote := text[0]
	var b []byte
	for i := 1; i < len(text); i++ {
		if text[i] == quote {
			if i+1 == len(text) || text[i+1] != quote {
				return string(b), text[i+1:], nil
			}
			i++
		}
		b = append(b, text[i])
	}
	return "", nil, errors.New("the quote of its value is not closed")
}

func (h *Hints) set(name, value string, hasValue bool) error {
	given := false
	switch name {
	case "shard":
		given, h.Shard = h.Shard != "" || h.HasKey, value
	case "key":
		given, h.Key, h.HasKey = h.HasKey || h.Shard != "", value, true
	case "primary":
		given, h.Primary = h.Primary || h.Replica, true
	case "replica":
		given, h.Replica = h.Replica || h.Primary, true
	case "cache":
		given, h.Cache = h.Cache != "" || h.NoCache, value
	case "nocache":
		given, h.NoCache = h.NoCache || h.Cache != "", true
	case "scatter":
		given, h.DenyScatter = h.DenyScatter, true
	default:
		return fmt.Errorf("unknown hint %s; hints are %s", clip(name), hintList)
	}
	if given {
		return fmt.Errorf("hint %s is given twice or contradicts another one", name)
	}
	return checkHint(name, value, hasValue)
}

func checkHint(name, value string, hasValue bool) error {
	switch name {
	case "shard", "key", "cache", "scatter":
		if !hasValue {
			return fmt.Errorf("hint %s needs a value; hints are %s", name, hintList)
		}
	default:
		if hasValue {
			return fmt.Errorf("hint %s has no value; hints are %s", name, hintList)
		}
	}
	switch name {
	case "shard":
		if value == "" {
			return errors.New("hint shard names no shard")
		}
	case "cache":
		if d, err := time.ParseDuration(value); err != nil || d <= 0 {
			return fmt.Errorf("hint cache=%s is not a duration such as 30s, 5m or 250ms", clip(value))
		}
	case "scatter":
		if value != "deny" {
			return fmt.Errorf("hint scatter=%s is unknown; the only one is scatter=deny", clip(value))
		}
	}
	return nil
}

// clip bounds what a message repeats of the client's text.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most] + "…"
	}
	return fmt.Sprintf("%q", s)
}
