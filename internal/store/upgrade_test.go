package store_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
)

// What a start would change is told before, with the tables and their rows, and nothing is
// changed by that.
func TestAnUpgradeIsToldBeforehand(t *testing.T) {
	t.Parallel()
	testkit.EachOlder(t, 16, func(t *testing.T, o store.Options) {
		raw := testkit.Raw(t, o)
		for _, id := range []string{"ann", "bob", "zoe"} {
			user := `INSERT INTO users (id, username, display_name, created_at) VALUES ($1, $1, $1, 0)`
			if _, err := raw.ExecContext(t.Context(), user, id); err != nil {
				t.Fatal(err)
			}
		}
		u, err := store.ReadUpgrade(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if u.Has != 16 || u.Knows < 21 || len(u.Steps) != u.Knows-16 || u.Server == "" || u.Bytes == 0 {
			t.Fatalf("%+v", u)
		}
		if s := u.Steps[0]; s.Name != "0017_mutes.sql" || !uses(s, "reads", "members", 0) {
			t.Errorf("%+v", s)
		}
		if s := u.Steps[1]; !uses(s, "adds a column to", "users", 3) || !uses(s, "indexes", "users", 3) ||
			!uses(s, "adds a column to", "rooms", 0) {
			t.Errorf("%+v", s)
		}
		if s := u.Steps[2]; len(s.Tables) != 0 {
			t.Errorf("what a trigger will do is not done by the step: %+v", s)
		}
		var steps int
		err = raw.QueryRowContext(t.Context(), `SELECT count(*) FROM schema_migrations`).Scan(&steps)
		if err != nil || steps != 16 {
			t.Errorf("there are %d steps afterwards: %v", steps, err)
		}

		db, err := store.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		if u, err = store.ReadUpgrade(t.Context(), o); err != nil || len(u.Steps) != 0 || u.Has != u.Knows {
			t.Errorf("beside the new version: %+v, %v", u, err)
		}
		newer := `INSERT INTO schema_migrations VALUES ($1, 'x', 0)`
		if _, err := raw.ExecContext(t.Context(), newer, u.Knows+1); err != nil {
			t.Fatal(err)
		}
		if _, err := store.ReadUpgrade(t.Context(), o); err == nil || !strings.Contains(err.Error(), "newer Unhidra") {
			t.Errorf("to an older version: %v", err)
		}
	})
}

func uses(s store.Step, does, table string, rows int64) bool {
	return slices.ContainsFunc(s.Tables, func(u store.TableUse) bool {
		return u.Does == does && u.Table == table && u.Rows == rows && (rows == 0 || u.Bytes > 0)
	})
}

// Older programs go on unless one of the steps says that they cannot.
func TestAnUpgradeSaysWhoCanGoOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		has    int
		oldest []int
		want   bool
	}{{16, nil, true}, {16, []int{9, 16}, true}, {16, []int{9, 17}, false}, {8, []int{9}, false}} {
		u := store.Upgrade{Has: c.has}
		for _, oldest := range c.oldest {
			u.Steps = append(u.Steps, store.Step{Oldest: oldest})
		}
		if got := u.Survives(); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestADatabaseWithoutASchemaIsToldOf(t *testing.T) {
	t.Parallel()
	testkit.EachOlder(t, 0, func(t *testing.T, o store.Options) {
		if _, err := testkit.Raw(t, o).ExecContext(t.Context(), `DROP TABLE schema_migrations`); err != nil {
			t.Fatal(err)
		}
		const want = "this database has no schema yet; run `unhidra migrate`"
		if _, err := store.ReadUpgrade(t.Context(), o); err == nil || err.Error() != want {
			t.Errorf("%v", err)
		}
	})
}
