package session

import "sluice/router"

// statementGuard is the savepoint in front of a statement that writes on several shards
// within a transaction. A server undoes a statement that fails; where it fails on one shard
// only, the others' parts have to be undone with it.
const statementGuard = "_sluice_statement"

// guard sets the savepoint on the transaction's shards; one that joins with the statement
// gets it as it joins.
func (s *Session) guard(p *router.Plan) error {
	s.guarded = s.tx.Open() && !s.tx.Statement() && p.Write && !p.Locking && s.severalShards()
	if !s.guarded {
		return nil
	}
	return s.keptTx(s.tx.Savepoint(statementGuard))
}

// endGuard undoes a statement that failed, and takes the savepoint away. It is called when
// the transaction still stands.
func (s *Session) endGuard(failed bool) error {
	if !s.guarded || !s.tx.Open() {
		return nil
	}
	if failed {
		if err := s.keptTx(s.tx.RollbackTo(statementGuard)); err != nil {
			return err
		}
	}
	return s.keptTx(s.tx.Release(statementGuard))
}

// keptTx ends the session when what it said to all of its transaction's shards has not
// reached each of them.
func (s *Session) keptTx(err error) error {
	if err != nil {
		s.txLost()
	}
	return err
}
