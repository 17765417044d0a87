package shard

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// The input replaces fields of a sound Spec; the output is the error of New.
func TestFaults(t *testing.T) {
	datadriven.RunTest(t, "testdata/faults", func(t *testing.T, d *datadriven.TestData) string {
		var given Spec
		dec := json.NewDecoder(strings.NewReader(d.Input))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&given); err != nil {
			d.Fatalf(t, "%v", err)
		}
		spec := sample()
		from, to := reflect.ValueOf(given), reflect.ValueOf(&spec).Elem()
		for i := range from.NumField() {
			if !from.Field(i).IsZero() {
				to.Field(i).Set(from.Field(i))
			}
		}
		m, err := New(1, spec)
		if err == nil {
			return "ok\n"
		}
		var faults Faults
		if m != nil || !errors.As(err, &faults) || len(faults) == 0 {
			d.Fatalf(t, "New gives %v, %T", m, err)
		}
		return err.Error() + "\n"
	})
}
