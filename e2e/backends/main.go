// Backends starts what several servers share, a PostgreSQL database and a NATS
// server, for a browser test. It says where they are in one line of JSON, and ends
// them when its input ends, which it does with the test however that ends.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"testing"

	"github.com/unhidra/unhidra/internal/testkit/natstest"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
)

type said struct {
	Database string `json:"database,omitempty"`
	NATS     string `json:"nats,omitempty"`
	Missing  string `json:"missing,omitempty"` // why there are none
}

func main() {
	k := &kit{}
	say(said{Database: pgtest.Database(k, nil), NATS: natstest.Start(k).URL()})
	_, _ = io.Copy(io.Discard, os.Stdin)
	for _, end := range slices.Backward(k.ends) {
		end()
	}
}

func say(s said) {
	if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
		log.Fatal(err)
	}
}

// A kit is to the test kit what a test is: this program lives as long as one.
type kit struct {
	testing.TB
	ends []func()
}

func (k *kit) Helper()                      {}
func (k *kit) Cleanup(end func())           { k.ends = append(k.ends, end) }
func (k *kit) Errorf(f string, args ...any) { log.Printf(f, args...) }
func (k *kit) Fatal(args ...any)            { log.Fatal(args...) }
func (k *kit) Fatalf(f string, args ...any) { log.Fatalf(f, args...) }
func (k *kit) Skipf(f string, args ...any) {
	say(said{Missing: fmt.Sprintf(f, args...)})
	os.Exit(0)
}
