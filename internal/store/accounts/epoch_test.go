package accounts_test

import (
	"context"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// enders are the ways by which sign-ins and links that were begun must end. Each
// leaves the account enabled.
var enders = map[string]func(ctx context.Context, db *all.Store, user string, now time.Time) error{
	"disabled and enabled again": func(ctx context.Context, db *all.Store, user string, now time.Time) error {
		if _, err := db.Accounts.SetUserDisabled(ctx, user, true, now); err != nil {
			return err
		}
		_, err := db.Accounts.SetUserDisabled(ctx, user, false, now)
		return err
	},
	"sessions ended by an administrator": func(ctx context.Context, db *all.Store, user string, now time.Time) error {
		_, err := db.Sessions.EndSessions(ctx, user, "test", now)
		return err
	},
	"other sessions ended by the user": func(ctx context.Context, db *all.Store, user string, now time.Time) error {
		_, err := db.Sessions.RevokeOthers(ctx, user, "ses_kept", "test", now)
		return err
	},
	"one session ended by the user": func(ctx context.Context, db *all.Store, user string, now time.Time) error {
		return db.Sessions.RevokeSessionOf(ctx, user, "old"+user, "test", now)
	},
	"factors reset": func(ctx context.Context, db *all.Store, user string, now time.Time) error {
		_, err := db.Factors.ResetFactors(ctx, user, now)
		return err
	},
	"role changed": func(ctx context.Context, db *all.Store, user string, _ time.Time) error {
		_, err := db.Accounts.SetUserRole(ctx, user, domain.SystemAdmin)
		return err
	},
	"password set by an operator": func(ctx context.Context, db *all.Store, user string, now time.Time) error {
		_, err := db.Accounts.SetPassword(ctx, user, "record", now)
		return err
	},
	"password voided by an administrator": func(ctx context.Context, db *all.Store, user string, now time.Time) error {
		_, err := db.Accounts.VoidPassword(ctx, user, "test", now)
		return err
	},
	"password changed by the user": func(ctx context.Context, db *all.Store, user string, now time.Time) error {
		_, err := db.Accounts.ReplacePassword(ctx, user, "record", "old"+user, sessionOf(user, "next"+user, now),
			[]byte("next"+user), now)
		return err
	},
	"password reset by a link": func(ctx context.Context, db *all.Store, user string, now time.Time) error {
		_, err := db.Accounts.ResetPassword(ctx, []byte(string(domain.ResetTicket)+user), "record", now)
		return err
	},
	"address undone": func(ctx context.Context, db *all.Store, user string, now time.Time) error {
		_, _, err := db.Accounts.UndoEmail(ctx, []byte(string(domain.EmailUndoTicket)+user), now)
		return err
	},
}

func sessionOf(user, id string, now time.Time) domain.Session {
	later := now.Add(time.Hour)
	return domain.Session{ID: id, User: user, CreatedAt: now, LastSeen: now, Idle: later, Expires: later, AuthTime: now,
		AMR: []string{"pwd"}}
}

func TestWhatWasBegunEndsWithTheSessions(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		for name, end := range enders {
			t.Run(name, func(t *testing.T) {
				ctx, now := t.Context(), time.Now()
				u := domain.User{ID: domain.NewID(domain.UserPrefix), Kind: domain.KindUser, Role: domain.SystemUser,
					CreatedAt: now}
				u.Username, u.DisplayName = u.ID[4:], "Ann"
				if err := db.Accounts.CreateUser(ctx, u, "record", domain.Signup{}, now); err != nil {
					t.Fatal(err)
				}
				if err := db.Sessions.BeginSession(ctx, sessionOf(u.ID, "old"+u.ID, now), 0, []byte("old"+u.ID),
					domain.Proof{}); err != nil {
					t.Fatal(err)
				}
				f := domain.Flow{ID: domain.NewID(domain.FlowPrefix), User: u.ID, State: "second_factor",
					Expires: now.Add(time.Minute)}
				if err := db.Sessions.CreateFlow(ctx, f, []byte("ticket"+u.ID), domain.Proof{}, now); err != nil {
					t.Fatal(err)
				}
				kinds := []domain.TicketKind{domain.ResetTicket, domain.UnlockTicket, domain.EmailTicket, domain.PasskeyTicket,
					domain.ProviderTicket}
				for _, kind := range append(kinds, domain.EmailUndoTicket) {
					k := domain.Ticket{Kind: kind, User: u.ID, Data: u.ID + "@example.org", Expires: now.Add(time.Minute)}
					if err := db.Accounts.CreateTicket(ctx, []byte(string(kind)+u.ID), k, now); err != nil {
						t.Fatal(err)
					}
				}
				if err := end(ctx, db, u.ID, now); err != nil {
					t.Fatal(err)
				}
				if _, _, err := db.Sessions.TryFlow(ctx, []byte("ticket"+u.ID), f.State, 5, noCounters,
					now); domain.CodeOf(err) != domain.CodeFlowEnded {
					t.Errorf("the ticket of a second factor: %v", err)
				}
				if err := db.Sessions.CompleteFlow(ctx, f, sessionOf(u.ID, "ses_flow"+u.ID, now), []byte("flow"+u.ID),
					domain.Proof{}, now); domain.CodeOf(err) != domain.CodeFlowEnded {
					t.Errorf("a second factor was completed: %v", err)
				}
				for _, kind := range kinds {
					if _, err := db.Accounts.UseTicket(ctx, []byte(string(kind)+u.ID), kind,
						now); domain.CodeOf(err) != domain.CodeTicketEnded {
						t.Errorf("ticket %s: %v", kind, err)
					}
				}
			})
		}
	})
}

// What was checked before the epoch rose, and is written after, counts no more: no
// ticket has to be left for that.
func TestAnEarlierEpochBeginsNothing(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		u := domain.User{ID: "usr_ann", Kind: domain.KindUser, Username: "ann", Role: domain.SystemUser, CreatedAt: now}
		if err := db.Accounts.CreateUser(ctx, u, "record", domain.Signup{}, now); err != nil {
			t.Fatal(err)
		}
		late := func(u domain.User) map[string]error {
			f := domain.Flow{ID: domain.NewID(domain.FlowPrefix), User: u.ID, Epoch: u.Epoch, State: "second_factor",
				Expires: now.Add(time.Minute)}
			if err := db.Sessions.CreateFlow(ctx, f, []byte(f.ID), domain.Proof{}, now); err != nil {
				t.Fatal(err)
			}
			return map[string]error{
				"a session": db.Sessions.BeginSession(ctx, sessionOf(u.ID, domain.NewID(domain.SessionPrefix), now), u.Epoch,
					[]byte(f.ID), domain.Proof{}),
				"a second factor": db.Sessions.CompleteFlow(ctx, f, sessionOf(u.ID, domain.NewID(domain.SessionPrefix), now),
					[]byte(f.ID+"2"), domain.Proof{}, now),
				"a passkey": db.Factors.AddPasskey(ctx, domain.Passkey{ID: f.ID, User: u.ID, Credential: []byte("{}")}, u.Epoch,
					nil, now),
				"a provider": db.Factors.LinkIdentity(ctx,
					domain.Identity{Issuer: "https://id.example", Subject: f.ID, User: u.ID, CreatedAt: now}, u.Epoch),
			}
		}
		for what, err := range late(u) {
			if err != nil {
				t.Errorf("%s while nothing has changed: %v", what, err)
			}
		}
		disabled, err := db.Accounts.SetUserDisabled(ctx, u.ID, true, now)
		if err != nil {
			t.Fatal(err)
		}
		enabled, err := db.Accounts.SetUserDisabled(ctx, u.ID, false, now)
		if err != nil {
			t.Fatal(err)
		}
		for what, err := range late(u) {
			if domain.CodeOf(err) != domain.CodeFlowEnded {
				t.Errorf("%s of an earlier epoch: %v", what, err)
			}
		}
		if _, err := db.Accounts.SetUserDisabled(ctx, u.ID, true, now); err != nil {
			t.Fatal(err)
		}
		for _, u := range []domain.User{disabled, enabled} {
			for what, err := range late(u) {
				if domain.CodeOf(err) != domain.CodeFlowEnded {
					t.Errorf("%s of a disabled account: %v", what, err)
				}
			}
		}
	})
}

func TestARestoredDatabaseHasNoSessions(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		u := domain.User{ID: "usr_ann", Kind: domain.KindUser, Username: "ann", Role: domain.SystemUser, CreatedAt: now}
		if err := db.Accounts.CreateUser(ctx, u, "record", domain.Signup{}, now); err != nil {
			t.Fatal(err)
		}
		if err := db.Sessions.BeginSession(ctx, sessionOf(u.ID, "ses_ann", now), 0, []byte("refresh"),
			domain.Proof{}); err != nil {
			t.Fatal(err)
		}
		k := domain.Ticket{Kind: domain.ResetTicket, User: u.ID, Expires: now.Add(time.Minute)}
		if err := db.Accounts.CreateTicket(ctx, []byte("reset"), k, now); err != nil {
			t.Fatal(err)
		}
		if ended, err := db.Sessions.EndAllSessions(ctx, "restored", now); err != nil || ended != 1 {
			t.Fatal(ended, err)
		}
		if _, err := db.Sessions.ClaimRefresh(ctx, []byte("refresh"), []byte("next"), time.Hour,
			now); domain.CodeOf(err) != domain.CodeSignedOut {
			t.Errorf("a refresh token of the backup: %v", err)
		}
		if _, err := db.Accounts.UseTicket(ctx, []byte("reset"), domain.ResetTicket,
			now); domain.CodeOf(err) != domain.CodeTicketEnded {
			t.Errorf("a link of the backup: %v", err)
		}
		// Also a token that was made after the backup, when the epoch had risen a little.
		risen, err := db.Sessions.EpochsAbove(ctx, map[string]int64{u.ID: 50})
		if err != nil || risen[u.ID] <= 50 {
			t.Errorf("%v %v", risen, err)
		}
	})
}

func noCounters(string) []domain.Counter { return nil }
