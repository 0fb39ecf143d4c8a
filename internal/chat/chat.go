// Package chat manages rooms: members, permissions and messages. Each change appends an event to
// the room's log and is published on the bus. Package history reads the log.
package chat

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/names"
	"github.com/unhidra/unhidra/internal/trace"
)

// Store stores rooms and messages. It checks permissions in the transaction that makes the change.
type Store struct {
	RoomStore
	DepartureStore
	MessageStore
	UserStore
	LogStore
}

// RoomStore stores rooms.
type RoomStore interface {
	CreateRoom(
		ctx context.Context, actor string, n domain.NewRoom, now time.Time,
	) (s domain.RoomState, created bool, err error)
	RoomAndMember(ctx context.Context, room, user string) (domain.Room, domain.Member, error)
	RoomState(ctx context.Context, user, room string) (domain.RoomState, error)
	RoomStates(ctx context.Context, user string) ([]domain.RoomState, error)
	PublicRooms(ctx context.Context, user, q, after string, limit int) ([]domain.Room, map[string]bool, error)
	LastMessages(ctx context.Context, user string, rooms []string) (map[string]domain.Message, error)
	UpdateRoom(ctx context.Context, actor, room string, c domain.RoomChange, now time.Time) (domain.Event, error)
	DeleteRoom(ctx context.Context, actor, room string, now time.Time) (members []string, err error)
	RemoveRoom(ctx context.Context, room string) (members []string, err error)
	Members
	Invites
	Requests
}

// DepartureStore ends memberships, and those of devices with their owners'.
type DepartureStore interface {
	Leave(ctx context.Context, user, room string, now time.Time) (domain.Event, error)
	Kick(ctx context.Context, actor, room, user, reason string, now time.Time) (domain.Event, error)
	Ban(ctx context.Context, actor, room, user, reason string, now time.Time) (domain.Event, error)
}

// Members stores memberships, bans and mutes.
type Members interface {
	Members(ctx context.Context, room, q, after string, limit int) ([]domain.Member, error)
	SharedRooms(ctx context.Context, user, other string) ([]string, error)
	AddMember(ctx context.Context, actor, room, user string, now time.Time) (domain.Event, error)
	Join(ctx context.Context, user, room string, now time.Time) (domain.Event, error)
	Mute(ctx context.Context, actor, room, user string, until, now time.Time) (domain.Event, error)
	SetRole(ctx context.Context, actor, room, user string, role domain.RoomRole, now time.Time) (domain.Event, error)
	TransferOwnership(ctx context.Context, actor, room, user string, now time.Time) ([]domain.Event, error)
	Unban(ctx context.Context, actor, room, user string, now time.Time) (domain.Event, error)
	Bans(ctx context.Context, room, after string, limit int) ([]domain.Ban, error)
}

// MessageStore stores messages and read marks.
type MessageStore interface {
	AppendMessage(
		ctx context.Context, actor string, d domain.Draft, mentions []string, mentionRoom bool, now time.Time,
	) (e domain.Event, repeat bool, err error)
	EditMessage(
		ctx context.Context, actor, room string, seq int64, text string, mentions []string, mentionRoom bool, now time.Time,
	) (domain.Event, error)
	GrowMessage(ctx context.Context, actor, room string, seq int64, text string, now time.Time) (domain.Event, error)
	Tick(
		ctx context.Context, actor, room string, seq int64, t domain.Ticking, now time.Time,
	) (domain.Event, error)
	DeleteMessage(ctx context.Context, actor, room string, seq int64, now time.Time) (domain.Event, error)
	React(
		ctx context.Context, actor string, r domain.Reacting, now time.Time,
	) (e domain.Event, changed bool, err error)
	StoredBy(ctx context.Context, user string, each int64) (bytes int64, err error)
	ThreadStore
	PinStore
	PollStore
}

// Invites stores invite links.
type Invites interface {
	CreateInvite(ctx context.Context, actor string, i domain.Invite, hash []byte, now time.Time) error
	Invites(ctx context.Context, room string) ([]domain.Invite, error)
	RevokeInvite(ctx context.Context, actor, room, id string, now time.Time) error
	InviteByHash(ctx context.Context, user string, hash []byte, now time.Time) (domain.Invite, domain.Room, error)
	JoinByInvite(ctx context.Context, user string, hash []byte, now time.Time) (room string, err error)
}

// UserStore finds users by name.
type UserStore interface {
	UserByUsername(ctx context.Context, name string) (domain.User, error)
}

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
}

// Deps are the dependencies of the service.
type Deps struct {
	Store     Store
	Bus       bus.Bus
	Log       *slog.Logger
	Metrics   prometheus.Registerer // nil: none
	Now       func() time.Time      // nil: time.Now
	Audit     Recorder              // nil: what a room chooses is not recorded
	Retention func(context.Context) (domain.RetentionRules, error)
	DiskFull  func() error // returns an error if the disk is nearly full; nil: no check
	Quota     int64        // bytes of messages per user with their devices; 0: no limit
	Previews  bool         // rooms may have previews of links
	// OnScreening has the messages screened that are written from now on. It is called before a room asks for that.
	OnScreening   func(context.Context) error
	Pictures      Pictures      // set before the service is used
	OnRoomDeleted func()        // called after a room was deleted; may be nil
	Trace         *trace.Tracer // nil: off
}

// Service is the chat module.
type Service struct {
	Deps
	announcements chan []domain.Event
	sent          *prometheus.CounterVec
	dropped       atomic.Int64 // batches of events that were not published
	quota         *quota
}

// announcementQueueLength is the number of batches of events that may wait to be published. More
// are dropped: gateways read them from the log.
const announcementQueueLength = 4096

// New returns the service. Run must run for events of Announce to be published.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Service{Deps: d, announcements: make(chan []domain.Event, announcementQueueLength)}
	s.sent = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chat_messages_total",
		Help: "Requests to write a message, by result."}, []string{"result"})
	s.quota = &quota{
		limit: d.Quota, now: d.Now, refreshSlot: make(chan struct{}, 1), used: make(map[string]*usage),
		sum: func(ctx context.Context, user string) (int64, error) {
			return d.Store.StoredBy(ctx, user, messageOverhead)
		},
		failed: func(user string, err error) { d.Log.Warn("add up what a user has stored", "user", user, "err", err) },
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "chat_quota_refused_total",
			Help: "Messages and edits that were refused because of the quota of their sender."}),
	}
	if d.Metrics != nil {
		d.Metrics.MustRegister(s.sent, s.quota.refused)
	}
	return s
}

// Send sends a message. The same key from the same principal returns the first message again.
func (s *Service) Send(ctx context.Context, p domain.Principal, d domain.Draft) (domain.Event, error) {
	ctx, span := trace.Start(ctx, "chat.send")
	e, err := s.send(ctx, p, d)
	span.End(err)
	result := "ok"
	if err != nil {
		result = string(domain.KindOf(err))
	}
	s.sent.WithLabelValues(result).Inc()
	return e, err
}

func (s *Service) send(ctx context.Context, p domain.Principal, d domain.Draft) (e domain.Event, err error) {
	if err := domain.CheckRoomID(d.Room); err != nil {
		return e, err
	}
	if err := domain.CheckKey(d.Key); err != nil {
		return e, err
	}
	if d.Answer {
		d.ContentType = domain.ContentAnswer
	} else if d.Poll == nil && d.Forward == nil {
		err = domain.CheckContentType(d.ContentType)
	}
	if err != nil {
		return e, err
	}
	if err := domain.CheckAttachments(d.Files); err != nil {
		return e, err
	}
	if d.Text, err = domain.CheckTextBeside(d.Text, len(d.Files) > 0); err != nil {
		return e, err
	}
	if d.ReplyTo < 0 {
		return e, domain.InvalidField("/reply_to", "this is the number of a message in the room")
	}
	if err := checkThread(d); err != nil {
		return e, err
	}
	if err := s.checkDisk(); err != nil {
		return e, err
	}
	if err := s.quota.take(p, d.Text); err != nil {
		return e, err
	}
	var names []string
	var room bool
	switch {
	case d.Answer:
	case d.Forward != nil: // what is quoted names nobody anew
		names, room = domain.Mentions(d.Forward.Note)
	default:
		names, room = domain.Mentions(d.Text)
	}
	e, _, err = s.Store.AppendMessage(ctx, p.ID, d, names, room, s.Now())
	if err == nil && e.Room != d.Room { // keys are of a user: what was written there is neither this nor for this room
		return domain.Event{}, domain.Conflict.Errorf(domain.CodeKeyReused,
			"a message with this key was written in another room; send this one with a new key")
	}
	if err == nil {
		s.tellFollowers(ctx, e.Message)
	}
	return e, err
}

// MayWrite returns an error if p may not write messages in room at the moment.
func (s *Service) MayWrite(ctx context.Context, p domain.Principal, room string) error {
	_, _, err := s.authorize(ctx, p, room, domain.SendMessage)
	return err
}

// MayRead returns an error if p may not read room.
func (s *Service) MayRead(ctx context.Context, p domain.Principal, room string) error {
	_, _, err := s.authorize(ctx, p, room, domain.ReadRoom)
	return err
}

// ViewOf returns what p sees of the log of room, or an error if p may not read it.
func (s *Service) ViewOf(ctx context.Context, p domain.Principal, room string) (domain.View, error) {
	_, m, err := s.authorize(ctx, p, room, domain.ReadRoom)
	return m.View(), err
}

// MayManageHooks returns an error if p may not manage the webhooks of room.
func (s *Service) MayManageHooks(ctx context.Context, p domain.Principal, room string) error {
	_, _, err := s.authorize(ctx, p, room, domain.ManageHooks)
	return err
}

// Edit changes the text of one's own message. Only one with files may be left without text.
func (s *Service) Edit(
	ctx context.Context, p domain.Principal, room string, seq int64, text string,
) (e domain.Event, err error) {
	if err := domain.CheckRoomID(room); err != nil {
		return e, err
	}
	if text, err = domain.CheckTextBeside(text, true); err != nil { // the store knows whether it has files
		return e, err
	}
	if err := s.checkDisk(); err != nil {
		return e, err
	}
	if err := s.quota.take(p, text); err != nil {
		return e, err
	}
	names, everyone := domain.Mentions(text)
	e, err = s.Store.EditMessage(ctx, p.ID, room, seq, text, names, everyone, s.Now())
	if err == nil {
		s.tellFollowers(ctx, e.Message)
	}
	return e, err
}

// Grow gives one's own answer, as of Draft.Answer, a text that begins with the one it has. It names nobody, and the
// text before is not kept.
func (s *Service) Grow(
	ctx context.Context, p domain.Principal, room string, seq int64, text string,
) (e domain.Event, err error) {
	if text, err = domain.CheckText(text); err != nil {
		return e, err
	}
	if err := s.checkDisk(); err != nil {
		return e, err
	}
	// How much longer it is, is not known here. The next refresh counts it.
	if err := s.quota.take(p, ""); err != nil {
		return e, err
	}
	return s.Store.GrowMessage(ctx, p.ID, room, seq, text, s.Now())
}

// Tick marks a task of one's own message as done or not. If it is so already, the event has no number.
func (s *Service) Tick(
	ctx context.Context, p domain.Principal, room string, seq int64, t domain.Ticking,
) (e domain.Event, err error) {
	if err := domain.CheckRoomID(room); err != nil {
		return e, err
	}
	if err := s.checkDisk(); err != nil {
		return e, err
	}
	// The text is not known here. The next refresh counts what it was before, as of each edit.
	if err := s.quota.take(p, ""); err != nil {
		return e, err
	}
	return s.Store.Tick(ctx, p.ID, room, seq, t, s.Now())
}

// Delete turns a message into a tombstone.
func (s *Service) Delete(ctx context.Context, p domain.Principal, room string, seq int64) (domain.Event, error) {
	if err := domain.CheckRoomID(room); err != nil {
		return domain.Event{}, err
	}
	return s.Store.DeleteMessage(ctx, p.ID, room, seq, s.Now())
}

// authorize returns a room and the membership of p in it, and an error if p lacks the permission
// need.
func (s *Service) authorize(
	ctx context.Context, p domain.Principal, room string, need domain.Permission,
) (domain.Room, domain.Member, error) {
	if err := domain.CheckRoomID(room); err != nil {
		return domain.Room{}, domain.Member{}, err
	}
	r, m, err := s.Store.RoomAndMember(ctx, room, p.ID)
	if err != nil {
		return r, m, err
	}
	return r, m, domain.Allow(r, m, need, s.Now())
}

// checkDisk returns an error if the disk is nearly full. Operations that store data call it.
// Deleting and administrators' operations do not.
func (s *Service) checkDisk() error {
	if s.DiskFull == nil {
		return nil
	}
	return s.DiskFull()
}

// CreateRoom creates a room and adds its members.
func (s *Service) CreateRoom(
	ctx context.Context, p domain.Principal, n domain.NewRoom,
) (st domain.RoomState, err error) {
	direct := n.Kind == domain.DirectRoom
	if n.Name, err = names.Check("/name", n.Name, domain.MaxRoomName, !direct); err != nil {
		return st, err
	}
	if n.Topic, err = domain.CheckProse("/topic", n.Topic, domain.MaxTopic); err != nil {
		return st, err
	}
	if len(n.Members) > domain.MaxFirst {
		return st, domain.InvalidField("/members", "a new room has at most %d people besides you: ask the others later",
			domain.MaxFirst)
	}
	for _, id := range n.Members {
		if !domain.ValidID(domain.UserPrefix, id) {
			return st, domain.InvalidField("/members", "%q is not the id of a user", id)
		}
	}
	if direct && (len(n.Members) == 0 || len(n.Members) >= domain.MaxDirect) {
		return st, domain.InvalidField("/users", "a direct conversation has 2 to %d people, you among them", domain.MaxDirect)
	}
	if err := s.checkDisk(); err != nil {
		return st, err
	}
	if st, _, err = s.Store.CreateRoom(ctx, p.ID, n, s.Now()); err == nil {
		s.publishRequest(ctx, st.Room.ID, n.Members...)
	}
	return st, err
}

// codeEncoding is the encoding of the codes in invitation links.
var codeEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

func newCode() string {
	var b [17]byte
	_, _ = rand.Read(b[:]) // never fails
	return codeEncoding.EncodeToString(b[:])
}

func hashCode(code string) []byte {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.TrimSpace(code))))
	return sum[:]
}
