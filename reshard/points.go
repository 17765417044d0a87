package reshard

// Points lists the fault points of a migration in the order in which it comes to them:
// reshard-before-X and reshard-after-X of each. A safeguard among them can be left out as
// reshard-X:off.
func Points() []string {
	steps := []string{
		string(Preparing), "fence-rows", "known", "stream", string(Copying), string(CatchingUp), string(Verifying), "triggers", string(Ready),
		"way-back", string(Freezing), "freeze", "acks", "fence", "xa", "marker", "pair", "turn", "own", "commit", string(Switched),
		string(Aborting), "unfreeze", "unfence", "disown", // instead of what follows a step that failed
		"old-maps", string(BackFreezing), string(BackAborting), string(Cancelling),
		string(Completing), "clean", "drop-triggers", "drop-notes", "drop-fence", "unlist", string(Completed), string(Cancelled),
	}
	var names []string
	for _, s := range steps {
		names = append(names, "reshard-before-"+s, "reshard-after-"+s)
	}
	return names
}
