package mover

import "context"

// Mover runs one stream of one migration. Safe for concurrent use.
type Mover struct{ opts Options }

// New makes a mover; it touches nothing yet.
func New(o Options) *Mover { return &Mover{opts: o} }

// Prepare makes what is missing at the target (the tables, the notes in _sluice with the
// position from which the stream starts) or takes over what is there, with the token. It
// waits until every XA branch is finished that was prepared at the source when it came.
func (m *Mover) Prepare(ctx context.Context) error { return errIncomplete }

// Run copies what is not copied yet and then follows the source until ctx ends. It returns
// ctx's error, one for which Lasting is true, or one after which it may be called again.
func (m *Mover) Run(ctx context.Context) error { return errIncomplete }

// Verify compares both sides row by row while Run follows, repairs what differs, and reports
// it. Run must be running.
func (m *Mover) Verify(ctx context.Context) (Report, error) { return Report{}, errIncomplete }

// Drain returns when everything that was committed at the source before it was called has
// been applied, and no XA branch is pending that has changed rows of the slots. Run must be running.
func (m *Mover) Drain(ctx context.Context) error { return errIncomplete }

// Freeze opens a consistent snapshot on each side. When nothing writes the slots and Drain
// has returned, both are the same logical instant. The caller closes the pair.
func (m *Mover) Freeze(ctx context.Context) (*Pair, error) { return nil, errIncomplete }

// Pair is two snapshots of the same instant.
type Pair struct{}

// Compare compares both snapshots row by row; nothing is repaired.
func (p *Pair) Compare(ctx context.Context) (Report, error) { return Report{}, errIncomplete }

// Close ends the snapshots.
func (p *Pair) Close() {}

// Status says what is going on.
func (m *Mover) Status() Status { return Status{} }

// Pause stops copying; changes are followed all the same, so that the log does not run away.
func (m *Mover) Pause() {}

// Resume ends a Pause.
func (m *Mover) Resume() {}

// SetRate changes Options.Rate.
func (m *Mover) SetRate(rows int) {}

// Preflight gives everything that is in the way of a migration (reasons) and what may
// surprise (warnings), each with what to do about it.
func Preflight(ctx context.Context, source, target Server, s Spec) (reasons, warnings []string, err error) {
	return nil, nil, errIncomplete
}

// Take gives the right to write the rows of a stream to the given token: a mover with a
// smaller one changes nothing any more when it has returned. A stream that was never
// prepared is no error.
func Take(ctx context.Context, target Server, id int64, stream string, token int64) error {
	return errIncomplete
}

// Clean deletes from a server the rows of those of s.Slots that owned does not have, a few
// hundred a transaction, throttled; owned is asked before each, and each takes s.Token
// first (the stream's name is "clean"). It goes on where an earlier one was. Whole tables
// are left alone.
func Clean(ctx context.Context, on Server, s Spec, owned func(slot uint16) bool, deleted func(rows int64)) error {
	return errIncomplete
}

// Forget deletes the notes about a migration from a server.
func Forget(ctx context.Context, on Server, id int64) error { return errIncomplete }

var errIncomplete = &Stopped{Reason: "this build cannot move rows yet"}
