package main

import (
	"sluice/limit"
	"sluice/metrics"
	"sluice/shard"
	"sluice/topo"
)

// showLimits shows in the metrics what became of statements under limits.
func showLimits(registry *metrics.Registry, limits *limit.Table, store *topo.Store) {
	collect := func(name, help string, value func(limit.Status) float64) {
		registry.Collect(name, help, []string{"of", "name"}, func() (samples []metrics.Sample) {
			for _, l := range limits.Status(store.Map()) {
				name := l.Name
				if l.Of == shard.OfDigest {
					name = shard.DigestID(name)
				}
				samples = append(samples, metrics.Sample{Labels: []string{l.Of, name}, Value: value(l)})
			}
			return samples
		})
	}
	collect("sluice_limit_running", "Statements that run under a limit.", func(l limit.Status) float64 { return float64(l.Running) })
	collect("sluice_limit_waiting", "Statements that wait under a limit.", func(l limit.Status) float64 { return float64(l.Waiting) })
	collect("sluice_limit_refused", "Statements that a limit has refused.", func(l limit.Status) float64 { return float64(l.Refused) })
	collect("sluice_limit_timeouts", "Statements that were stopped for their time.", func(l limit.Status) float64 { return float64(l.Timeouts) })
	collect("sluice_limit_cut", "Answers that were ended for their rows.", func(l limit.Status) float64 { return float64(l.Cut) })
}
