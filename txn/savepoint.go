package txn

import (
	"fmt"
	"slices"
	"strings"

	"sluice/wire"
)

// savepoints are the names of those that exist, in order. Names compare without case.
type savepoints []string

func (p savepoints) find(name string) int {
	return slices.IndexFunc(p, func(have string) bool { return strings.EqualFold(have, name) })
}

// statements makes them again on a leg that joins.
func (p savepoints) statements() (list []string) {
	for _, name := range p {
		list = append(list, "SAVEPOINT "+quote(name))
	}
	return list
}

// Savepoint, RollbackTo and Release carry out the savepoint statements on every leg; a
// leg that joins later gets the savepoints that exist then. An older savepoint of the same
// name is gone, as on the servers.
func (t *Tx) Savepoint(name string) error {
	if i := t.savepoints.find(name); i >= 0 {
		t.savepoints = slices.Delete(t.savepoints, i, i+1)
	}
	t.savepoints = append(t.savepoints, name)
	_, err := everywhere(t.legs, "SAVEPOINT "+quote(name))
	return err
}

// RollbackTo undoes all since the savepoint, which stays. Unknown names are error 1305. said are as
// Rollback's.
func (t *Tx) RollbackTo(name string) (said [][][]byte, err error) {
	i := t.savepoints.find(name)
	if i < 0 {
		return nil, noSavepoint(name)
	}
	t.savepoints = t.savepoints[:i+1]
	return everywhere(t.legs, "ROLLBACK TO SAVEPOINT "+quote(name))
}

// Release forgets a savepoint and all later ones. Unknown names are error 1305.
func (t *Tx) Release(name string) error {
	i := t.savepoints.find(name)
	if i < 0 {
		return noSavepoint(name)
	}
	t.savepoints = t.savepoints[:i]
	_, err := everywhere(t.legs, "RELEASE SAVEPOINT "+quote(name))
	return err
}

// everywhere runs a statement on all legs at once. said are its warnings.
func everywhere(legs []Leg, sql string) (said [][][]byte, err error) {
	if len(legs) == 0 {
		return nil, nil
	}
	list := make([]saying, len(legs))
	for i := range legs {
		list[i] = saying{conn: legs[i].Conn, statements: []string{sql}}
	}
	err = sayEach(list)
	for i := range legs {
		if list[i].warned && list[i].err == nil {
			var rows [][][]byte
			rows, list[i].err = conditions(legs[i].Conn)
			said = join(said, rows)
			if err == nil {
				err = list[i].err
			}
		}
		legs[i].lost = list[i].err != nil && !inOrder(list[i].err)
	}
	return said, err
}

func noSavepoint(name string) error {
	return &wire.Error{Code: 1305, SQLState: "42000", Message: fmt.Sprintf("SAVEPOINT %s does not exist", name)}
}

func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
