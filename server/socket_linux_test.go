package server

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSocketOptions(t *testing.T) {
	f := start(t, Options{StallTimeout: 7 * time.Second})
	p := f.greeted(t).login("app")
	tcp := f.Find(p.id).sock
	for _, o := range []struct{ name, level, option, want int }{
		{0, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{1, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{2, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60},
		{3, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
		{4, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4},
		{5, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 7000},
	} {
		err := control(tcp, func(fd int) error {
			got, err := unix.GetsockoptInt(fd, o.level, o.option)
			if err == nil && got != o.want {
				err = fmt.Errorf("it is %d, want %d", got, o.want)
			}
			return err
		})
		if err != nil {
			t.Errorf("option %d: %v", o.name, err)
		}
	}
}
