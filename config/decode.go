package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// world is what a configuration may refer to besides itself.
type world struct {
	env  func(string) (string, bool)
	read func(string) ([]byte, error)
}

// decoder walks the tree of a YAML file and collects faults on its way.
type decoder struct {
	file   string
	world  world
	faults Faults
	more   int            // faults beyond those
	lines  map[string]int // of every path that is there
	visits int            // of nodes; aliases may make a small file a huge tree
}

const (
	maxFile   = 4 << 20
	maxSecret = 64 << 10
	maxVisits = 1 << 20
)

func (d *decoder) fault(n *yaml.Node, path, format string, args ...any) {
	if len(d.faults) >= 2*mostFaults {
		d.more++
		return
	}
	d.faults = append(d.faults, Fault{File: d.file, Line: max(n.Line, 1), Text: fmt.Sprintf(format, args...), path: path})
}

// faulty tells whether there is a fault at path already.
func (d *decoder) faulty(path string) bool {
	for _, f := range d.faults {
		if f.path == path {
			return true
		}
	}
	return false
}

// faultyIn tells whether there is a fault at path or below.
func (d *decoder) faultyIn(path string) bool {
	for _, f := range d.faults {
		if f.path == path || strings.HasPrefix(f.path, path+".") || strings.HasPrefix(f.path, path+"[") {
			return true
		}
	}
	return false
}

// tree reads the YAML itself. It gives nil for an empty file.
func (d *decoder) tree(data []byte) *yaml.Node {
	top := &yaml.Node{Line: 1}
	if len(data) > maxFile {
		d.fault(top, "", "the file has %d bytes; write at most %d", len(data), maxFile)
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			d.syntax(err)
		}
		return nil
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		d.fault(&second, "", "a second document begins here; write one configuration in one file")
	} else if !errors.Is(err, io.EOF) {
		d.syntax(err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}

var yamlError = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)

// syntax reports what is no YAML at all; the parser stops at the first such place.
func (d *decoder) syntax(err error) {
	n, text := &yaml.Node{Line: 1}, err.Error()
	if m := yamlError.FindStringSubmatch(text); m != nil {
		text = m[2]
		if line, err := strconv.Atoi(m[1]); err == nil {
			n.Line = line
		}
	}
	d.fault(n, "", "this is no YAML: %s; check the indentation, colons, quotes and brackets here and on the line before", strings.ReplaceAll(text, "\n", " "))
}

// enter follows aliases and notes where a path is.
func (d *decoder) enter(n *yaml.Node, path string) *yaml.Node {
	d.visits++
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if _, ok := d.lines[path]; !ok {
		d.lines[path] = n.Line
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// kindName says what stands in the file instead of what was expected; never the value.
func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if isNull(n) {
		return "nothing"
	}
	if n.Tag == "!!binary" {
		return "binary data"
	}
	return "a single value"
}

// field is a key of a mapping and what reads its value.
type field struct {
	key  string
	read func(n *yaml.Node, path string)
}

// fields reads a mapping with known keys.
func (d *decoder) fields(n *yaml.Node, path, what string, list ...field) {
	d.pairs(n, path, what, func(key, value *yaml.Node) {
		known := make([]string, len(list))
		for i, f := range list {
			if f.key == key.Value {
				f.read(value, join(path, f.key))
				return
			}
			known[i] = f.key
		}
		if path == "" && slices.Contains(clusterKeys(), key.Value) {
			d.fault(key, key.Value, "unknown key %q in %s; write it under cluster", key.Value, what)
		} else if near, ok := nearest(key.Value, known); ok {
			d.fault(key, join(path, key.Value), "unknown key %q in %s; write %s", key.Value, what, near)
		} else {
			d.fault(key, join(path, key.Value), "unknown key %q in %s; the keys here are %s", key.Value, what, strings.Join(known, ", "))
		}
	})
}

// pairs reads a mapping with any keys, each once.
func (d *decoder) pairs(n *yaml.Node, path, what string, each func(key, value *yaml.Node)) {
	n = d.enter(n, path)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fault(n, path, "%s is %s; write a mapping of key: value", what, kindName(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if d.visits > maxVisits {
			if !d.faulty("visits") {
				d.fault(n, "visits", "the aliases of this file make it too large; write its values out")
			}
			return
		}
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			d.fault(key, path, "a key in %s is %s; write a word", what, kindName(key))
			continue
		}
		if line, twice := seen[key.Value]; twice {
			d.fault(key, join(path, key.Value), "the key %q is there twice in %s, first on line %d; leave one of them out", key.Value, what, line)
			continue
		}
		seen[key.Value] = key.Line
		if p := join(path, key.Value); d.lines[p] == 0 {
			d.lines[p] = key.Line
		}
		each(key, value)
	}
}

// list reads a sequence.
func (d *decoder) list(n *yaml.Node, path, what string, each func(n *yaml.Node, path string)) {
	n = d.enter(n, path)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.fault(n, path, "%s is %s; write a list, such as [a, b]", what, kindName(n))
		return
	}
	for i, item := range n.Content {
		if d.visits > maxVisits {
			return // pairs has said so, or will
		}
		each(item, fmt.Sprintf("%s[%d]", path, i))
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

var envName = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// text reads a single value, from the environment or another file if it says so.
func (d *decoder) text(n *yaml.Node, path string) (string, bool) {
	n = d.enter(n, path)
	if n.Kind != yaml.ScalarNode || isNull(n) || n.Tag == "!!binary" {
		d.fault(n, path, "%s is %s; write a single value, or leave the key out", path, kindName(n))
		return "", false
	}
	value, isFile := strings.CutPrefix(n.Value, "file:")
	switch m := envName.FindStringSubmatch(n.Value); {
	case m != nil:
		v, ok := d.world.env(m[1])
		if !ok || v == "" {
			d.fault(n, path, "%s needs the environment variable %s, which is not set; set it, or write the value here", path, m[1])
			return "", false
		}
		return v, true
	case strings.HasPrefix(n.Value, "${"):
		d.fault(n, path, "%s begins with ${ but names no environment variable; write ${NAME} and nothing else", path)
		return "", false
	case isFile:
		return d.content(n, path, value)
	}
	return n.Value, true
}

func (d *decoder) content(n *yaml.Node, path, name string) (string, bool) {
	b, err := d.world.read(name)
	if err != nil {
		d.fault(n, path, "%s needs the file %q, which cannot be read (%v); create it, or write the value here", path, clip(name), cause(err))
		return "", false
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if value == "" || len(value) > maxSecret {
		d.fault(n, path, "%s needs the file %q, which has %d bytes; write the value into it, at most %d", path, name, len(value), maxSecret)
		return "", false
	}
	return value, true
}

// The following make readers of values for fields.

func (d *decoder) str(to *string) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		if v, ok := d.text(n, path); ok {
			*to = v
		}
	}
}

// checked is str with a check of the value.
func (d *decoder) checked(to *string, check func(string) error) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		v, ok := d.text(n, path)
		if !ok {
			return
		}
		if err := check(v); err != nil {
			d.fault(d.enter(n, path), path, "%s: %v", path, err)
			return
		}
		*to = v
	}
}

func (d *decoder) strs(to *[]string, check func(string) error) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		*to = nil
		d.list(n, path, path, func(n *yaml.Node, path string) {
			v := ""
			d.checked(&v, check)(n, path)
			*to = append(*to, v) // also a faulty one: the others keep their places
		})
	}
}

func (d *decoder) boolean(to *bool) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		v, ok := d.text(n, path)
		switch {
		case !ok:
		case v == "true" || v == "false":
			*to = v == "true"
		default:
			d.fault(d.enter(n, path), path, "%s is %q; write true or false", path, clip(v))
		}
	}
}

func (d *decoder) duration(to *time.Duration, least, most time.Duration) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		v, ok := d.text(n, path)
		if !ok {
			return
		}
		t, err := time.ParseDuration(v)
		if err != nil {
			d.fault(d.enter(n, path), path, "%s is %q, which is no duration; write a number with its unit, such as 10s, 500ms or 2m", path, clip(v))
		} else if t < least || t > most {
			d.fault(d.enter(n, path), path, "%s is %v; write %v to %v", path, t, least, most)
		} else {
			*to = t
		}
	}
}

// number reads a whole number; in units of bytes it may end with K, M or G.
func (d *decoder) number(to *int, least, most int64, bytes bool) func(*yaml.Node, string) {
	return func(n *yaml.Node, path string) {
		v, ok := d.text(n, path)
		if !ok {
			return
		}
		digits, factor := v, int64(1)
		if i := len(v) - 1; bytes && i > 0 && strings.IndexByte("KMG", v[i]) >= 0 {
			digits, factor = v[:i], int64(1)<<(10*(1+strings.IndexByte("KMG", v[i])))
		}
		x, err := strconv.ParseInt(digits, 10, 64)
		switch {
		case err != nil:
			d.fault(d.enter(n, path), path, "%s is %q, which is no whole number; write %d to %d", path, clip(v), least, most)
		case x < least/factor || x > most/factor || x*factor < least:
			d.fault(d.enter(n, path), path, "%s is %s; write %d to %d", path, clip(v), least, most)
		default:
			*to = int(x * factor)
		}
	}
}

// cause is the reason alone of an error of a file, without its name.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
