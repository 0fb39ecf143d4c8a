package pgtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"strings"
	"time"
)

const templates = "unhidra_template_"

// A Template is a database that is copied, so that a test's database costs a copy of
// files and not a run of all migrations. It is made once on a server. A server that
// was given keeps the newest.
type Template struct {
	// Version is another for other content: letters and digits.
	Version string
	// Prepare makes the content, in an empty database.
	Prepare func(url string) error
}

func (t *Template) name() string { return templates + strings.ToLower(t.Version) }

// makeTemplate makes the template under another name first: under its own it is
// whole. Two processes may do so at once; one is the first.
func (p *postgres) makeTemplate(t *Template) error {
	making := unique("unhidra_making_")
	if err := p.exec("CREATE DATABASE " + making); err != nil {
		return err
	}
	err := t.Prepare(p.url(making))
	if err == nil {
		err = p.settled("ALTER DATABASE " + making + " RENAME TO " + t.name())
	}
	if err != nil {
		dropped := p.exec("DROP DATABASE IF EXISTS " + making + " WITH (FORCE)")
		if is(err, duplicate) || is(err, raced) {
			return dropped
		}
		return err
	}
	if p.given {
		return p.dropOthers(t)
	}
	return nil
}

// settled repeats a query until the connections that were just closed are gone.
func (p *postgres) settled(query string) error {
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if err := p.exec(query); !is(err, inUse) || time.Now().After(deadline) {
			return err
		}
	}
}

// dropOthers drops templates of other versions. One that is being copied stays.
func (p *postgres) dropOthers(t *Template) error {
	var names []string
	err := p.do(func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, "SELECT datname FROM pg_database WHERE starts_with(datname, $1) AND datname <> $2",
			templates, t.name())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			names = append(names, name)
		}
		return rows.Err()
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := p.exec("DROP DATABASE IF EXISTS " + name); err != nil && !is(err, inUse) {
			return err
		}
	}
	return nil
}

// randomText is lower-case letters and digits.
func randomText() string { return strings.ToLower(rand.Text()) }
