package wire

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// A status that has ended is not told to its owner either.
func TestMeWithoutAnEndedStatus(t *testing.T) {
	t.Parallel()
	u := domain.User{Status: domain.Status{Text: "lunch", Expires: time.Now().Add(-time.Minute)}}
	if me := FromMe(u); me.Status.Text != "" || me.Status.Expires != nil {
		t.Errorf("got %+v", me.Status)
	}
}
