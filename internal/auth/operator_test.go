package auth_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/auth"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/token"
)

func TestOperator(t *testing.T) {
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx := t.Context()
		o := &auth.Operator{Store: auth.OperatorStore{OperatorUsers: db.Accounts, OperatorFactors: db.Factors,
			OperatorSessions: db.Sessions}, Log: slog.New(slog.DiscardHandler), PasswordMin: 15}
		if _, err := o.Create(ctx, auth.Registration{Username: "ann", Password: "short"},
			domain.SystemUser); domain.KindOf(err) != domain.Invalid {
			t.Errorf("a short password: %v", err)
		}
		u, err := o.Create(ctx, auth.Registration{Username: "ann", Password: "seven quiet otters row"}, domain.SystemAdmin)
		if err != nil || u.Role != domain.SystemAdmin {
			t.Fatalf("%+v %v", u, err)
		}
		if _, err := o.Create(ctx, auth.Registration{Username: "Ann", Password: "seven quiet otters row"},
			domain.SystemUser); domain.KindOf(err) != domain.Conflict {
			t.Errorf("the same name again: %v", err)
		}
		keys, err := token.NewKeyring("HS256", []byte("0123456789abcdef0123456789abcdef"))
		if err != nil {
			t.Fatal(err)
		}
		issued, err := o.IssueToken(ctx, keys, "ann", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		c, err := keys.Verify(issued, time.Now())
		if err != nil || c.User != u.ID || c.Session != "" || c.Role != "admin" {
			t.Errorf("%+v %v", c, err)
		}
		if _, err := o.SetDisabled(ctx, "ann", true); domain.CodeOf(err) != domain.CodeLastAdmin {
			t.Errorf("the only administrator: %v", err)
		}
		if _, err := o.Create(ctx, auth.Registration{Username: "bob", Password: "seven quiet otters row"},
			domain.SystemAdmin); err != nil {
			t.Fatal(err)
		}
		for what, do := range map[string]func() (domain.User, error){
			"role":     func() (domain.User, error) { return o.SetRole(ctx, "ann", domain.SystemUser) },
			"password": func() (domain.User, error) { return o.ResetPassword(ctx, "ann", "nine loud badgers swim") },
			"disabled": func() (domain.User, error) { return o.SetDisabled(ctx, "ann", true) },
			"sessions": func() (domain.User, error) { return o.EndSessions(ctx, "ann") },
			"everybody's": func() (domain.User, error) {
				if _, err := o.EndAllSessions(ctx); err != nil {
					return domain.User{}, err
				}
				return db.Accounts.UserByUsername(ctx, "ann")
			},
		} {
			before, err := db.Accounts.UserByUsername(ctx, "ann")
			if err != nil {
				t.Fatal(err)
			}
			if after, err := do(); err != nil || after.Epoch <= before.Epoch {
				t.Errorf("%s: epoch %d after %d, %v: tokens go on", what, after.Epoch, before.Epoch, err)
			}
		}
		if _, err := o.IssueToken(ctx, keys, "ann", time.Minute); domain.CodeOf(err) != domain.CodeDisabled {
			t.Errorf("a token for someone disabled: %v", err)
		}
		if _, err := o.SetRole(ctx, "nobody", domain.SystemUser); domain.KindOf(err) != domain.NotFound {
			t.Errorf("nobody: %v", err)
		}
		if all, err := o.List(ctx); err != nil || len(all) != 2 || !all[0].Disabled {
			t.Errorf("%+v %v", all, err)
		}
	})
}
