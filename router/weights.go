package router

import (
	"strconv"

	"sluice/shard"
)

// Strings are merged by the weights that servers give them (WEIGHT_STRING). How many weights a
// string has is the collation's affair: in the Unicode ones, and latin1_german2_ci, ß has two
// and in Czech "ch" one, and no two servers pad them alike: AS CHAR(n) makes them n on
// MariaDB, so that ßßßß in a CHAR(4) would be ssss, and pads by what is missing of n
// characters on MySQL, so that straße would get one more than strasse. So they are asked for
// as they are, and compared as if weights of a space followed. All others have one weight for
// each character, and are asked for at the full length.

const (
	// maxWeight bounds, in characters, the strings that rows are merged by: each row carries a
	// weight of some 2 to 6 bytes for each character that the column has, or could have.
	maxWeight = 4096
	// maxGroupWeight bounds them where equal rows must come together: servers order by the
	// first max_sort_length (1024) bytes of the weights only, 4 for a character.
	maxGroupWeight = 255
	// sortCut is a length, in bytes of weights, that every server looks at when it sorts.
	// MariaDB's max_sort_length counts the weights of some collations, of others the string
	// itself, which has up to 4 bytes for 2 of weights, and takes the length of binary ones off.
	sortCut = 512
	// They are certain to look at this much of weights of which a character may have many,
	sortCutMany = 1024
	// and MariaDB of a binary string.
	sortCutBinary = 1000
)

// weighing is how the strings of a collation are compared.
type weighing struct {
	by     Compare
	padded bool // its weights are asked for at the full length
	longer bool // a character may have many
	cut    bool // servers sort by the beginning of long ones
	other  bool // what servers give of a string does not tell how they compare it: its weights are of several levels, or equal where the strings are not
}

func weighingOf(id uint16) weighing {
	w := weighing{by: ByBytes, padded: true, cut: true}
	plain := id
	noPad := id >= noPadOffset && id < 2*noPadOffset
	if noPad {
		plain -= noPadOffset
	}
	switch {
	case plain == 2, plain == 18, plain == 34, plain == 248, plain == 578, plain == 610, plain == 642, plain == 674, plain == 738: // latin2_czech_cs, tis620_thai_ci, cp1250_czech_cs, gb18030_chinese_ci, thai_520_w2
		w.other = true
	case id >= 255 && id <= 323: // MySQL's 0900, which do not pad
		w.cut = false
	case id == 31: // latin1_german2_ci
		w.by, w.padded, w.longer = ByWeights20, false, true
	case plain == 123, plain == 150, plain == 182, plain == 214, plain == 246, plain == 250, plain == 577, plain == 609, plain == 641, plain == 673, plain == 737: // unicode_520_ci, myanmar_ci
		w.by, w.padded, w.longer = ByWeights020A, false, true
	case plain >= 101 && plain <= 124, plain >= 128 && plain <= 151, plain >= 160 && plain <= 183, plain >= 192 && plain <= 215, plain >= 224 && plain <= 247,
		plain == 576, plain == 608, plain == 640, plain == 672, plain == 736: // unicode_ci and its languages
		w.by, w.padded, w.longer = ByWeights0209, false, true
	case id >= 2048 && id <= 3327: // MariaDB's uca1400: 1 for case and 2 for accents are further levels, 4 is NO PAD
		w.by, w.padded, w.longer = ByWeights0209, false, true
		w.other, noPad = id&3 != 0, id&4 != 0
	}
	if noPad && w.longer {
		w.by = ByBytes
	}
	return w
}

// sortCutOf gives SortKey.Cut of a column.
func sortCutOf(c *shard.Column, mariaDB bool) int {
	switch {
	case !isText(c.Type) || c.Flags&(flagEnum|flagSet) != 0:
		return 0
	case c.Collation == collationBinary:
		if mariaDB && c.Length > sortCutBinary {
			return sortCutBinary
		}
		return 0
	}
	const mostOfOne = 36 // bytes of weights that a character may have
	w, n := weighingOf(c.Collation), characters(c)
	switch {
	case w.longer && n > sortCutMany/mostOfOne:
		return sortCutMany
	case w.cut && !w.longer && n > maxGroupWeight:
		return sortCut
	}
	return 0
}

// isText tells strings, of bytes too, by their type.
func isText(t byte) bool {
	switch t {
	case typeVarchar, typeVarString, typeString, typeTinyBlob, typeTinyBlob + 1, typeTinyBlob + 2, typeBlob:
		return true
	}
	return false
}

func characters(c *shard.Column) uint32 { return max(1, c.Length/bytesPerCharacter(c.Collation)) }

func tooLong(n uint32, expr string) *Refusal {
	return notOverShards("ORDER BY, GROUP BY, DISTINCT, MIN or MAX of a string of up to "+strconv.FormatUint(uint64(n), 10)+" characters",
		"use its beginning: LEFT("+expr+", 255)")
}

// stringComparison compares as the database does: by the weights of the collation.
func stringComparison(c *shard.Column, expr string) (wrap string, by Compare, refusal *Refusal) {
	switch {
	case c.Flags&(flagEnum|flagSet) != 0:
		return "(" + expr + ")+0", ByFloat, nil // by their numbers
	case c.Collation == collationBinary:
		return "", ByBytes, nil
	}
	n, w := characters(c), weighingOf(c.Collation)
	switch {
	case w.other:
		return "", 0, notOverShards("ORDER BY, GROUP BY, DISTINCT, MIN or MAX of a string whose collation (number "+strconv.Itoa(int(c.Collation))+") cannot be compared by weights", oneKey)
	case n > maxWeight:
		return "", 0, tooLong(n, expr)
	case !w.padded:
		return "WEIGHT_STRING(" + expr + ")", w.by, nil
	}
	return "WEIGHT_STRING(" + expr + " AS CHAR(" + strconv.FormatUint(uint64(n), 10) + "))", w.by, nil
}
