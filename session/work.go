package session

import (
	"sync"

	"sluice/exec"
	"sluice/query"
	"sluice/router"
)

// work is the parts of a session that carry a command out. They keep nothing from one command to the next but their memory,
// and go from session to session.
type work struct {
	held  held  // connections of the running statement
	reply reply // what the client is answered

	planner planner // text → plan
	running running // plan → shards
	settle  settling

	setter   setter   // SET
	verbs    verbs    // BEGIN, COMMIT, SAVEPOINT, XA …
	shows    shows    // SHOW
	peers    peers    // KILL, SHOW PROCESSLIST
	values   values   // LAST_INSERT_ID() and its like, written into statements
	preparer preparer // PREPARE, in text and in the protocol
	cursors  cursors

	scan query.Scan  // of the running text
	args router.Args // of the running statement

	// apart: the last statement was answered from the cache, off the engine's loop, and the next one most likely will be. To go to the
	// loop and to leave it again would cost a fifth of such an answer.
	apart bool
}

var works = sync.Pool{New: func() any { return newWork() }}

func newWork() *work {
	w := &work{}
	w.planner.args = &w.args
	r := &w.running
	r.held, r.reply, r.planner, r.args = &w.held, &w.reply, &w.planner, &w.args
	w.settle = settling{r}
	w.setter.held, w.setter.reply = &w.held, &w.reply
	w.verbs.held, w.verbs.reply, w.verbs.setter = &w.held, &w.reply, &w.setter
	w.shows.peers = &w.peers
	p := &w.preparer
	p.held, p.reply, p.planner, p.values, p.shows, p.args = &w.held, &w.reply, &w.planner, &w.values, &w.shows, &w.args
	w.cursors.held, w.cursors.reply, w.cursors.running = &w.held, &w.reply, r
	return w
}

// workOf gives a session its work.
func workOf(s *Session) *work {
	w := works.Get().(*work)
	h, c, shared, state, answers, kept, handles := s.h, s.c, &s.shared, &s.state, &s.answers, &s.kept, &s.handles
	w.held.h, w.held.state, w.held.shared, w.held.kept, w.held.answers = h, state, shared, kept, answers
	w.reply.c, w.reply.answers, w.reply.kept, w.reply.tracker = c, answers, kept, &s.tracker
	w.planner.h, w.planner.c, w.planner.state, w.planner.kept = h, c, state, kept
	r := &w.running
	r.h, r.c, r.shared, r.state, r.answers, r.kept = h, c, shared, state, answers, kept
	w.setter.h, w.setter.state, w.setter.answers, w.setter.kept = h, state, answers, kept
	w.verbs.h, w.verbs.state, w.verbs.kept = h, state, kept
	w.peers.h, w.peers.c, w.peers.shared, w.peers.kept = h, c, shared, kept
	w.shows.h, w.shows.c, w.shows.state, w.shows.answers = h, c, state, answers
	w.values.c, w.values.state, w.values.answers = c, state, answers
	p := &w.preparer
	p.h, p.c, p.shared, p.state, p.answers, p.kept, p.handles = h, c, shared, state, answers, kept, handles
	w.cursors.c, w.cursors.shared, w.cursors.kept, w.cursors.handles = c, shared, kept, handles
	return w
}

// done gives it away again, and lets go of all that points to the command's bytes: the buffer that has them would stay in
// memory for as long as somebody does. false: connections are still held, which only the session can give up.
func (w *work) done() bool {
	if len(w.held.list) > 0 {
		return false
	}
	w.args, w.apart = router.Args{}, false
	w.planner.params.exec, w.planner.params.long = nil, nil
	w.held.asked = asked{}
	w.reply.part, w.reply.failed, w.reply.diagnosed, w.reply.rows = nil, false, false, 0
	r := &w.running
	r.req, r.bounds, r.plain, r.mayWrite, r.seen, r.declared = exec.Request{}, nil, false, false, false, 0
	r.bound.Legs, r.bound.Gathering, r.bound.Load, r.bound.Staging, r.bound.Creation = r.bound.Legs[:0], nil, nil, nil, nil
	works.Put(w)
	return true
}
