package app

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/store"
)

// A Service is a program that the server works with, and which versions of it are supported.
// Numbers are major×100 + minor.
type Service struct {
	Name     string
	From, To int // 0: no version is too new
	Range    string
}

// PostgreSQL says which versions of it are supported.
func PostgreSQL() Service { return Service{"PostgreSQL", 1500, 1799, "15 to 17"} }

// NATS says which versions of it are supported.
func NATS() Service { return Service{"NATS", 210, 0, "2.10 and later"} }

var numbers = regexp.MustCompile(`^(\d+)(?:\.(\d+))?`)

// Supports reports whether a version, as "15.4" or "2.10.1", is in the range.
func (s Service) Supports(version string) bool {
	m := numbers.FindStringSubmatch(version)
	if m == nil {
		return false
	}
	major, _ := strconv.Atoi(m[1]) // the pattern allows digits only
	minor, _ := strconv.Atoi(m[2])
	n := major*100 + min(minor, 99)
	return n >= s.From && (s.To == 0 || n <= s.To)
}

// ReadUpgrade returns what a start of this program would change in the database that c
// names. It changes nothing, and a server may be using the database.
func ReadUpgrade(ctx context.Context, c config.Config) (store.Upgrade, error) {
	u, err := store.ReadUpgrade(ctx, storeOptions(c, StoreOptions{}))
	if err != nil {
		return u, fmt.Errorf("read the schema: %w", err)
	}
	return u, nil
}
