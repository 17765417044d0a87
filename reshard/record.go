package reshard

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/shard"
)

// Phase is where a migration stands. It is stored before the work of the phase begins, and
// the work of each can be begun again from the start by any proxy:
//
//	queued ─▶ preparing ─▶ copying ─▶ catching_up ─▶ verifying ─▶ ready ─▶ freezing ─▶ switched ─▶ completing ─▶ completed
//	   │          │           │            │             │          ▲▲        │            │  ▲
//	   │          │           │            │             │          │└aborting┘    REVERT  │  └──back_aborting◀┐
//	   │          └───────────┴──────┬─────┴─────────────┘          │                      └────▶ back_freezing┘
//	   │                   failed ◀──┤ RESUME: the phase it failed in ┘                                   │
//	   │                      │      │ CANCEL                                                             │
//	   ▼                      ▼      ▼                                                                    │
//	cancelled ◀────────────────── cancelling ◀────────────────────────────────────────────────────────────┘
//
// Before freezing has changed the map's owner nothing is lost by giving up; after that it
// goes on, or back by the same protocol with the sides changed round.
type Phase string

const (
	Queued       Phase = "queued"        // as many run as may
	Preparing    Phase = "preparing"     // checks, tables, fence, the move in the map
	Copying      Phase = "copying"       // rows go to the target while changes follow
	CatchingUp   Phase = "catching_up"   // all rows are there once; changes follow
	Verifying    Phase = "verifying"     // both sides are compared
	Ready        Phase = "ready"         // triggers are there; changes follow; CUTOVER may come
	Freezing     Phase = "freezing"      // an attempt to switch
	Aborting     Phase = "aborting"      // it is being taken back
	Switched     Phase = "switched"      // the target owns the slots; changes follow back to the source
	BackFreezing Phase = "back_freezing" // an attempt to switch back
	BackAborting Phase = "back_aborting" // it is being taken back
	Completing   Phase = "completing"    // the source's rows are being deleted
	Cancelling   Phase = "cancelling"    // the target's rows are being deleted
	Completed    Phase = "completed"
	Cancelled    Phase = "cancelled"
	Failed       Phase = "failed" // From is the phase in which
)

// Over tells whether nothing is left to do.
func (p Phase) Over() bool { return p == Completed || p == Cancelled }

// before tells whether the source owns the slots and no attempt is under way.
func (p Phase) before() bool {
	switch p {
	case Queued, Preparing, Copying, CatchingUp, Verifying, Ready, Failed:
		return true
	}
	return false
}

// Record is all that is stored of a migration.
type Record struct {
	ID      int64        `json:"id"`
	Slots   []shard.Span `json:"slots"`
	Source  string       `json:"source"`
	Target  string       `json:"target"`
	Auto    bool         `json:"auto,omitempty"`
	Secret  string       `json:"secret"`  // what @_sluice_mover is in the mover's sessions
	Cluster string       `json:"cluster"` // its id, for servers that clusters share
	Tables  []Table      `json:"tables,omitempty"`
	Joins   bool         `json:"joins,omitempty"` // the target has no reference tables yet, and gets them
	Begun   bool         `json:"begun,omitempty"` // the servers may have something of it

	References []Table `json:"references,omitempty"`

	Phase    Phase     `json:"phase"`
	From     Phase     `json:"from,omitempty"`    // of Failed, Cancelling
	Attempt  int64     `json:"attempt,omitempty"` // of the switch; the fence's token
	Token    int64     `json:"token,omitempty"`   // of the mover; grows with each that takes over
	Tries    int       `json:"tries,omitempty"`   // attempts since the last CUTOVER
	RetryAt  time.Time `json:"retry_at,omitzero"`
	Paused   bool      `json:"paused,omitempty"`
	Wish     string    `json:"wish,omitempty"` // what a DBA has asked for and is not begun
	Error    string    `json:"error,omitempty"`
	PauseMS  float64   `json:"pause_ms,omitempty"` // of the last switch: how long statements waited
	Version  int64     `json:"version,omitempty"`  // of the map by which the owner changed last
	Reverted bool      `json:"reverted,omitempty"` // it was switched and is switched back
	Lost     bool      `json:"lost,omitempty"`     // the target is gone for good: nothing is cleaned there, and its shard is dropped
	Verified string    `json:"verified,omitempty"` // what the last comparison found
	Proven   bool      `json:"proven,omitempty"`   // the sides were the same at the switch
	Doubt    string    `json:"doubt,omitempty"`    // they were not
	Copied   int64     `json:"copied,omitempty"`   // rows, when the copy was complete
	Seen     []string  `json:"seen,omitempty"`     // proxies that were waited for
	Created  time.Time `json:"created"`
	Ended    time.Time `json:"ended,omitzero"`
	SwitchAt time.Time `json:"switch_at,omitzero"` // when the owner changed last
	Log      []Line    `json:"log,omitempty"`
}

// What a DBA can ask for.
const (
	wishCutover  = "cutover"
	wishVerify   = "verify"
	wishRevert   = "revert"
	wishComplete = "complete"
)

// Line is one line of a migration's log.
type Line struct {
	Time  time.Time `json:"time"`
	Node  string    `json:"node,omitempty"`
	Phase Phase     `json:"phase"`
	Text  string    `json:"text"`
}

// maxLines bounds a log: the first lines and the newest ones are kept.
const (
	maxLines  = 200
	keepFirst = 20
)

func (r *Record) say(node, format string, args ...any) {
	r.Log = append(r.Log, Line{Time: time.Now().UTC().Round(time.Millisecond), Node: node, Phase: r.Phase, Text: fmt.Sprintf(format, args...)})
	if len(r.Log) > maxLines {
		r.Log = slices.Delete(r.Log, keepFirst, len(r.Log)-maxLines+keepFirst)
	}
}

// State gives the contract's word for where the migration stands.
func (r *Record) State() string {
	switch r.Phase {
	case Queued, Preparing:
		return "preparing"
	case Freezing, Aborting, BackFreezing, BackAborting:
		return "cutting_over"
	case Completing:
		return "switched"
	case Cancelling:
		switch {
		case r.Reverted:
			return "cutting_over"
		case r.From == Queued:
			return "preparing"
		}
		return string(r.From)
	}
	return string(r.Phase)
}

// back tells which way changes flow and switches go: false from source to target.
func (r *Record) back() bool { return r.Phase == BackFreezing || r.Phase == BackAborting }

// sides gives the shard that gives the slots up and the one that takes them in an attempt.
func (r *Record) sides() (from, to string) {
	if r.back() {
		return r.Target, r.Source
	}
	return r.Source, r.Target
}

func (r *Record) note() string { return "cluster " + r.Cluster }

// claimOf names the work that one proxy at a time does for the migration.
func claimOf(id int64) string { return "migration-" + number(id) }

func (r *Record) encode() ([]byte, error) { return json.Marshal(r) }

func decode(b []byte) (*Record, error) {
	r := &Record{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("the record of a migration cannot be read: %w", err)
	}
	return r, nil
}

// move is the migration as the map lists it.
func (r *Record) move() shard.Move {
	return shard.Move{ID: r.ID, Slots: r.Slots, Source: r.Source, Target: r.Target}
}

// Table is a table whose rows move.
type Table struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
	Key    string `json:"key"`
	Pads   bool   `json:"pads,omitempty"` // of a text key: trailing spaces do not count
}

func (t *Table) String() string { return t.Schema + "." + t.Name }

// Slot gives the slot of a row in SQL; qualifier is "" or ends with a dot.
func (t *Table) Slot(qualifier string) string {
	key := qualifier + name(t.Key)
	if t.Pads {
		key = "TRIM(TRAILING ' ' FROM " + key + ")"
	}
	return fmt.Sprintf("MOD(CRC32(%s), %d)", key, shard.Slots)
}

// pads tells whether a collation leaves trailing spaces out when it compares.
func pads(collation string) bool {
	return collation != "" && collation != "binary" && !strings.Contains(collation, "_nopad_") && collation != "utf8mb4_0900_bin"
}
