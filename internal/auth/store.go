package auth

import (
	"context"
	"io"
	"time"

	"github.com/unhidra/unhidra/internal/auth/factor"
	"github.com/unhidra/unhidra/internal/auth/links"
	"github.com/unhidra/unhidra/internal/auth/lockout"
	"github.com/unhidra/unhidra/internal/auth/sessions"
	"github.com/unhidra/unhidra/internal/domain"
)

// Store is what auth needs remembered, by the repositories that do it.
type Store struct {
	UserStore
	AvatarStore
	DepartureStore
	MessageStore
	PersonalStore
	PeerStore
	DeviceStore
	FlowStore
	// EachOther calls do for what other parts have about a user: reports of theirs, and others.
	EachOther func(ctx context.Context, user string, do func(kind string, v any) error) (reports, others int, err error)
	Sessions  sessions.Store
	Attempts  lockout.Store
	Factors   factor.Store
	Links     links.Store
	SettingStore
}

// SettingStore knows what administrators have changed.
type SettingStore interface {
	Settings(ctx context.Context) ([]domain.Setting, error)
}

// DepartureStore ends accounts.
type DepartureStore interface {
	DeleteUser(ctx context.Context, user string, now time.Time) error
}

// PeerStore says who is in a room with somebody.
type PeerStore interface {
	SharesRoom(ctx context.Context, user string, others []string) ([]string, error)
}

// DeviceStore says which devices somebody owns or shares a room with.
type DeviceStore interface {
	SeenBy(ctx context.Context, user string, devices []string) ([]string, error)
}

// MessageStore finds what somebody wrote.
type MessageStore interface {
	EachMessageBy(ctx context.Context, user string, do func(domain.Message) error) (count int, err error)
	EachReactionBy(ctx context.Context, user string, do func(domain.ReactionBy) error) (count int, err error)
	EachVoteBy(ctx context.Context, user string, do func(domain.VoteBy) error) (count int, err error)
}

// PersonalStore finds what somebody keeps for themselves.
type PersonalStore interface {
	EachKept(ctx context.Context, user string, do func(domain.Kept) error) (count int, err error)
}

// UserStore is what auth needs remembered of accounts.
type UserStore interface {
	UsersByID(ctx context.Context, ids []string) ([]domain.User, error)
	UserByUsername(ctx context.Context, name string) (domain.User, error)
	UserByEmail(ctx context.Context, email string) (domain.User, error)
	SearchUsers(ctx context.Context, q, circle, after string, limit int) ([]domain.User, error)
	Credentials(ctx context.Context, login string) (domain.User, string, error)
	Register(ctx context.Context, u domain.User, pass string, by domain.Signup, now time.Time) (domain.User, error)
	UpgradePassword(ctx context.Context, user, old, password string) error
	ReplacePassword(
		ctx context.Context, user, password, old string, s domain.Session, refresh []byte, now time.Time,
	) (domain.User, error)
	UpdateProfile(ctx context.Context, user string, p domain.Profile) (domain.User, error)
	SetStatus(ctx context.Context, user string, s domain.Status) (domain.User, error)
	HasAdmin(ctx context.Context) (bool, error)
}

// AvatarStore says which files are whose pictures.
type AvatarStore interface {
	SetAvatar(ctx context.Context, user, hash string, now time.Time) (domain.User, error)
	Avatar(ctx context.Context, avatar string) (domain.Picture, error)
	NextOldAvatar(ctx context.Context, after string) (avatar string, data []byte, ok bool, err error)
	MoveAvatar(ctx context.Context, avatar, hash string, now time.Time) error
	ReleaseAvatars(ctx context.Context, now time.Time) error
}

// Files keep files by their content.
type Files interface {
	Put(ctx context.Context, r io.Reader, limit int64) (domain.Blob, error)
	Open(ctx context.Context, hash string) (io.ReadSeekCloser, domain.Blob, error)
}

// FlowStore keeps sign-ins on their way, and begins the sessions that they lead to.
type FlowStore interface {
	CreateFlow(ctx context.Context, f domain.Flow, ticket []byte, p domain.Proof, now time.Time) error
	TryFlow(
		ctx context.Context, ticket []byte, state string, most int, counters func(user string) []domain.Counter,
		now time.Time,
	) (domain.Flow, domain.Reserved, error)
	FlowUser(ctx context.Context, ticket []byte, state string, most int, now time.Time) (user string, err error)
	ChallengeFlow(ctx context.Context, ticket []byte, state string, most int, data string, now time.Time) error
	BeginSession(ctx context.Context, s domain.Session, epoch int64, refresh []byte, p domain.Proof) error
	BeginRemembered(
		ctx context.Context, s domain.Session, epoch int64, refresh []byte, p domain.Proof, r domain.RememberedUse,
	) (ok, fresh bool, err error)
	CompleteFlow(ctx context.Context, f domain.Flow, s domain.Session, refresh []byte, p domain.Proof, now time.Time) error
}
