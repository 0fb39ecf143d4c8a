package guest

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/token"
)

// inviteLife is how long an invitation of an operator may wait.
const inviteLife = 7 * 24 * time.Hour

// OperatorUsers is what an operator's commands need of accounts.
type OperatorUsers interface {
	UserByUsername(ctx context.Context, name string) (domain.User, error)
	CreateSignupInvite(ctx context.Context, i domain.SignupInvite, hash []byte) error
}

// OperatorGuests makes guests, and says whether somebody may add people to rooms.
type OperatorGuests interface {
	SetGuest(ctx context.Context, user string, until, now time.Time) (domain.User, error)
	MayInvite(ctx context.Context, user string, rooms []string, now time.Time) error
}

// Operator manages guests with the rights of whoever has access to the data. A server that runs beside it notices
// within seconds.
type Operator struct {
	Users  OperatorUsers
	Guests OperatorGuests
	Hash   func(secret string) []byte // how the store knows a secret
	URL    string                     // where people reach the server
	Audit  Recorder
}

// Set makes somebody a guest until a time, or changes until when they are one; a time that has passed ends their
// access.
func (o *Operator) Set(ctx context.Context, username string, until time.Time) (domain.User, error) {
	u, err := o.Users.UserByUsername(ctx, username)
	if err != nil {
		return u, err
	}
	if u.Kind != domain.KindUser {
		return u, domain.InvalidField("/user", "only a person can be a guest")
	}
	if err := domain.CheckGuestUntil(until, time.Now()); err != nil {
		return u, err
	}
	if u, err = o.Guests.SetGuest(ctx, u.ID, until, time.Now()); err == nil {
		o.record(ctx, domain.AuditAdminGuest, domain.AuditTarget{Kind: string(domain.KindUser), ID: u.ID},
			map[string]string{"until": until.UTC().Format(time.RFC3339)})
	}
	return u, err
}

// Invite makes an invitation to the server in the name of an administrator, with the note, uses, days of guests and
// rooms of i. It returns the link.
func (o *Operator) Invite(ctx context.Context, username string, i domain.SignupInvite) (link string, err error) {
	by, err := o.Users.UserByUsername(ctx, username)
	if err != nil {
		return "", err
	}
	if by.Role != domain.SystemAdmin || by.Disabled {
		return "", domain.Forbidden.Errorf(domain.CodeNotAdmin, "%s is no administrator of the server", by.Username)
	}
	if i.GuestDays < 0 || i.GuestDays > domain.MaxGuestDays {
		return "", domain.InvalidField("/guest_days", "a guest has access for 1 to %d days", domain.MaxGuestDays)
	}
	if i.Note, err = domain.CheckLine("/note", i.Note, domain.MaxDisplayName, false); err != nil {
		return "", err
	}
	now := time.Now()
	if err := o.Guests.MayInvite(ctx, by.ID, i.Rooms, now); err != nil {
		return "", err
	}
	code := token.Secret()
	i.ID, i.CreatedBy, i.CreatedAt, i.Expires = domain.NewID(domain.SignupPrefix), by.ID, now, now.Add(inviteLife)
	if err := o.Users.CreateSignupInvite(ctx, i, o.Hash(code)); err != nil {
		return "", err
	}
	o.record(ctx, domain.AuditAdminInvite, domain.AuditTarget{Kind: "invite", ID: i.ID},
		map[string]string{"guest_days": strconv.Itoa(i.GuestDays), "rooms": strings.Join(i.Rooms, " ")})
	return o.URL + "/register#invite=" + code, nil
}

func (o *Operator) record(
	ctx context.Context, what domain.AuditType, target domain.AuditTarget, details map[string]string,
) {
	o.Audit.Record(ctx, domain.AuditEvent{Type: what, Actor: domain.AuditActor{Kind: domain.ActorOperator},
		Target: target, Details: details})
}
