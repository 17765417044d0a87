// Command relay is the benchmarks' yardstick: what a Go program on the netpoller pays that reads
// the packets of MySQL connections and passes them on, and does nothing else. It has one
// connection to the server for each client, a goroutine for each direction, and no policy.
//
//	relay -listen ADDRESS -server ADDRESS
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:3308", "`address` of the clients")
	server := flag.String("server", "127.0.0.1:3306", "`address` of the server")
	flag.Parse()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(1)
	}
	for {
		client, err := l.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "relay:", err)
			os.Exit(1)
		}
		go serve(client, *server)
	}
}

func serve(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		pass(server, client)
		server.Close()
		client.Close()
	}()
	pass(client, server)
}

// bufSize is what servers write at once.
const bufSize = 16 << 10

// pass copies packets until one side ends: whole ones in one write, as far as they have come.
func pass(to io.Writer, from io.Reader) {
	r, w := bufio.NewReaderSize(from, bufSize), bufio.NewWriterSize(to, bufSize)
	for {
		head, err := r.Peek(4)
		if err != nil {
			return
		}
		size := 4 + int64(head[0]) + int64(head[1])<<8 + int64(head[2])<<16
		if _, err := io.CopyN(w, r, size); err != nil {
			return
		}
		if r.Buffered() < 4 && w.Flush() != nil {
			return
		}
	}
}
