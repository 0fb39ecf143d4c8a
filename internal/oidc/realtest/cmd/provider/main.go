// Provider runs the provider by itself, for the tests in browsers.
package main

import (
	"flag"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/unhidra/unhidra/internal/oidc/realtest"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where to listen; on loopback")
	redirect := flag.String("redirect", "http://localhost:9000/auth/oidc/callback", "where people are sent back to")
	flag.Parse()
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	issuer := "http://" + l.Addr().String() + "/"
	log.Print("issuer ", issuer)
	s := &http.Server{Handler: realtest.Provider(issuer, *redirect), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(s.Serve(l))
}
