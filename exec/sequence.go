package exec

import "context"

// Sequence is the cluster's sequence of the table that a statement inserts into. Its errors are for the client.
type Sequence interface {
	// Prepare is called before the shards are busy with the statement: Take cannot ask them
	// which ids there are while they read a file.
	Prepare(ctx context.Context) error
	// Take takes n ids that follow each other and gives the first.
	Take(ctx context.Context, n int) (first uint64, err error)
	// Keep keeps the sequence from giving ids that the statement brings itself, of which least is the
	// smallest and most the largest. It is called before they are written.
	Keep(ctx context.Context, least, most uint64) error
}
