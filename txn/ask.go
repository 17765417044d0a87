package txn

import (
	"context"
	"fmt"

	"sluice/backend"
	"sluice/wire"
)

// ask finds out what became of a transaction and makes sure that it stays so: it marks the
// transaction as aborted, and the unique index tells. A row that is there already is the
// decision. A row that is being committed blocks the mark for a second: then the
// transaction is undecided. Once the mark is there the owner's own row, should it come
// after all, is refused.
func (d *Decisions) ask(ctx context.Context, coordinator, gtrid string) (decision, error) {
	dec := undecided
	err := d.on(ctx, coordinator, func(c *backend.Conn) (err error) {
		if d.opts.Faults.Off("txn.tombstone") {
			if dec, err = stored(c, gtrid); dec == undecided && err == nil {
				dec = aborted
			}
			return err
		}
		dec, err = mark(c, gtrid)
		if wire.IsCode(err, 1049, 1146) { // the table is not there, and so is no decision
			d.unready(coordinator)
			if err = d.makeTable(c, coordinator); err == nil {
				dec, err = mark(c, gtrid)
			}
		}
		return err
	})
	return dec, err
}

// mark writes the abort marker, or finds the decision.
func mark(c *backend.Conn, gtrid string) (decision, error) {
	_, err := c.Exec("INSERT INTO _sluice.decisions (gtrid, decision) VALUES ('" + gtrid + "', 'abort')")
	dec := aborted
	switch {
	case err == nil:
	case wire.IsCode(err, 1062):
		dec, err = stored(c, gtrid)
	default:
		dec = undecided
	}
	if wire.IsCode(err, 1205) {
		dec, err = undecided, nil
	}
	return dec, err
}

const recovered = "recovered"

// markRecovered is said before another proxy than its own finishes a committed
// transaction: from then on the row stays for a while, although no branch does.
func markRecovered(c *backend.Conn, gtrid string) error {
	_, err := c.Exec("UPDATE _sluice.decisions SET decision = '" + recovered + "' WHERE gtrid = '" + gtrid + "' AND decision = 'commit'")
	return err
}

// stored reads a decision; undecided is none.
func stored(c *backend.Conn, gtrid string) (decision, error) {
	_, rows, err := c.Query("SELECT decision FROM _sluice.decisions WHERE gtrid = '" + gtrid + "'")
	if err != nil || len(rows) == 0 || len(rows[0]) == 0 {
		return undecided, err
	}
	switch string(rows[0][0]) {
	case committed.String(), recovered:
		return committed, nil
	case aborted.String():
		return aborted, nil
	}
	return undecided, fmt.Errorf("the decision on %s is %.20q", gtrid, rows[0][0])
}
