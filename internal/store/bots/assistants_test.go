package bots_test

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A question is answered by one node, a room's one after the other, and by another one when the lease is over.
func TestAQuestionIsLeased(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, s := t.Context(), db.Assistants
		room := testkit.Room(t, db, 2)
		bot := testkit.Bot(t, db, testkit.UserID(0), "ask")
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		now := time.UnixMilli(1_800_000_000_000)
		if err := s.SetAssistant(ctx, testkit.UserID(1), bot, "", now); domain.CodeOf(err) != domain.CodeNoBot {
			t.Errorf("somebody else's bot: %v", err)
		}
		must(s.SetAssistant(ctx, testkit.UserID(0), bot, "Be brief.", now))
		q := domain.Question{Room: room, Bot: bot, Asker: testkit.UserID(1)}
		ask := func(seq int64, want bool) {
			t.Helper()
			q.Seq = seq
			stored, err := s.Ask(ctx, q, domain.QuestionLimits{Person: 2, Room: 8}, now)
			if must(err); stored != want {
				t.Errorf("question %d is stored: %v", seq, stored)
			}
		}
		for seq, want := range []bool{true, true, true, false, false} { // the third is refused
			ask(int64(seq+1), want)
		}
		ask(1, false)
		claim := func(now time.Time, want int64) domain.Answering {
			t.Helper()
			a, ok, err := s.ClaimAnswer(ctx, now.Add(time.Minute), now)
			if must(err); ok != (want != 0) || ok && a.Seq != want {
				t.Fatalf("got question %d, want %d: %+v", a.Seq, want, a)
			}
			return a
		}
		a := claim(now, 1)
		if a.Assistant.Instructions != "Be brief." || a.Assistant.Owner != testkit.UserID(0) || a.Refused {
			t.Errorf("question %+v", a)
		}
		claim(now, 0) // the room has an answer under way
		a.Message = 7
		if stopped, ok, err := s.RenewAnswer(ctx, &a, now.Add(2*time.Minute)); err != nil || !ok || stopped {
			t.Errorf("renewed: %v, %v, %v", stopped, ok, err)
		}
		must(s.Stop(ctx, room, 7))
		if stopped, ok, err := s.RenewAnswer(ctx, &a, now.Add(3*time.Minute)); err != nil || !ok || !stopped {
			t.Errorf("stopped: %v, %v, %v", stopped, ok, err)
		}
		late := now.Add(4 * time.Minute)
		other := claim(late, 1)
		if other.Message != 7 {
			t.Errorf("another node gets %+v", other)
		}
		if _, ok, err := s.RenewAnswer(ctx, &a, late); err != nil || ok {
			t.Errorf("who lost the lease renews it: %v", err)
		}
		must(s.FinishAnswer(ctx, a))
		claim(late, 0)
		must(s.FinishAnswer(ctx, other))
		second := claim(late, 2)
		must(s.RetryAnswer(ctx, second, late.Add(time.Minute)))
		refused := claim(late, 3)
		if !refused.Refused {
			t.Error("the third is not refused")
		}
		must(s.FinishAnswer(ctx, refused))
		if again := claim(late.Add(time.Minute), 2); again.Tries != 1 {
			t.Errorf("again with %d tries", again.Tries)
		}
		must(s.EndAssistant(ctx, testkit.UserID(0), bot))
		must(db.Departure.DeleteBot(ctx, testkit.UserID(0), bot, now))
		must(s.PruneAnswers(ctx, now.Add(2*time.Hour)))
		claim(late.Add(time.Hour), 0)
	})
}
