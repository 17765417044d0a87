package main

import (
	"os/exec"
	"testing"
)

// TestOneShard: the proxy that the bench compares with can be built.
func TestOneShard(t *testing.T) {
	h := &house{}
	defer h.close()
	_, oneShard, err := h.buildBoth(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(oneShard, "version").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
