package reshard

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sluice/backend"
	"sluice/mover"
	"sluice/wire"
)

// preflight lists everything that stands against a migration, at once, and what may surprise.
func (s *Service) preflight(ctx context.Context, r *Record) (faults, warnings []string, err error) {
	spec := r.spec(mover.Forward, 0)
	m := s.opts.Topology.Map()
	if i, ok := m.ShardIndex(r.Source); ok {
		spec.Share = float64(count(r.Slots)) / float64(max(m.SlotCount(i), count(r.Slots)))
	}
	if !r.Joins {
		if err := s.on(ctx, r.Source, func(c *backend.Conn) error {
			_, references, err := listTables(ctx, c, &m.Spec)
			for _, t := range references {
				spec.Present = append(spec.Present, mover.Table{Schema: t.Schema, Name: t.Name})
			}
			return err
		}); err != nil {
			return nil, nil, err
		}
	}
	faults, warnings, err = mover.Preflight(ctx, s.server(r.Source), s.server(r.Target), spec)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range []string{r.Source, r.Target} {
		err := s.on(ctx, name, func(c *backend.Conn) error {
			list, err := triggerFaults(ctx, c)
			faults = append(faults, list...)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
	}
	slices.Sort(warnings)
	return faults, slices.Compact(warnings), nil
}

// triggerFaults says why the triggers of the fence could not be made on a server.
func triggerFaults(ctx context.Context, c *backend.Conn) (faults []string, err error) {
	rights, err := column(ctx, c, "SHOW GRANTS")
	if err != nil {
		return nil, err
	}
	all := strings.ToUpper(strings.Join(rights, "\n"))
	has := func(right string) bool {
		return strings.Contains(all, "GRANT ALL PRIVILEGES ON *.*") || strings.Contains(all, right)
	}
	if !has("TRIGGER") && !has("ALL PRIVILEGES") {
		faults = append(faults, fmt.Sprintf("shard %s: Sluice's account may not make triggers; GRANT TRIGGER on its schemas to it", c.Shard()))
	}
	trust, err := column(ctx, c, "SELECT @@GLOBAL.log_bin_trust_function_creators")
	if wire.IsCode(err, 1193) { // unknown variable
		return faults, nil
	}
	if err == nil && trust[0] != "1" && !has(" SUPER") && !has("SUPER,") {
		faults = append(faults, fmt.Sprintf("shard %s: with a binary log, triggers can be made only with the right SUPER or after SET GLOBAL log_bin_trust_function_creators = 1; do that there", c.Shard()))
	}
	return faults, err
}
