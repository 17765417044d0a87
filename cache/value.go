package cache

import (
	"bytes"
	"compress/flate"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"io"
	"time"
)

// A stored value:
//
//	mac 16 │ stamp 16 │ flags 1 │ next 1 │ rows, found, end: varints │ length: varint │ packets, perhaps deflated
//
// The mac covers the entry's name and all behind it; the stamp is of the tags' versions under
// which the database was asked; the end is in milliseconds of Unix time.
const (
	macSize   = 16
	stampSize = 16
	deflated  = 1

	deflateFrom = 4 << 10 // below it, what is saved costs more than what is sent
)

// seal makes the value of a result.
func (r *ring) seal(at *place, states []string, res *Result, until time.Time) []byte {
	b := make([]byte, macSize, macSize+stampSize+32+len(res.Packets))
	s := stamp(states)
	b = append(b, s[:]...)
	packets, flags := res.Packets, byte(0)
	if len(packets) >= deflateFrom {
		if small := deflate(packets); len(small) < len(packets)*7/8 {
			packets, flags = small, deflated
		}
	}
	b = append(b, flags, res.Next)
	b = binary.AppendUvarint(b, res.Rows)
	b = binary.AppendUvarint(b, res.Found)
	b = binary.AppendUvarint(b, uint64(until.UnixMilli()))
	b = binary.AppendUvarint(b, uint64(len(res.Packets)))
	b = append(b, packets...)
	copy(b, r.sign(at, b[macSize:]))
	return b
}

// open gives the result of a value that was stored under the tags' present versions, and under
// this name by one who has the secret.
func (r *ring) open(at *place, states []string, b []byte) (res *Result, until time.Time, ok bool) {
	if len(b) < macSize+stampSize+2 {
		return nil, until, false
	}
	s := stamp(states)
	if !bytes.Equal(b[macSize:macSize+stampSize], s[:]) || subtle.ConstantTimeCompare(b[:macSize], r.sign(at, b[macSize:])) != 1 {
		return nil, until, false
	}
	b = b[macSize+stampSize:]
	res = &Result{Next: b[1]}
	flags := b[0]
	b = b[2:]
	var numbers [4]uint64
	for i := range numbers {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, until, false
		}
		numbers[i], b = v, b[n:]
	}
	res.Rows, res.Found = numbers[0], numbers[1]
	if numbers[3] > MaxResult {
		return nil, until, false
	}
	if res.Packets = b; flags&deflated != 0 {
		res.Packets = inflate(b, int(numbers[3]))
	}
	return res, time.UnixMilli(int64(numbers[2])), uint64(len(res.Packets)) == numbers[3]
}

func (r *ring) sign(at *place, b []byte) []byte {
	h := hmac.New(sha256.New, r.mac)
	h.Write([]byte(at.entry.name))
	h.Write([]byte{0})
	h.Write(b)
	return h.Sum(nil)[:macSize]
}

func stamp(states []string) (s [stampSize]byte) {
	h := sha256.New()
	for _, state := range states {
		h.Write([]byte(state))
		h.Write([]byte{0})
	}
	copy(s[:], h.Sum(nil))
	return s
}

func deflate(b []byte) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		return b
	}
	if _, err = w.Write(b); err == nil {
		err = w.Close()
	}
	if err != nil {
		return b
	}
	return out.Bytes()
}

// inflate gives exactly n bytes, or something else when the value is not what it says.
func inflate(b []byte, n int) []byte {
	out := make([]byte, n)
	r := flate.NewReader(bytes.NewReader(b))
	if _, err := io.ReadFull(r, out); err != nil {
		return nil
	}
	return out
}
