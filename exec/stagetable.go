package exec

import (
	"encoding/hex"
	"fmt"
	"strings"

	"sluice/router"
	"sluice/wire"
)

// stagedOrder is the column by which a temporary table keeps the order of its rows.
const stagedOrder = "`sluice_n`"

// stagingDefinition turns the text of SHOW CREATE TABLE into that of a temporary table that
// takes and converts rows as the original does, but has none of its keys. The column of ids
// can be NULL there: such a row gets its id later. Each column and key has a line of its
// own, with line breaks in texts escaped.
func stagingDefinition(text, name, auto string) (string, bool) {
	lines := strings.Split(text, "\n")
	end := -1
	for i, l := range lines {
		if strings.HasPrefix(l, ")") {
			end = i
			break
		}
	}
	if end < 2 || !strings.HasPrefix(lines[0], "CREATE ") || !strings.HasSuffix(lines[0], "(") {
		return "", false
	}
	var kept []string
	for _, line := range lines[1:end] {
		line = strings.TrimSuffix(line, ",")
		word := strings.TrimLeft(line, " ")
		column := strings.HasPrefix(word, "`")
		if !column && (!strings.HasPrefix(word, "CONSTRAINT ") || foreignKey.MatchString(word)) {
			continue // keys and PERIOD FOR
		}
		if quoted := quoteName(auto) + " "; auto != "" && strings.HasPrefix(word, quoted) {
			var ok bool
			if line, ok = withoutIDs(word); !ok {
				return "", false
			}
		}
		kept = append(kept, line)
	}
	kept = append(kept, "  "+stagedOrder+" bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY")
	return "CREATE TEMPORARY TABLE " + name + " (\n" + strings.Join(kept, ",\n") + "\n) ENGINE=InnoDB " + tableCharset.FindString(lines[end]), true
}

// withoutIDs takes the generation of ids from a column's definition.
func withoutIDs(line string) (string, bool) {
	for _, words := range []string{" NOT NULL AUTO_INCREMENT", " AUTO_INCREMENT", " NOT NULL"} {
		if i := strings.Index(line, words); i >= 0 {
			rest := line[i+len(words):]
			if strings.HasPrefix(rest, " DEFAULT ") {
				return "", false
			}
			return "  " + line[:i] + " NULL DEFAULT NULL" + rest, true
		}
	}
	return "  " + line, strings.Contains(line, " DEFAULT NULL")
}

// appendAnywhere writes a value of a binary row (not NULL) as a literal that becomes the same
// value in the column that it was read from, whatever the connection's state.
func appendAnywhere(dst, v []byte, col *wire.Column, form router.Form) ([]byte, error) {
	switch form {
	case router.AsInstant:
		var buf [40]byte
		text, err := wire.BinaryToText(buf[:0], v, col)
		if err != nil {
			return dst, err
		}
		if strings.Trim(string(text), "0.") == "" {
			return append(dst, "'0000-00-00 00:00:00'"...), nil
		}
		return append(append(append(dst, "FROM_UNIXTIME("...), text...), ')'), nil
	case router.AsBytes, router.AsJSON:
		s, n, ok := wire.LenencBytes(v)
		if !ok || s == nil || n != len(v) {
			return dst, fmt.Errorf("%w: a string of a binary row", wire.ErrMalformed)
		}
		if form == router.AsJSON {
			dst = append(dst, "_utf8mb4 "...)
		} else {
			dst = append(dst, "_binary "...)
		}
		return append(hex.AppendEncode(append(dst, "x'"...), s), '\''), nil
	}
	return appendLoaded(dst, v, col, form)
}
