package store

import (
	"regexp"
	"strings"
	"testing"
)

// quick are statements that go through no table that is there already.
var quick = regexp.MustCompile(`(?is)^(CREATE (VIRTUAL )?TABLE|CREATE (OR REPLACE )?(FUNCTION|TRIGGER)|` +
	`DROP (INDEX|TRIGGER|FUNCTION)|ALTER TABLE \w+ (DROP CONSTRAINT|SET )|INSERT INTO [^;]* VALUES|SELECT \d+$)`)

// Every statement of every step is one of which an operator is told what it does, or one that
// is quick however many rows there are.
func TestEveryStepIsUnderstood(t *testing.T) {
	t.Parallel()
	for _, d := range []*dialect{sqlite, postgres} {
		steps, err := d.migrations(serverSchema())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range steps {
			for statement := range strings.SplitSeq(notDone.ReplaceAllString(m.text, ""), ";") {
				statement = strings.TrimSpace(statement)
				if statement == "" || quick.MatchString(statement) || len(parseStep(statement)) > 0 {
					continue
				}
				t.Errorf("%s, %s: add what this does to the statements that parseStep knows: %s",
					d.name, m.name, statement)
			}
		}
	}
}
