package simulate

import (
	"testing"
	"testing/synctest"

	"github.com/unhidra/unhidra/internal/wire"
)

// busy is a link to a server that refuses answers for a while.
type busy struct {
	uplink
	refuses []*no
	taken   []string
}

func (l *busy) answer(r wire.CommandReport) error {
	if len(l.refuses) > 0 {
		err := l.refuses[0]
		l.refuses = l.refuses[1:]
		return err
	}
	l.taken = append(l.taken, r.ID)
	return nil
}

// An answer that a server cannot take just now is given until it can; one that it never takes is not.
func TestAnswersAreGivenUntilTheServerHasThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, err := New(Options{Server: "http://unused", Devices: []Identity{{ID: "dev_1"}}})
		if err != nil {
			t.Fatal(err)
		}
		d := f.devices[0]
		for _, id := range []string{"cmd_1", "cmd_2"} {
			d.carryOut(wire.Command{CommandLine: wire.CommandLine{ID: id, Action: "unknown"}})
		}
		l := &busy{uplink: uplink{mailbox: newMailbox()}, refuses: []*no{{text: "busy"}, {text: "busy"}, {final: true}}}
		if err := d.settle(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if len(l.taken) != 1 || l.taken[0] != "cmd_2" {
			t.Errorf("the server has the answers of %v", l.taken)
		}
	})
}
