package main

import (
	"sluice/metrics"
	"sluice/txn"
)

// countTransactions shows what becomes of the transactions over several shards.
func countTransactions(registry *metrics.Registry, d *txn.Decisions) {
	one := func(f func(txn.Counts) float64) func() []metrics.Sample {
		return func() []metrics.Sample { return []metrics.Sample{{Value: f(d.Counts())}} }
	}
	registry.Collect("sluice_prepared_branches", "Prepared branches of transactions over several shards, at the last look at the shards.", nil,
		one(func(c txn.Counts) float64 { return float64(c.Prepared) }))
	registry.Collect("sluice_prepared_oldest_seconds", "Age of the oldest prepared branch; more than 15 wants a DBA.", nil,
		one(func(c txn.Counts) float64 { return c.Oldest.Seconds() }))
	registry.Collect("sluice_transactions_recovered_total", "Transactions left by their proxy that this proxy committed.", nil,
		one(func(c txn.Counts) float64 { return float64(c.Recovered) }))
	registry.Collect("sluice_transactions_rolled_back_total", "Transactions left by their proxy that this proxy rolled back.", nil,
		one(func(c txn.Counts) float64 { return float64(c.RolledBack) }))
	registry.Collect("sluice_transactions_unknown_total", "Clients of this proxy that were told that the outcome of their COMMIT is unknown.", nil,
		one(func(c txn.Counts) float64 { return float64(c.Unknown) }))
}
