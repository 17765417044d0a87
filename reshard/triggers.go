package reshard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/backend"
	"sluice/internal/sleep"
	"sluice/shard"
	"sluice/wire"
)

// The triggers of a migration look at each row that is written to a table whose slots move:
//
//	slot of the row not in M, or the session is the migration's own   nothing
//	else   read the fence row LOCK IN SHARE MODE; refuse the statement if there is one that is not open
//
// The lock is kept until the transaction ends, so that to change the fence waits for it.
// (A branch that is prepared has let it go: those are waited for in another way.)
var events = []struct{ verb, letter string }{{"INSERT", "i"}, {"UPDATE", "u"}, {"DELETE", "d"}}

// triggerTries bounds how often a trigger is tried to be made: CREATE TRIGGER waits, at most
// a second at a time, for the transactions that use the table.
const (
	triggerTries = 60
	triggerPause = 500 * time.Millisecond
)

// triggerName names the trigger of the table with that position among the migration's.
func triggerName(id int64, letter string, table int) string {
	return fmt.Sprintf("_sluice_m%d_%s_%d", id, letter, table)
}

// triggerPattern matches the names of a migration's triggers, for LIKE.
func triggerPattern(id int64) string { return fmt.Sprintf(`\_sluice\_m%d\_%%`, id) }

// triggerSQL gives the statement that makes a trigger: how it begins ("CREATE TRIGGER …") and
// whether it is asleep. What it compares stands in it as bytes, so that no collation of the
// client's matters. Without a fence row the migration is over, and the trigger of a proxy that
// came late refuses nothing.
func triggerSQL(r *Record, i int, create, verb, letter string, asleep bool) string {
	t := &r.Tables[i]
	var in []string
	if verb != "INSERT" {
		in = append(in, slotIn(t.Slot("OLD."), r.Slots))
	}
	if verb != "DELETE" {
		in = append(in, slotIn(t.Slot("NEW."), r.Slots))
	}
	stays := fmt.Sprintf("NOT (%s) OR CAST(@_sluice_mover AS BINARY) <=> x'%x'", strings.Join(in, " OR "), r.Secret)
	if asleep {
		stays = fmt.Sprintf("NOT CAST(@_sluice_mover AS BINARY) <=> x'00%x'", r.Secret) // nobody says that
	}
	return fmt.Sprintf("%[10]s %[1]s.%[2]s BEFORE %[3]s ON %[1]s.%[4]s FOR EACH ROW sluice: BEGIN "+
		"DECLARE fence VARCHAR(10) CHARACTER SET ascii; "+
		"IF %[5]s THEN LEAVE sluice; END IF; "+
		"SELECT state INTO fence FROM _sluice.fence WHERE move_id = %[7]d LOCK IN SHARE MODE; "+
		"IF fence <> 'open' THEN "+
		"SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = %[8]d, MESSAGE_TEXT = '%[9]s%[7]d moves this row; the statement was not carried out'; "+
		"END IF; /* x'%[6]x' */ END",
		name(t.Schema), name(triggerName(r.ID, letter, i)), verb, name(t.Name), stays, r.Secret, r.ID, shard.FenceCode, shard.FencePrefix, create)
}

// slotIn is the condition that a slot is among some.
func slotIn(slot string, spans []shard.Span) string {
	parts := make([]string, len(spans))
	for i, s := range spans {
		parts[i] = fmt.Sprintf("%s BETWEEN %d AND %d", slot, s.First, s.Last)
	}
	return "COALESCE(" + strings.Join(parts, " OR ") + ", FALSE)"
}

// makeTriggers makes all triggers of a migration on a server. They are there in the end, or
// an error says which one could not be made.
//
// MariaDB prepares a statement again when a trigger is newer than it, and notes the time of
// a trigger in hundredths of a second: one that was prepared in the same hundredth goes on
// without the tables that the trigger needs, and fails with 1146. So the triggers come
// asleep, and are woken when every statement that is older than they are is known as such.
func makeTriggers(ctx context.Context, c *backend.Conn, r *Record) error {
	if !isMariaDB(c) {
		return createTriggers(ctx, c, r, "CREATE TRIGGER IF NOT EXISTS", false)
	}
	if err := createTriggers(ctx, c, r, "CREATE TRIGGER IF NOT EXISTS", true); err != nil {
		return err
	}
	if !sleep.For(ctx, 50*time.Millisecond) {
		return ctx.Err()
	}
	return createTriggers(ctx, c, r, "CREATE OR REPLACE TRIGGER", false)
}

func createTriggers(ctx context.Context, c *backend.Conn, r *Record, create string, asleep bool) error {
	for i := range r.Tables {
		for _, e := range events {
			if err := patiently(ctx, c, triggerSQL(r, i, create, e.verb, e.letter, asleep)); err != nil {
				return fmt.Errorf("shard %s: a trigger on %s could not be made: %w", c.Shard(), &r.Tables[i], err)
			}
		}
	}
	return nil
}

func isMariaDB(c *backend.Conn) bool { return strings.Contains(c.ServerVersion(), "MariaDB") }

// dropTriggers drops what triggers of a migration there are on a server, also those of a
// table that was not listed any more.
func dropTriggers(ctx context.Context, c *backend.Conn, r *Record) error {
	rows, err := query(ctx, c, "SELECT TRIGGER_SCHEMA, TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_NAME LIKE "+literal(triggerPattern(r.ID))+
		" AND ACTION_STATEMENT LIKE '%"+fmt.Sprintf("x''%x''", r.Secret)+"%'")
	if err != nil {
		return err
	}
	for _, row := range rows {
		sql := "DROP TRIGGER IF EXISTS " + name(string(row[0])) + "." + name(string(row[1]))
		if err := patiently(ctx, c, sql); err != nil {
			return fmt.Errorf("shard %s: the trigger %s could not be dropped: %w", c.Shard(), row[1], err)
		}
	}
	return nil
}

// patiently runs DDL that needs a table to itself for a moment, and gives way to those who
// use it: a waiting DDL statement holds up everybody who comes after it.
func patiently(ctx context.Context, c *backend.Conn, sql string) error {
	for try := 1; ; try++ {
		_, err := query(ctx, c, sql)
		if !wire.IsCode(err, 1205, 1213) || try == triggerTries {
			return err
		}
		if !sleep.For(ctx, triggerPause) {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}
