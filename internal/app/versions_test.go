package app

import (
	"os"
	"regexp"
	"strings"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
)

func TestVersionsAreCompared(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"15.4 (Debian 15.4-1)": true, "15.14": true, "17.6": true,
		"14.19": false, "18.0": false, "18beta1": false, "": false,
	} {
		if got := PostgreSQL().Supports(version); got != want {
			t.Errorf("PostgreSQL %q: %v", version, got)
		}
	}
	for version, want := range map[string]bool{
		"2.10.0": true, "2.9.25": false, "2.15.2": true, "3.0.0": true, "1.4": false,
	} {
		if got := NATS().Supports(version); got != want {
			t.Errorf("NATS %q: %v", version, got)
		}
	}
}

// The versions of the tests, and those of the examples, are supported.
func TestVersionsOfTestsAndExamplesAreSupported(t *testing.T) {
	t.Parallel()
	u, err := store.ReadUpgrade(t.Context(), testkit.Postgres(t))
	if err != nil || !PostgreSQL().Supports(u.Server) {
		t.Errorf("the tests run with PostgreSQL %q: %v", u.Server, err)
	}
	if !NATS().Supports(natsserver.VERSION) {
		t.Errorf("the tests run with NATS %q", natsserver.VERSION)
	}
	for _, c := range []struct {
		file, pattern string
		service       Service
	}{
		{"../../deploy/compose/compose.yml", `image: postgres:(\S+)`, PostgreSQL()},
		{"../../deploy/compose/compose.yml", `image: nats:(\S+)`, NATS()},
		{"../../deploy/kubernetes/dependencies/postgresql.yaml", `postgresql:(\S+)`, PostgreSQL()},
	} {
		text, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(c.pattern).FindStringSubmatch(string(text))
		if m == nil || !c.service.Supports(m[1]) {
			t.Errorf("%s has %q", c.file, m)
		}
	}
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []Service{PostgreSQL(), NATS()} {
		if !strings.Contains(string(page), s.Name+" "+s.Range) {
			t.Errorf("docs/operations.md does not say %s %s", s.Name, s.Range)
		}
	}
}
