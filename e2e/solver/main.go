// Solver solves proofs of work for tests: challenges come in as lines of JSON, and what
// a client sends goes out, a line each. With the race detector, which watches the tests,
// the same work takes thirteen times as long.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/unhidra/unhidra/internal/captcha"
)

func main() {
	for in := json.NewDecoder(os.Stdin); ; {
		var c captcha.Challenge
		if err := in.Decode(&c); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		solved, err := c.Solve()
		if err != nil {
			log.Fatal(err)
		}
		text, err := solved.Encode()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(text)
	}
}
