package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

var askFile = []byte("\xfbusers.csv")

// runLocalFile relays LOAD DATA LOCAL: the backend asks, the client sends file, the
// backend answers with answer, numbered after the file.
func runLocalFile(t *testing.T, file [][]byte, answer []byte, step int, bend func(client, backend *script)) (client, backend *script, resp Response, err error) {
	t.Helper()
	sent := frame(2, file...)
	pieces := 0
	for b := sent; len(b) > 0; pieces++ {
		b = b[4+pieceLength(b):]
	}
	// The client's command was number 0, the backend asked with 1.
	client = &script{in: sent, step: step}
	backend = &script{in: append(frame(1, askFile), frame(byte(2+pieces), answer)...), step: step}
	backend.cuts = []int{4 + len(askFile)}
	if bend != nil {
		bend(client, backend)
	}
	dst := atSeq(client, 1)
	resp, err = Relay(dst, atSeq(backend, 1), RelayOptions{LocalFile: true})
	if err == nil {
		err = dst.Flush()
		want := append(frame(1, askFile), frame(byte(2+pieces), answer)...)
		if !bytes.Equal(client.out.Bytes(), want) {
			t.Fatalf("the client got %x, want %x", client.out.Bytes(), want)
		}
		if !bytes.Equal(backend.out.Bytes(), sent) {
			t.Fatalf("the backend got %d bytes of %d", backend.out.Len(), len(sent))
		}
	}
	return client, backend, resp, err
}

func TestRelayLocalFile(t *testing.T) {
	line := []byte("1,ann\n2,bob\n")
	block := bytes.Repeat(line, 5000)
	piece := bytes.Repeat([]byte("x"), maxPiece)
	files := map[string][][]byte{
		"small":                     {line, line, {}},
		"empty":                     {{}},
		"blocks":                    {block, block, block, {}},
		"a full piece is no end":    {piece, line, {}},
		"more packets than numbers": append(bytes.SplitAfter(bytes.Repeat(line, 200), []byte("\n"))[:400], []byte{}),
	}
	if raceEnabled {
		delete(files, "a full piece is no end")
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			for _, step := range []int{0, 1 << 14, 1} {
				if step == 1 && len(file[0]) > 100 {
					continue
				}
				_, _, resp, err := runLocalFile(t, file, okPacket(2), step, nil)
				if err != nil {
					t.Fatal(err)
				}
				if resp.OK.AffectedRows != 300 {
					t.Fatalf("response %+v", resp)
				}
			}
		})
	}
}

// TestRelayLocalFileFails: whoever fails, the error names that side; after the backend's
// failure the client's file has been read to its end, so that the client can be told.
func TestRelayLocalFileFails(t *testing.T) {
	block := bytes.Repeat([]byte("1,ann\n"), 10000)
	file := [][]byte{block, block, {}}
	var re *RelayError
	client, _, _, err := runLocalFile(t, file, okPacket(2), 0, func(_, backend *script) { backend.failAt = 1 })
	if !errors.As(err, &re) || re.Client || !errors.Is(err, errScript) || re.Torn {
		t.Fatalf("error %v, want the backend's", err)
	}
	if len(client.in) != 0 {
		t.Fatalf("%d bytes of the file are unread", len(client.in))
	}
	_, _, _, err = runLocalFile(t, file, okPacket(2), 0, func(client, _ *script) { client.in = client.in[:len(client.in)-10] })
	if !errors.As(err, &re) || !re.Client || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("error %v, want the client's", err)
	}
	_, _, _, err = runLocalFile(t, file, okPacket(2), 0, func(client, _ *script) { client.in[3] = 77 })
	if !errors.As(err, &re) || !re.Client || !errors.Is(err, ErrSequence) {
		t.Fatalf("error %v, want the client's sequence", err)
	}
	_, _, resp, err := runLocalFile(t, file, errPacket(), 0, nil)
	if err != nil || resp.Err == nil || resp.Err.Code != 1062 {
		t.Fatalf("response %+v, error %v", resp, err)
	}
}
