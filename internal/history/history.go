// Package history reads the logs of rooms: pages of a timeline, replays, single messages and
// searches. Only present members can read a room. The package also purges expired events.
package history

import (
	"context"
	"log/slog"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/embed"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/wire"
)

// Store is the store that history reads from.
type Store struct {
	RoomStore
	LogStore
	ReactionStore
	PinStore
	PollStore
	ThreadStore
	SearchStore
	UserStore
	RetentionStore
	SettingStore
	Database
}

// RoomStore returns rooms and memberships.
type RoomStore interface {
	RoomAndMember(ctx context.Context, room, user string) (domain.Room, domain.Member, error)
}

// SearchStore searches messages.
type SearchStore interface {
	Search(
		ctx context.Context, user string, q fulltext.Query, order domain.SearchOrder, c domain.SearchCursor, limit int,
	) ([]domain.Hit, *domain.SearchCursor, error)
	Indexed(ctx context.Context) (all bool, err error)
	SearchByMeaning(
		ctx context.Context, user string, q fulltext.Query, v *embed.Vector, c domain.SearchCursor, limit int,
	) ([]domain.Hit, *domain.SearchCursor, error)
}

// Meaning makes vectors of what somebody searches for.
type Meaning interface {
	// Knows reports whether a text is in a language that it may know.
	Knows(text string) bool
	Vector(text string) *embed.Vector
}

// UserStore returns users.
type UserStore interface {
	UsersByID(ctx context.Context, ids []string) ([]domain.User, error)
}

// SettingStore returns the settings of administrators.
type SettingStore interface {
	Settings(ctx context.Context) ([]domain.Setting, error)
}

// Database returns free pages to the disk.
type Database interface {
	Compact(ctx context.Context) (more bool, err error)
}

// LogStore reads logs of rooms.
type LogStore interface {
	Timeline(ctx context.Context, v domain.View, q domain.PageQuery) (domain.Page, error)
	Replay(ctx context.Context, v domain.View, after int64, limit int) ([]domain.Event, error)
	MessageAt(ctx context.Context, v domain.View, seq int64) (domain.Message, error)
	Versions(ctx context.Context, v domain.View, seq int64) ([]domain.Version, error)
}

// RetentionStore finds and purges expired events.
type RetentionStore interface {
	Purgeable(ctx context.Context, after string, limit int) ([]domain.Purgeable, error)
	NthNewestLine(ctx context.Context, room string, lines int) (seq int64, err error)
	Purge(ctx context.Context, room string, step domain.PurgeStep) (domain.Purged, error)
	PurgeDeleted(ctx context.Context, room string, limit int) (domain.Purged, error)
}

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
}

// Deps are the dependencies of the service.
type Deps struct {
	Store     Store
	Meaning   Meaning // nil: search finds by words alone
	Bus       bus.Bus
	Audit     Recorder
	Log       *slog.Logger
	Metrics   prometheus.Registerer // nil: none
	Retention domain.RetentionRules // used where administrators have set nothing
	Now       func() time.Time      // nil: time.Now
}

// Service is the history module.
type Service struct {
	Deps
	wake     chan struct{}
	purged   prometheus.Counter
	searches *searchSlots
}

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Service{Deps: d, wake: make(chan struct{}, 1), searches: newSearchSlots()}
	s.purged = prometheus.NewCounter(prometheus.CounterOpts{Name: "history_purged_events_total",
		Help: "Events purged by this node, because they expired or their room was deleted."})
	if d.Metrics != nil {
		d.Metrics.MustRegister(s.purged)
	}
	return s
}

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	op := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: "GET", Path: path, Tags: []string{"history"}, Summary: summary,
			Security: httpx.Bearer}
	}
	httpx.Register(api, op("get-timeline", "/rooms/{room}/timeline",
		"A page of a room's timeline, the latest unless you say otherwise"), s.getTimeline)
	httpx.Register(api, op("replay-events", "/rooms/{room}/events", "A stretch of a room's log, edits and all"),
		s.getEvents)
	httpx.Register(api, op("get-message", "/rooms/{room}/messages/{seq}", "One message as it is now"), s.getMessage)
	httpx.Register(api, op("list-versions", "/rooms/{room}/messages/{seq}/versions",
		"The earlier texts of an edited message, for those who may read it"), s.getVersions)
	httpx.Register(api, op("list-reactions", "/rooms/{room}/messages/{seq}/reactions/{emoji}",
		"Who reacted to a message with an emoji, who was first comes first"), s.getReactors)
	httpx.Register(api, op("list-pins", "/rooms/{room}/pins",
		"The pinned messages of a room, the one that was pinned last first"), s.getPins)
	httpx.Register(api, op("list-voters", "/rooms/{room}/messages/{seq}/poll/choices/{choice}/voters",
		"Who voted for a choice of a poll that is not anonymous, by their ids"), s.getVoters)
	s.threadRoutes(api, op)
	httpx.Register(api, op("get-retention", "/retention",
		"How long rooms keep their messages, and what a room may choose"), s.getRetention)
	httpx.Register(api, op("search", "/search", "Find messages in your rooms"), s.search)
}

// authorizeRead returns what the caller sees of a room's log, and an error if they are not a member.
func (s *Service) authorizeRead(ctx context.Context, room string) (domain.View, error) {
	_, v, err := s.roomToRead(ctx, room)
	return v, err
}

// roomToRead is authorizeRead, and returns the room as well.
func (s *Service) roomToRead(ctx context.Context, room string) (domain.Room, domain.View, error) {
	if err := domain.CheckRoomID(room); err != nil {
		return domain.Room{}, domain.View{}, err
	}
	r, m, err := s.Store.RoomAndMember(ctx, room, httpx.Principal(ctx).ID)
	if err != nil {
		return r, domain.View{}, err
	}
	return r, m.View(), domain.Allow(r, m, domain.ReadRoom, s.Now())
}

type timelineInput struct {
	Room   string    `path:"room" maxLength:"64"`
	Before int64     `query:"before" minimum:"0" doc:"lines with lower numbers"`
	After  int64     `query:"after" minimum:"0" doc:"lines with higher numbers"`
	Around int64     `query:"around" minimum:"0" doc:"half a page on either side of this number"`
	At     time.Time `query:"at" doc:"the lines around this time"`
	Cursor string    `query:"cursor" doc:"prev or next of an earlier page"`
	Limit  int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Main   bool      `query:"main" doc:"without replies in threads, except those that are lines of the room as well"`
	Fold   bool      `query:"fold" doc:"a run of four or more joins and departures comes as its last one, with how many it stands for; pages may be shorter"`
}

// timelineCursor is the content of a timeline cursor.
type timelineCursor struct {
	Before int64 `json:"b,omitempty"`
	After  int64 `json:"a,omitempty"`
}

func (in *timelineInput) query() (domain.PageQuery, error) {
	q := domain.PageQuery{Before: in.Before, After: in.After, Around: in.Around, At: in.At, Limit: in.Limit, Fold: in.Fold,
		Main: in.Main}
	n := 0
	for _, set := range []bool{in.Before > 0, in.After > 0, in.Around > 0, !in.At.IsZero(), in.Cursor != ""} {
		if set {
			n++
		}
	}
	if n > 1 {
		return q, domain.Invalid.Errorf(domain.CodeOnePlace, "say only one of before, after, around, at and cursor")
	}
	if in.Cursor != "" {
		var p timelineCursor
		if err := httpx.DecodeCursor(in.Cursor, &p); err != nil {
			return q, err
		}
		q.Before, q.After = p.Before, p.After
	}
	return q, nil
}

// timelineLine is an event of a timeline.
type timelineLine struct {
	wire.Event
	Folded *foldedRun `json:"folded,omitempty" doc:"with fold: the joins and departures right before this one that are left out"`
}

type foldedRun struct {
	From  int64 `json:"from" doc:"number of the first that is left out"`
	Count int   `json:"count" doc:"how many are left out"`
}

type timelineOutput struct{ Body httpx.Page[timelineLine] }

func (s *Service) getTimeline(ctx context.Context, in *timelineInput) (*timelineOutput, error) {
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	v, err := s.authorizeRead(ctx, in.Room)
	if err != nil {
		return nil, err
	}
	page, err := s.Store.Timeline(ctx, v, q)
	if err == nil {
		err = s.markMine(ctx, page.Events)
	}
	if err != nil {
		return nil, err
	}
	out := &timelineOutput{httpx.Page[timelineLine]{Items: lines(page)}}
	if n := len(page.Events); n > 0 {
		if page.Older {
			out.Body.Prev = httpx.EncodeCursor(timelineCursor{Before: page.Start()})
		}
		if page.Newer {
			out.Body.Next = httpx.EncodeCursor(timelineCursor{After: page.Events[n-1].Seq})
		}
	}
	return out, nil
}

func lines(p domain.Page) []timelineLine {
	vs := make([]timelineLine, len(p.Events))
	for i, e := range p.Events {
		vs[i] = timelineLine{Event: wire.FromEvent(e)}
		if f, ok := p.Folds[e.Seq]; ok {
			run := foldedRun(f)
			vs[i].Folded = &run
		}
	}
	return vs
}

func events(es []domain.Event) []wire.Event {
	vs := make([]wire.Event, len(es))
	for i, e := range es {
		vs[i] = wire.FromEvent(e)
	}
	return vs
}

func (s *Service) getEvents(ctx context.Context, in *struct {
	Room  string `path:"room" maxLength:"64"`
	After int64  `query:"after" minimum:"0" doc:"the last number that you have"`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"200"`
}) (*struct{ Body wire.Replay }, error) {
	r, v, err := s.roomToRead(ctx, in.Room)
	if err != nil {
		return nil, err
	}
	es, err := s.Store.Replay(ctx, v, in.After, in.Limit)
	if err == nil {
		err = s.markMine(ctx, es)
	}
	if err != nil {
		return nil, err
	}
	out := wire.Replay{Room: in.Room, Events: events(es), Head: r.Head, Floor: v.After(r.Floor)}
	out.Reset = in.After < out.Floor
	if n := len(es); n > 0 {
		out.Head = max(out.Head, es[n-1].Seq)
		out.More = es[n-1].Seq < out.Head
		if first := es[0].Seq; first > in.After+1 { // perhaps older ones were just purged
			out.Floor, out.Reset = first-1, true
		}
	}
	return &struct{ Body wire.Replay }{out}, nil
}

type searchInput struct {
	Zone    string `query:"zone" maxLength:"64" example:"Europe/Vienna" doc:"whose days before: and after: mean, as an IANA name; that of your profile unless you say, or else UTC"`
	Q       string `query:"q" required:"true" maxLength:"1024" doc:"words, \"phrases\", prefix*, -without, from:name, mentions:me, in:room, before:2026-01-31, after:2026-01-31, has:link, has:file, has:poll, has:pin, lang:de, lang:unknown"`
	Sort    string `query:"sort" enum:"newest,relevance" default:"newest"`
	Meaning bool   `query:"meaning" default:"true" doc:"with sort=relevance: also find messages that say the same in other words, if the server can; a query with phrases, prefixes or exclusions finds by words alone"`
	Cursor  string `query:"cursor"`
	Limit   int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

// hit is a search result. Marks are pairs of UTF-16 offsets in the snippet, which browsers use.
type hit struct {
	Message   wire.Message `json:"message"`
	Snippet   string       `json:"snippet" doc:"part of the text, on one line"`
	Marks     [][2]int     `json:"marks" nullable:"false" doc:"what matched: [from, to) in UTF-16 code units of snippet"`
	ByMeaning bool         `json:"by_meaning,omitempty" doc:"it was found by what it means, and need not have the words"`
}

// searchOutput is a page of search results.
type searchOutput struct {
	Items      []hit  `json:"items" nullable:"false"` // not an embedded Page: that would write itself alone
	Next       string `json:"next,omitempty" doc:"Cursor of the next page; absent on the last."`
	Incomplete bool   `json:"incomplete,omitempty" doc:"older messages are still being indexed, and not found yet"`
	Meaning    bool   `json:"meaning,omitempty" doc:"sort=relevance finds messages for this query by what they mean, too"`
}

func (s *Service) search(ctx context.Context, in *searchInput) (*struct{ Body searchOutput }, error) {
	zone, err := s.zone(ctx, in.Zone)
	if err != nil {
		return nil, err
	}
	q, err := fulltext.Parse(in.Q, zone)
	if err != nil {
		return nil, err
	}
	var c domain.SearchCursor
	if in.Cursor != "" {
		if err := httpx.DecodeCursor(in.Cursor, &c); err != nil {
			return nil, err
		}
	}
	user, out := httpx.Principal(ctx).ID, searchOutput{Items: []hit{}}
	err = s.searches.run(ctx, user, func(ctx context.Context) error {
		all, err := s.Store.Indexed(ctx) // before the search: what is indexed meanwhile may be missing
		if err != nil {
			return err
		}
		hits, next, err := s.find(ctx, user, q, in, c, &out)
		if err != nil {
			return err
		}
		for _, h := range hits {
			out.Items = append(out.Items, found(q, h))
		}
		if out.Incomplete = !all; next != nil {
			out.Next = httpx.EncodeCursor(*next)
		}
		return nil
	})
	return &struct{ Body searchOutput }{out}, err
}

// find asks the index of words alone, or with it the vectors of messages.
func (s *Service) find(
	ctx context.Context, user string, q fulltext.Query, in *searchInput, c domain.SearchCursor, out *searchOutput,
) ([]domain.Hit, *domain.SearchCursor, error) {
	order := domain.SearchOrder(in.Sort)
	if s.Meaning != nil && in.Meaning && s.Meaning.Knows(q.Plain) {
		if out.Meaning = true; order == domain.Relevance {
			return s.Store.SearchByMeaning(ctx, user, q, s.Meaning.Vector(q.Plain), c, in.Limit)
		}
	}
	return s.Store.Search(ctx, user, q, order, c, in.Limit)
}

// zone returns the time zone with this name, or else that of the user's profile.
func (s *Service) zone(ctx context.Context, name string) (*time.Location, error) {
	if name == "" {
		us, err := s.Store.UsersByID(ctx, []string{httpx.Principal(ctx).ID})
		if err != nil || len(us) == 0 {
			return time.UTC, err
		}
		if zone, err := time.LoadLocation(us[0].TimeZone); err == nil {
			return zone, nil
		}
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, domain.InvalidField("?zone", "a time zone is an IANA name such as Europe/Vienna")
	}
	return zone, nil
}

func found(q fulltext.Query, h domain.Hit) hit {
	snippet, marks := q.Snippet(domain.PlainLine(h.Message.Text))
	if marks == nil {
		marks = [][2]int{}
	}
	return hit{wire.FromMessage(h.Message), snippet, marks, h.ByMeaning}
}

// Queues returns the queue of searches, for metrics.
func (s *Service) Queues() []obs.Queue {
	return []obs.Queue{{
		Name: "searches", Limit: maxWaitingSearches,
		Depth: func() int { return int(s.searches.waiting.Load()) }, Full: s.searches.refused.Load,
	}}
}
