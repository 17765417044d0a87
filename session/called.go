package session

import (
	"sluice/exec"
	"sluice/router"
)

// called settles what a CALL, or a compound statement, has done to the session.
type called struct{ *settling }

// keepFound keeps what FOUND_ROWS() is then.
func (s called) keepFound(e *entry, out *exec.Outcome) {
	if e.plan.Runs == nil {
		return
	}
	switch e.plan.Runs.Found {
	case router.FoundThere:
		s.answers.found, s.answers.unsure = s.askNumber(out, "SELECT FOUND_ROWS()", s.answers.found), false
	case router.FoundUnknown:
		s.answers.unsure = true
	}
}

// brokenOff keeps what it has done to the session's answers before it failed.
func (s called) brokenOff(e *entry, out *exec.Outcome) {
	if e.plan.Runs == nil || len(s.held.list) == 0 {
		return
	}
	s.answers.unsure = s.answers.unsure || e.plan.Runs.Found != router.FoundBefore
	if s.held.preset {
		s.answers.insertID = s.askNumber(out, "SELECT LAST_INSERT_ID()", s.answers.insertID)
	}
}
