package exec

import (
	"regexp"
	"strconv"
)

// The info text of an OK ("Rows matched: 2  Changed: 1  Warnings: 0") is in the session's
// lc_messages. Its numbers stand in the same order in every language.

var infoNumber = regexp.MustCompile(`[0-9]+`)

// Info texts for where no shard has said one.
const (
	recordsInfo = "Records: 0  Duplicates: 0  Warnings: 0"
	loadedInfo  = "Records: 0  Deleted: 0  Skipped: 0  Warnings: 0"
)

// readInfo reads the numbers of an info text; false when it has not as many.
func readInfo(info string, numbers []uint64) bool {
	found := infoNumber.FindAllString(info, -1)
	if len(found) != len(numbers) {
		return false
	}
	for i, text := range found {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return false
		}
		numbers[i] = n
	}
	return true
}

// updated reads the numbers of an UPDATE's info text: matched, changed, those that went to the past of a
// table WITH SYSTEM VERSIONING if it is one, warnings. nil: it is none.
func updated(info string) []uint64 {
	var plain [3]uint64
	if readInfo(info, plain[:]) {
		return plain[:]
	}
	var versioned [4]uint64
	if readInfo(info, versioned[:]) {
		return versioned[:]
	}
	return nil
}

// writeInfo puts numbers into an info text that has as many.
func writeInfo(info string, numbers []uint64) string {
	i := -1
	return infoNumber.ReplaceAllStringFunc(info, func(string) string {
		i++
		return strconv.FormatUint(numbers[i], 10)
	})
}
