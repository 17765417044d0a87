package session

import (
	"sync"

	"sluice/exec"
	"sluice/query"
	"sluice/router"
	"sluice/server"
)

// work is the parts of a session that carry a command out. They keep nothing from one command to the next but their memory,
// and go from session to session.
type work struct {
	core core

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

	apart bool // the statement was answered from the cache
}

// core is a session's lasting parts, as the parts of its work know them.
type core struct {
	h       *Handler
	c       *server.Client
	shared  *shared
	state   *state
	answers *answers
	kept    *kept
	tracker *tracker
	handles *handles
}

var works = sync.Pool{New: func() any { return newWork() }}

func newWork() *work {
	w := &work{}
	c := &w.core
	w.held.core = c
	w.reply.core = c
	w.planner = planner{core: c, args: &w.args}
	w.running = running{core: c, held: &w.held, reply: &w.reply, planner: &w.planner, args: &w.args}
	w.settle = settling{&w.running}

	w.setter = setter{core: c, held: &w.held, reply: &w.reply}
	w.verbs = verbs{core: c, held: &w.held, reply: &w.reply, setter: &w.setter}
	w.peers.core = c
	w.shows = shows{core: c, peers: &w.peers}
	w.values.core = c
	w.preparer = preparer{core: c, held: &w.held, reply: &w.reply, planner: &w.planner, values: &w.values, shows: &w.shows, args: &w.args}
	w.cursors = cursors{core: c, held: &w.held, reply: &w.reply, running: &w.running}
	return w
}

// workOf gives a session its work.
func workOf(s *Session) *work {
	w := works.Get().(*work)
	w.core = core{s.h, s.c, &s.shared, &s.state, &s.answers, &s.kept, &s.tracker, &s.handles}
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
