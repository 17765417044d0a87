package sleep

import (
	"context"
	"testing"
	"time"
)

func TestFor(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	if began := time.Now(); !For(ctx, 5*time.Millisecond) || time.Since(began) < 5*time.Millisecond {
		t.Error("the time did not pass")
	}
	if !For(ctx, 0) {
		t.Error("no time did not pass")
	}
	time.AfterFunc(5*time.Millisecond, cancel)
	if For(ctx, time.Hour) || For(ctx, 0) {
		t.Error("the context's end was not seen")
	}
}
