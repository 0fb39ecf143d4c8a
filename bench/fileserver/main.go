// Fileserver serves the files of a folder, its first argument, at an address, its second, with net/http and nothing
// else: what a server in Go takes for it at least.
package main

import (
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	server := &http.Server{Addr: os.Args[2], Handler: http.FileServer(http.Dir(os.Args[1])),
		ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
