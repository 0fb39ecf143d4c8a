package store_test

import (
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func TestADatabaseThatDoesNotAnswerIsAnErrorOfItsHealth(t *testing.T) {
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		var r domain.HealthReport
		if err := db.CheckHealth(t.Context(), &r); err != nil || r.Store.Kind != db.Name() || r.Store.Bytes == 0 {
			t.Errorf("%+v, %v", r.Store, err)
		}
		_ = db.Close()
		r = domain.HealthReport{}
		if err := db.CheckHealth(t.Context(), &r); err == nil || r.Store.Kind != db.Name() || r.Store.Bytes != 0 {
			t.Errorf("once it is closed: %+v, %v", r.Store, err)
		}
	})
}
