package txn

import (
	"errors"
	"fmt"
	"slices"
)

func (d *Decisions) shardNames() (names []string) {
	for _, s := range d.opts.Shards.Status() {
		if s.Role == "primary" && !slices.Contains(names, s.Shard) {
			names = append(names, s.Shard)
		}
	}
	return names
}

// shardOf finds a shard by what stands in a transaction's name.
func (d *Decisions) shardOf(id string) (found string, err error) {
	for _, name := range d.shardNames() {
		if shardID(name) != id {
			continue
		}
		if found != "" {
			return "", fmt.Errorf("the shards %s and %s cannot be told apart in a transaction's name; resolve it by hand", found, name)
		}
		found = name
	}
	if found == "" {
		return "", errors.New("the shard that decides it is no shard of the cluster any more; resolve it by hand")
	}
	return found, nil
}
