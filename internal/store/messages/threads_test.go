package messages_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// said is a message as the fold of a log knows it.
type said struct {
	seq, thread        int64
	by                 int
	broadcast, deleted bool
	names              []int // users
	everyone           bool
}

func (s said) main() bool { return s.thread == 0 || s.broadcast }

// threadMark is what a user has done about a thread.
type threadMark struct {
	read, since int64
	chosen      bool // following was chosen, or something has made them follow
	following   bool
}

// reader is what a user has done about a room, on all devices.
type reader struct {
	read, threadsRead int64
	followAll         bool
	threads           map[int64]*threadMark
}

func (r *reader) thread(root int64) *threadMark {
	if r.threads[root] == nil {
		r.threads[root] = &threadMark{}
	}
	return r.threads[root]
}

func (m *threadMark) follow(from int64, own bool) {
	if !m.chosen || own && !m.following {
		m.chosen, m.following, m.since = true, true, from
	}
}

// fold is a room as it follows from what was done in it, one step after the other.
type fold struct {
	head, floor int64
	log         []said
	users       []*reader
}

func (f *fold) find(seq int64) *said {
	for i := range f.log {
		if f.log[i].seq == seq {
			return &f.log[i]
		}
	}
	return nil
}

func (f *fold) replies(root int64) (live []said) {
	for _, s := range f.log {
		if s.thread == root && !s.deleted && s.seq > f.floor {
			live = append(live, s)
		}
	}
	return live
}

// post folds a message in.
func (f *fold) post(s said) {
	root := f.find(s.thread)
	first := root != nil && !slices.ContainsFunc(f.log, func(r said) bool { return r.thread == root.seq })
	f.log = append(f.log, s)
	f.head = s.seq
	if root == nil {
		return
	}
	for _, u := range f.users {
		if u.followAll {
			u.thread(root.seq).follow(s.seq, false)
		}
	}
	f.users[s.by].thread(root.seq).follow(s.seq, true)
	follow := s.names
	if first {
		follow = append(slices.Clone(follow), root.by)
		if !root.deleted {
			follow = append(follow, root.names...)
		}
	}
	for _, i := range follow {
		f.users[i].thread(root.seq).follow(s.seq, false)
	}
}

// unread is what user i has not read.
func (f *fold) unread(i int) (u domain.Unread) {
	r := f.users[i]
	threads := map[int64]bool{}
	for _, s := range f.log {
		if s.deleted || s.seq <= f.floor {
			continue
		}
		named := slices.Contains(s.names, i) || s.everyone && s.by != i
		if s.main() && s.seq > r.read {
			if s.by != i {
				u.Messages++
			}
			if named {
				u.Mentions++
			}
		}
		if s.thread == 0 {
			continue
		}
		m := r.thread(s.thread)
		if s.seq <= r.threadsRead || s.seq <= m.read || s.seq < m.since {
			continue
		}
		if named && !s.broadcast {
			u.Mentions++
		}
		if m.following && s.by != i && (!s.broadcast || s.seq > r.read) {
			threads[s.thread] = true
		}
	}
	u.Threads = len(threads)
	return u
}

// threadStory does things at random in one room of a store, and folds them.
type threadStory struct {
	*fold
	t    *testing.T
	db   *all.Store
	room string
	rnd  *rand.Rand
	keys int
}

func (s *threadStory) any() int64 { return s.floor + 1 + s.rnd.Int64N(s.head-s.floor) }

func (s *threadStory) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// same fails unless user i has what the fold gives.
func (s *threadStory) same(i int, what string, has domain.Unread) {
	s.t.Helper()
	if want := s.unread(i); has != want {
		s.t.Fatalf("user %d has %+v, and the log says %+v: %s", i, has, want, what)
	}
}

// root returns a message that a reply may go to; 0: there is none.
func (s *threadStory) root() int64 {
	var roots []int64
	for _, m := range s.log {
		if m.thread == 0 && m.seq > s.floor && (!m.deleted || len(s.replies(m.seq)) > 0) {
			roots = append(roots, m.seq)
		}
	}
	if len(roots) == 0 {
		return 0
	}
	return roots[s.rnd.IntN(len(roots))]
}

func (s *threadStory) post() {
	m := said{by: s.rnd.IntN(len(s.users))}
	if s.rnd.IntN(3) > 0 {
		m.thread = s.root()
		m.broadcast = m.thread != 0 && s.rnd.IntN(4) == 0
	}
	text := "something"
	var names []string
	if s.rnd.IntN(3) == 0 {
		i := s.rnd.IntN(len(s.users))
		m.names = []int{i}
		var name string
		s.must(s.db.QueryRowContext(s.t.Context(), `SELECT username FROM users WHERE id = $1`, testkit.UserID(i)).Scan(&name))
		names = append(names, name)
	}
	everyone := s.rnd.IntN(8) == 0
	s.keys++
	e, _, err := s.db.Messages.AppendMessage(s.t.Context(), testkit.UserID(m.by), domain.Draft{Room: s.room,
		Key: fmt.Sprint("k", s.keys), Text: text, Thread: m.thread, Broadcast: m.broadcast}, names, everyone, time.Now())
	s.must(err)
	m.seq, m.everyone = e.Seq, e.Message.MentionsRoom
	s.fold.post(m)
}

// device is one of the devices of a user, which reads up to what it has seen.
func (s *threadStory) device() {
	ctx, i := s.t.Context(), s.rnd.IntN(len(s.users))
	user, me, seq := testkit.UserID(i), s.users[i], s.any()
	switch s.rnd.IntN(7) {
	case 6:
		s.unreadFrom(i, seq)
	case 0:
		mark, err := s.db.Messages.MarkRead(ctx, user, s.room, seq, false, time.Now())
		s.must(err)
		me.read, me.threadsRead = max(me.read, seq), max(me.threadsRead, seq)
		s.same(i, "after the room was read with its threads", mark.Unread)
	case 1, 2:
		mark, err := s.db.Messages.MarkRead(ctx, user, s.room, seq, true, time.Now())
		s.must(err)
		me.read = max(me.read, seq)
		s.same(i, "after the main timeline was read", mark.Unread)
	case 3, 4:
		if root := s.root(); root != 0 {
			state, err := s.db.Messages.MarkThread(ctx, user, s.room, root, seq, time.Now())
			s.must(err)
			m := me.thread(root)
			m.read = max(m.read, seq)
			s.same(i, "after a thread was read", state.RoomMark.Unread)
		}
	case 5:
		s.follow(i)
	}
}

// unreadFrom has a user mark messages as unread again, from one on.
func (s *threadStory) unreadFrom(i int, seq int64) {
	m, me := s.find(seq), s.users[i]
	state, err := s.db.Messages.MarkUnread(s.t.Context(), testkit.UserID(i), s.room, seq, time.Now())
	if m == nil || m.seq <= s.floor {
		if err == nil {
			s.t.Fatalf("user %d has marked %d as unread, which is no message: %+v", i, seq, m)
		}
		return
	}
	s.must(err)
	if m.main() {
		me.read = min(me.read, seq-1)
		s.same(i, "after the room was marked as unread again", state.RoomMark.Unread)
		return
	}
	for _, other := range s.log { // in other threads the same is read as before
		if other.thread != 0 && other.thread != m.thread {
			t := me.thread(other.thread)
			t.read = max(t.read, me.threadsRead)
		}
	}
	t := me.thread(m.thread)
	if !t.following || t.since > seq {
		t.since = seq
	}
	t.read = min(max(t.read, me.threadsRead), seq-1)
	t.chosen, t.following = true, true
	me.threadsRead = min(me.threadsRead, seq-1)
	s.same(i, "after a thread was marked as unread again", state.RoomMark.Unread)
	unread := 0
	for _, r := range s.replies(m.thread) {
		if r.seq > t.read && r.seq >= t.since && r.by != i && (!r.broadcast || r.seq > me.read) {
			unread++
		}
	}
	if state.Root != m.thread || !state.Back || !state.Following || state.Unread != unread {
		s.t.Fatalf("user %d is told %+v of the thread, of which %d replies are unread", i, state, unread)
	}
}

func (s *threadStory) follow(i int) {
	ctx, user, following := s.t.Context(), testkit.UserID(i), s.rnd.IntN(2) == 0
	if s.rnd.IntN(3) == 0 {
		s.must(s.db.Messages.FollowThreads(ctx, user, s.room, following, time.Now()))
		s.users[i].followAll = following
		return
	}
	root := s.root()
	if root == 0 {
		return
	}
	state, err := s.db.Messages.FollowThread(ctx, user, s.room, root, following, time.Now())
	s.must(err)
	if m := s.users[i].thread(root); !m.chosen || m.following != following {
		m.chosen, m.following, m.since = true, following, s.head+1
	}
	s.same(i, "after a thread was followed or left", state.RoomMark.Unread)
}

func (s *threadStory) remove() {
	m := s.find(s.any())
	if m == nil || m.deleted {
		return
	}
	e, err := s.db.Messages.DeleteMessage(s.t.Context(), testkit.UserID(m.by), s.room, m.seq, time.Now())
	s.must(err)
	m.deleted, s.head = true, e.Seq
}

func (s *threadStory) purge() {
	to := s.floor + 1 + s.rnd.Int64N(8)
	p, err := s.db.Messages.Purge(s.t.Context(), s.room, domain.PurgeStep{Limit: 100, UpTo: min(to, s.head-1),
		LineCutoff: time.Now().Add(time.Hour)})
	s.must(err)
	s.floor = p.Floor
}

// shown compares what pages show with the fold: the main timeline, threads, and what a message says of its thread.
func (s *threadStory) shown() {
	s.t.Helper()
	page, err := s.db.Log.Timeline(s.t.Context(), domain.WholeLog(s.room), domain.PageQuery{Limit: 1000, Main: true})
	s.must(err)
	var has, want []int64
	for _, e := range page.Events {
		if e.Type != domain.MessageCreated {
			continue
		}
		has = append(has, e.Seq)
		live := s.replies(e.Seq)
		r := e.Message.Replies
		if r.Count != len(live) || r.Count > 0 && r.Last != live[len(live)-1].seq {
			s.t.Fatalf("message %d says %+v of its thread, and the log has %d", e.Seq, r, len(live))
		}
		thread, err := s.db.Log.Thread(s.t.Context(), domain.WholeLog(s.room), e.Seq, domain.PageQuery{Limit: 1000})
		s.must(err)
		if len(thread.Events) != len(live) {
			s.t.Fatalf("the thread of %d has %d replies, and the log has %d", e.Seq, len(thread.Events), len(live))
		}
	}
	for _, m := range s.log {
		if m.main() && m.seq > s.floor {
			want = append(want, m.seq)
		}
	}
	if !slices.Equal(has, want) {
		s.t.Fatalf("the main timeline has %v, and the log says %v", has, want)
	}
}

// followed compares the list of followed threads with what the room says of them.
func (s *threadStory) followed(i int, unread int) {
	s.t.Helper()
	var c domain.ThreadCursor
	seen, n := map[int64]bool{}, 0
	for {
		page, err := s.db.Log.FollowedThreads(s.t.Context(), testkit.UserID(i), false, c, 3)
		s.must(err)
		for _, f := range page {
			if f.Room == s.room && seen[f.Root] || !f.Following {
				s.t.Fatalf("user %d is shown the thread %d twice, or without following it: %+v", i, f.Root, f)
			}
			seen[f.Root] = seen[f.Root] || f.Room == s.room
			if f.Room == s.room && f.Unread > 0 {
				n++
			}
			c = domain.ThreadCursor{At: f.Last.At.UnixMilli(), Room: f.Room, Seq: f.Last.Seq}
		}
		if len(page) < 3 {
			break
		}
	}
	for root, m := range s.users[i].threads {
		if m.following && len(s.replies(root)) > 0 && !seen[root] {
			s.t.Fatalf("user %d follows the thread %d, which is not in the list", i, root)
		}
	}
	fresh, err := s.db.Log.FollowedThreads(s.t.Context(), testkit.UserID(i), true, domain.ThreadCursor{}, 1000)
	s.must(err)
	fresh = slices.DeleteFunc(fresh, func(f domain.FollowedThread) bool { return f.Room != s.room })
	if len(fresh) != unread || slices.ContainsFunc(fresh, func(f domain.FollowedThread) bool { return f.Unread == 0 }) {
		s.t.Fatalf("user %d is shown %d threads with something unread, and has %d: %+v", i, len(fresh), unread, fresh)
	}
	if n != unread {
		s.t.Fatalf("the list of user %d has %d threads with something unread, and the room says %d", i, n, unread)
	}
}

// What is unread, and what pages show, follows from the log and from what its readers did, whatever that was: no
// badge sticks, and none is missing.
func TestUnreadIsAFoldOfTheLog(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 3)
		for seed := range testkit.Setting(t, "UNHIDRA_THREAD_STORIES", 2) {
			if seed > 0 {
				state, _, err := db.Rooms.CreateRoom(t.Context(), testkit.UserID(0), domain.NewRoom{Kind: domain.PublicRoom,
					Name: fmt.Sprint("Room ", seed), Members: []string{testkit.UserID(1), testkit.UserID(2)}}, time.Now())
				if err != nil {
					t.Fatal(err)
				}
				room = state.Room.ID
			}
			s := &threadStory{fold: &fold{}, t: t, db: db, room: room, rnd: rand.New(rand.NewPCG(seed, 18)),
				keys: int(seed) * 1000}
			r, err := db.Rooms.Room(t.Context(), s.room)
			s.must(err)
			s.head = r.Head
			for i := range 3 {
				state, err := db.Rooms.RoomState(t.Context(), testkit.UserID(i), s.room)
				s.must(err)
				s.users = append(s.users, &reader{read: state.Read, threadsRead: state.ThreadsRead,
					threads: map[int64]*threadMark{}})
			}
			for step := range 250 {
				switch n := s.rnd.IntN(20); {
				case n < 9:
					s.post()
				case n < 17:
					s.device()
				case n < 19:
					s.remove()
				case step%4 == 0:
					s.purge()
				}
				if step%10 != 0 {
					continue
				}
				s.shown()
				for i := range s.users {
					state, err := db.Rooms.RoomState(t.Context(), testkit.UserID(i), s.room)
					s.must(err)
					s.same(i, fmt.Sprint("in the list of rooms, seed ", seed, ", step ", step), state.Unread)
					s.followed(i, state.Threads)
				}
			}
		}
	})
}
