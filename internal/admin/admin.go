// Package admin is what administrators do to the server as a whole: accounts,
// invitations to it, and the settings that are safe to change while it runs. It
// gives nobody a way to read what is said in rooms, nor to know a password.
package admin

import (
	"context"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/token"
)

// Store is what admin needs remembered.
type Store struct {
	AccountStore
	GuestStore
	SessionStore
	FactorStore
	PasswordStore
	DepartureStore
	RoomStore
	LogStore
	SettingStore
}

// GuestStore is what administrators do with guests.
type GuestStore interface {
	SetGuest(ctx context.Context, user string, until, now time.Time) (domain.User, error)
	MayInvite(ctx context.Context, user string, rooms []string, now time.Time) error
}

// SessionStore ends and lists sessions.
type SessionStore interface {
	EndSessions(ctx context.Context, user, reason string, now time.Time) (domain.User, error)
	Sessions(ctx context.Context, user string, now time.Time) ([]domain.Session, error)
	RevokeSessionOf(ctx context.Context, user, id, reason string, now time.Time) error
}

// FactorStore knows second factors.
type FactorStore interface {
	ResetFactors(ctx context.Context, user string, now time.Time) (domain.User, error)
	Factors(ctx context.Context, user string) (domain.Factors, error)
}

// PasswordStore takes passwords away.
type PasswordStore interface {
	VoidPassword(ctx context.Context, user, reason string, now time.Time) (domain.User, error)
}

// DepartureStore ends accounts.
type DepartureStore interface {
	DeleteUser(ctx context.Context, user string, now time.Time) error
}

// RoomStore is what administrators do with rooms.
type RoomStore interface {
	AllRooms(ctx context.Context, q string, order domain.RoomOrder, after string, limit int) ([]domain.OwnedRoom, error)
	Room(ctx context.Context, room string) (domain.Room, error)
	HoldRoom(ctx context.Context, actor, room string, held bool, now time.Time) (domain.Event, error)
	ArchiveRoom(ctx context.Context, actor, room string, archived bool, now time.Time) error
}

// LogStore says how much a room keeps.
type LogStore interface {
	RoomUsage(ctx context.Context, r domain.Room) (domain.RoomUsage, error)
}

// SettingStore keeps what administrators have changed.
type SettingStore interface {
	Settings(ctx context.Context) ([]domain.Setting, error)
	SetSetting(ctx context.Context, s domain.Setting) error
}

// AccountStore is what administrators do with accounts.
type AccountStore interface {
	Accounts(
		ctx context.Context, q string, role domain.SystemRole, after string, limit int,
	) ([]domain.User, error)
	UsersByID(ctx context.Context, ids []string) ([]domain.User, error)
	SetUserRole(ctx context.Context, user string, role domain.SystemRole) (domain.User, error)
	SetUserDisabled(ctx context.Context, user string, disabled bool, now time.Time) (domain.User, error)
	SignupInvites(ctx context.Context, now time.Time) ([]domain.SignupInvite, error)
	CreateSignupInvite(ctx context.Context, i domain.SignupInvite, hash []byte) error
	DeleteSignupInvite(ctx context.Context, id string) error
}

// Proofs knows who has just proven who they are; others get step_up_required.
type Proofs interface {
	Fresh(ctx context.Context, p domain.Principal) error
}

// Tokens ends access tokens: on this node before Revoke returns.
type Tokens interface {
	Revoke(ctx context.Context, r bus.Revocation)
}

// Passwords has somebody choose another password, by a link, and tells them when
// their second factors were taken away.
type Passwords interface {
	FactorsReset(ctx context.Context, u domain.User)
	ResetLink(ctx context.Context, u domain.User) (link string, mailed bool, err error)
}

// Rooms deletes rooms, and tells those who are in them.
type Rooms interface {
	RemoveRoom(ctx context.Context, room string) error
}

// Recorder is the audit log. What cannot be recorded there is not done.
type Recorder interface {
	RecordSync(ctx context.Context, e domain.AuditEvent) error
}

// Deps are what the service needs.
type Deps struct {
	Store     Store
	Passwords Passwords
	Proofs    Proofs
	Tokens    Tokens
	Rooms     Rooms
	Audit     Recorder
	Health    []HealthChecker            // in the order that they are asked in
	Hash      func(secret string) []byte // how the store knows a secret
	Log       *slog.Logger
	Version   string // of the server
	Started   time.Time
	URL       string                          // where people reach the server
	Defaults  map[string]string               // settings, until somebody changes them
	Apply     func(ctx context.Context) error // has changed settings count on this node, at once; nil: there is nothing to do
	Now       func() time.Time                // nil: time.Now
}

// Service is the admin module.
type Service struct{ Deps }

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Service{d}
}

// By is who does something, and from where.
type By struct {
	domain.Principal
	Addr      netip.Addr
	UserAgent string
	RequestID string
}

// allowed refuses everybody but administrators, and, where fresh is set, those
// who have not proven just now who they are.
func (s *Service) allowed(ctx context.Context, by By, fresh bool) error {
	if !by.IsAdmin() {
		return domain.Forbidden.Errorf(domain.CodeNotAdmin, "this is for administrators of the server")
	}
	if !fresh {
		return nil
	}
	return s.Proofs.Fresh(ctx, by.Principal)
}

// record writes what by is about to do into the audit log, before it is done.
func (s *Service) record(
	ctx context.Context, by By, kind domain.AuditType, target domain.AuditTarget, details map[string]string,
) error {
	s.Log.InfoContext(ctx, string(kind), "admin", by.ID, "target", target.ID, "details", details)
	return s.Audit.RecordSync(ctx, domain.AuditEvent{
		Type: kind, Actor: domain.AuditActor{Kind: domain.ActorAdmin, ID: by.ID}, Target: target, Session: by.SessionID,
		Addr: by.Addr, UserAgent: by.UserAgent, RequestID: by.RequestID, Details: details,
	})
}

// user returns the account that is to be changed.
func (s *Service) user(ctx context.Context, id string) (domain.User, error) {
	users, err := s.Store.UsersByID(ctx, []string{id})
	if err != nil {
		return domain.User{}, err
	}
	if len(users) == 0 || users[0].Kind != domain.KindUser {
		return domain.User{}, domain.NotFound.Errorf(domain.CodeNoUser, "there is no such account")
	}
	return users[0], nil
}

// change does something dangerous to an account: recorded first, and told to
// every node afterwards, whose sockets of that user close. This node accepts no
// earlier token of that user any more when it returns.
func (s *Service) change(
	ctx context.Context, by By, id string, kind domain.AuditType, details map[string]string,
	do func(u domain.User) (domain.User, error),
) (domain.User, error) {
	if err := s.allowed(ctx, by, true); err != nil {
		return domain.User{}, err
	}
	u, err := s.user(ctx, id)
	if err != nil {
		return u, err
	}
	if err := s.record(ctx, by, kind, domain.AuditTarget{Kind: string(domain.KindUser), ID: u.ID}, details); err != nil {
		return u, err
	}
	before := u.Epoch
	if u, err = do(u); err != nil || u.Epoch == before { // what ends no tokens closes no sockets
		return u, err
	}
	s.Tokens.Revoke(ctx, bus.Revocation{User: u.ID, Epoch: u.Epoch, Reason: "account_changed"})
	return u, nil
}

// SetGuest makes somebody a guest until a time, or changes until when they are one. A time that has passed ends their
// access at once; a guest whose access had ended is back with a later one.
func (s *Service) SetGuest(ctx context.Context, by By, id string, until time.Time) (domain.User, error) {
	if err := domain.CheckGuestUntil(until, s.Now()); err != nil {
		return domain.User{}, err
	}
	return s.change(ctx, by, id, domain.AuditAdminGuest, map[string]string{"until": until.UTC().Format(time.RFC3339)},
		func(u domain.User) (domain.User, error) {
			return s.Store.SetGuest(ctx, u.ID, until, s.Now())
		})
}

// SetRole makes somebody an administrator, or a regular user.
func (s *Service) SetRole(ctx context.Context, by By, id string, role domain.SystemRole) (domain.User, error) {
	return s.change(ctx, by, id, domain.AuditAdminUserRole, map[string]string{"role": string(role)},
		func(u domain.User) (domain.User, error) {
			return s.Store.SetUserRole(ctx, u.ID, role)
		})
}

// SetDisabled keeps somebody out, ending all their sessions, or lets them in.
func (s *Service) SetDisabled(ctx context.Context, by By, id string, disabled bool) (domain.User, error) {
	kind := domain.AuditAdminUserEnable
	if disabled {
		kind = domain.AuditAdminUserDisable
	}
	return s.change(ctx, by, id, kind, nil, func(u domain.User) (domain.User, error) {
		return s.Store.SetUserDisabled(ctx, u.ID, disabled, s.Now())
	})
}

// EndSessions signs somebody out everywhere.
func (s *Service) EndSessions(ctx context.Context, by By, id string) error {
	_, err := s.change(ctx, by, id, domain.AuditSessionRevoke, nil, func(u domain.User) (domain.User, error) {
		return s.Store.EndSessions(ctx, u.ID, "ended_by_admin", s.Now())
	})
	return err
}

// EndSession signs somebody out of one browser or program.
func (s *Service) EndSession(ctx context.Context, by By, id, session string) error {
	if err := s.allowed(ctx, by, true); err != nil {
		return err
	}
	u, err := s.user(ctx, id)
	if err != nil {
		return err
	}
	target := domain.AuditTarget{Kind: string(domain.KindUser), ID: u.ID}
	if err := s.record(ctx, by, domain.AuditSessionRevoke, target, map[string]string{"sessions": "one"}); err != nil {
		return err
	}
	if err := s.Store.RevokeSessionOf(ctx, u.ID, session, "ended_by_admin", s.Now()); err != nil {
		return err
	}
	s.Tokens.Revoke(ctx, bus.Revocation{User: u.ID, Session: session, Reason: "ended_by_admin"})
	return nil
}

// ResetFactors takes all second factors of somebody away, who has proven to the
// administrator by other means who they are.
func (s *Service) ResetFactors(ctx context.Context, by By, id string) error {
	u, err := s.change(ctx, by, id, domain.AuditAdminFactorsReset, nil, func(u domain.User) (domain.User, error) {
		return s.Store.ResetFactors(ctx, u.ID, s.Now())
	})
	if err == nil {
		s.Passwords.FactorsReset(ctx, u)
	}
	return err
}

// ResetPassword signs somebody out everywhere and has them choose another
// password: by a mail, or by a link that the administrator passes on. The old one
// opens nothing any more, whether or not the link is used.
func (s *Service) ResetPassword(ctx context.Context, by By, id string) (link string, mailed bool, err error) {
	_, err = s.change(ctx, by, id, domain.AuditAdminPasswordReset, nil, func(u domain.User) (domain.User, error) {
		if u, err = s.Store.VoidPassword(ctx, u.ID, "password_reset_by_admin", s.Now()); err == nil {
			link, mailed, err = s.Passwords.ResetLink(ctx, u)
		}
		return u, err
	})
	return link, mailed, err
}

// Delete ends somebody's account. What they said stays, under no name.
func (s *Service) Delete(ctx context.Context, by By, id string) error {
	_, err := s.change(ctx, by, id, domain.AuditAdminUserDelete, nil, func(u domain.User) (domain.User, error) {
		u.Epoch++
		return u, s.Store.DeleteUser(ctx, u.ID, s.Now())
	})
	return err
}

// Invite makes an invitation to the server, with the note, uses, days of guests and rooms of i, for life. The rooms are
// some that by may add people to. Its code is shown once.
func (s *Service) Invite(
	ctx context.Context, by By, i domain.SignupInvite, life time.Duration,
) (_ domain.SignupInvite, link string, err error) {
	if err := s.allowed(ctx, by, false); err != nil {
		return i, "", err
	}
	if i.Note, err = domain.CheckLine("/note", i.Note, domain.MaxDisplayName, false); err != nil {
		return i, "", err
	}
	for _, id := range i.Rooms {
		if err := domain.CheckRoomID(id); err != nil {
			return i, "", err
		}
	}
	if err := s.Store.MayInvite(ctx, by.ID, i.Rooms, s.Now()); err != nil {
		return i, "", err
	}
	code := token.Secret()
	i.ID, i.CreatedBy, i.CreatedAt, i.Expires = domain.NewID(domain.SignupPrefix), by.ID, s.Now(), s.Now().Add(life)
	var details map[string]string
	if i.GuestDays > 0 || len(i.Rooms) > 0 {
		details = map[string]string{"guest_days": strconv.Itoa(i.GuestDays), "rooms": strings.Join(i.Rooms, " ")}
	}
	if err := s.record(ctx, by, domain.AuditAdminInvite, domain.AuditTarget{Kind: "invite", ID: i.ID},
		details); err != nil {
		return i, "", err
	}
	return i, s.URL + "/register#invite=" + code, s.Store.CreateSignupInvite(ctx, i, s.Hash(code))
}

// Uninvite ends an invitation.
func (s *Service) Uninvite(ctx context.Context, by By, id string) error {
	if err := s.allowed(ctx, by, false); err != nil {
		return err
	}
	if err := s.record(ctx, by, domain.AuditAdminInviteRevoke, domain.AuditTarget{Kind: "invite", ID: id},
		nil); err != nil {
		return err
	}
	return s.Store.DeleteSignupInvite(ctx, id)
}

// values are the settings that may be changed here, and what each may be.
func values() map[string][]string {
	return map[string][]string{
		"registration":  {"open", "invite", "closed"},
		"second_factor": {"none", "admins", "everyone"},
		"custom_emoji":  {"everyone", "admins"},
	}
}

// numbers are the settings that are numbers, and the highest that each may be. All
// begin with 0, which means: no such bound.
func numbers() map[string]int {
	return map[string]int{
		"retention_days": domain.MaxRetentionDays, "retention_lines": domain.MaxRetentionLines,
		"retention_min_days": domain.MaxRetentionDays, "retention_max_days": domain.MaxRetentionDays,
	}
}

// Settings returns every setting that may be changed here, with its value.
func (s *Service) Settings(ctx context.Context) (map[string]string, error) {
	kept, err := s.Store.Settings(ctx)
	if err != nil {
		return nil, err
	}
	now := make(map[string]string)
	for name := range values() {
		now[name] = s.Defaults[name]
	}
	for name := range numbers() {
		now[name] = s.Defaults[name]
	}
	for _, v := range kept {
		if _, ok := now[v.Name]; ok {
			now[v.Name] = v.Value
		}
	}
	return now, nil
}

// Set changes a setting. It counts here when Set returns, and on every other node within seconds.
func (s *Service) Set(ctx context.Context, by By, name, value string) error {
	if err := s.allowed(ctx, by, true); err != nil {
		return err
	}
	before, err := s.Settings(ctx)
	if err != nil {
		return err
	}
	details := map[string]string{"setting": name, "from": before[name], "to": value}
	if err := s.record(ctx, by, domain.AuditConfigChange, domain.AuditTarget{Kind: "setting", ID: name},
		details); err != nil {
		return err
	}
	if err := s.Store.SetSetting(ctx, domain.Setting{Name: name, Value: value, By: by.ID, At: s.Now()}); err != nil {
		return err
	}
	if s.Apply != nil {
		_ = s.Apply(ctx) // if that fails, it is found within seconds, as on other nodes
	}
	return nil
}
