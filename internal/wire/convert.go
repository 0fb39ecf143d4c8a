package wire

import (
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// FromUser is the wire's view of u.
func FromUser(u domain.UserRef) User {
	v := User{ID: u.ID, Kind: string(u.Kind), Username: u.Username, DisplayName: u.DisplayName}
	v.Avatar = AvatarPath(u.Avatar)
	return v
}

// AvatarPath returns the path of a picture, as of domain.User.Avatar; empty: there is none.
func AvatarPath(avatar string) string {
	if avatar == "" {
		return ""
	}
	return "/api/v1/avatars/" + avatar
}

func fromUsers(us []domain.UserRef) []User {
	var vs []User
	for _, u := range us {
		vs = append(vs, FromUser(u))
	}
	return vs
}

// FromProfile is the wire's view of u for others.
func FromProfile(u domain.User) Profile {
	return Profile{User: FromUser(u.Ref()), About: u.About, TimeZone: u.TimeZone, CreatedAt: u.CreatedAt,
		Disabled: u.Disabled, Guest: u.Role == domain.SystemGuest}
}

// FromMe is the wire's view of u for u.
func FromMe(u domain.User) Me {
	return Me{Profile: FromProfile(u), Email: u.Email, Locale: u.Locale, Role: string(u.Role),
		Status: FromStatus(u.Status.At(time.Now())), GuestUntil: opt(u.GuestUntil)}
}

// FromStatus is the wire's view of s.
func FromStatus(s domain.Status) Status {
	return Status{Mode: string(s.Mode), Text: s.Text, Emoji: s.Emoji, Expires: opt(s.Expires)}
}

// FromPresence is the wire's view of p.
func FromPresence(p domain.Presence) Presence {
	return Presence{User: p.User, Is: string(p.Is), Text: p.Text, Emoji: p.Emoji, Expires: opt(p.Expires),
		LastSeen: opt(p.LastSeen), Until: opt(p.Until)}
}

// FromRoom is the wire's view of r.
func FromRoom(r domain.Room) Room {
	v := Room{
		ID: r.ID, Kind: string(r.Kind), Name: r.Name, Topic: r.Topic, Archived: r.Archived,
		Head: r.Head, Members: r.Members, CreatedAt: r.CreatedAt, LastAt: r.LastAt, Floor: r.Floor, Held: !r.HeldAt.IsZero(),
		Previews: r.Previews, Hides: r.Hides, Look: FromRoomLook(r.Look), Screening: fromScreening(r.Screening),
	}
	if r.Keep.Own {
		k := Keep(r.Keep.Retention)
		v.Keep = &k
	}
	return v
}

// FromRoomLook is the wire's view of l; nil: it is empty.
func FromRoomLook(l domain.RoomLook) *RoomLook {
	if l == (domain.RoomLook{}) {
		return nil
	}
	return &RoomLook{l.Colour, l.Emoji, AvatarPath(l.Avatar)}
}

// FromKeepOf is the wire's view of k.
func FromKeepOf(k domain.RoomRetention) KeepOf { return KeepOf{Keep(k.Retention), !k.Own} }

// FromRoomState is the wire's view of s.
func FromRoomState(s domain.RoomState) RoomState {
	v := RoomState{
		Room: FromRoom(s.Room), Role: string(s.Role), MutedUntil: opt(s.Muted),
		Since: s.Since, Read: s.Read, Unread: s.Messages, Mentions: s.Mentions, Threads: s.Threads,
		FollowAll: s.FollowThreads, Peers: fromUsers(s.Peers), Guests: s.Guests,
	}
	if s.Last != nil {
		m := FromMessage(*s.Last)
		v.Last = &m
	}
	return v
}

// FromMember is the wire's view of m.
func FromMember(m domain.Member) Member {
	return Member{User: FromUser(m.User), Role: string(m.Role), MutedUntil: opt(m.MutedUntil), JoinedAt: m.JoinedAt,
		Guest: m.Guest}
}

// FromInvite is the wire's view of i.
func FromInvite(i domain.Invite) Invite {
	return Invite{
		ID: i.ID, Code: i.Code, CreatedBy: i.CreatedBy, CreatedAt: i.CreatedAt,
		Expires: opt(i.Expires), MaxUses: i.MaxUses, Uses: i.Uses,
	}
}

// FromRoomRequest is the wire's view of q.
func FromRoomRequest(q domain.RoomRequest) RoomRequest {
	r := q.Room
	return RoomRequest{Room: r.ID, Kind: string(r.Kind), Name: r.Name, Topic: r.Topic, Look: FromRoomLook(r.Look),
		Members: r.Members, By: FromUser(q.By), At: q.At}
}

// FromBan is the wire's view of b.
func FromBan(b domain.Ban) Ban {
	return Ban{User: FromUser(b.User), By: b.By, Reason: b.Reason, At: b.At}
}

func fromScreening(s domain.Screening) *Screening {
	if s == (domain.Screening{}) {
		return nil
	}
	return &Screening{Rough: s.Rough, Spam: s.Spam}
}

func fromPreview(p domain.LinkPreview) LinkPreview {
	v := LinkPreview{URL: p.URL, Title: p.Title, Description: p.Description, Site: p.Site, Icon: p.Icon.ID}
	if i := p.Image; i.ID != "" {
		v.Image = &PreviewImage{ID: i.ID, Width: i.Width, Height: i.Height, Alt: i.Alt}
	}
	return v
}

// FromMessage is the wire's view of m.
func FromMessage(m domain.Message) Message {
	v := Message{
		Room: m.Room, Seq: m.Seq, Sender: FromUser(m.Sender), Key: m.Key, Text: m.Text,
		Mentions: m.Mentions, MentionsRoom: m.MentionsRoom,
		At: m.At, EditedAt: opt(m.EditedAt), Edits: m.Edits, DeletedAt: opt(m.DeletedAt),
	}
	if m.ContentType != domain.ContentMarkdown {
		v.ContentType = m.ContentType
	}
	if q := m.ReplyTo; q != nil {
		v.ReplyTo = &Quote{Seq: q.Seq, Sender: FromUser(q.Sender), Excerpt: q.Excerpt, Deleted: q.Deleted,
			Hidden: q.Hidden, Face: fromFace(q.Face)}
	}
	v.ReactionsSeq = m.Reactions.Seq
	for _, r := range m.Reactions.All {
		v.Reactions = append(v.Reactions, Reaction(r))
	}
	for _, p := range m.Previews {
		v.Previews = append(v.Previews, fromPreview(p))
	}
	for _, f := range m.Files {
		v.Files = append(v.Files, FromFile(f))
	}
	v.Poll, v.Face = FromPoll(m.Poll), fromFace(m.Face)
	if f := m.Flag; f != nil {
		v.Flag = &Flag{Reason: string(f.Reason), Score: f.Score, Appealed: f.Appealed}
	}
	if f := m.Forward; f != nil {
		v.Forward = &Forward{Room: f.Room, Seq: f.Seq, Sender: FromUser(f.Sender), At: f.At, Note: f.Note, Text: f.Text,
			Cut: f.Cut}
	}
	v.Thread, v.Broadcast, v.Hidden = m.Thread, m.Broadcast, m.Hidden
	if r := m.Replies; r.Count > 0 {
		v.Replies = &Replies{Count: r.Count, Last: r.Last, At: r.At, Users: fromUsers(r.Users)}
	}
	return v
}

func fromFace(f *domain.Face) *Face {
	if f == nil {
		return nil
	}
	v := &Face{Name: f.Name, Emoji: f.Emoji}
	if f.Picture != "" {
		v.Picture = "/api/v1/" + f.Picture
	}
	return v
}

// FromPoll is the wire's view of p.
func FromPoll(p *domain.Poll) *Poll {
	if p == nil {
		return nil
	}
	v := &Poll{Question: p.Question, Multiple: p.Multiple, Anonymous: p.Anonymous, ClosesAt: opt(p.ClosesAt),
		ClosedAt: opt(p.ClosedAt), Voters: p.Voters, Seq: p.Seq}
	for _, c := range p.Choices {
		v.Choices = append(v.Choices, PollChoice(c))
	}
	if p.Mine != nil {
		v.Mine = &p.Mine
	}
	return v
}

// FromPin is the wire's view of p.
func FromPin(p domain.Pin) Pin {
	return Pin{Message: FromMessage(p.Message), By: FromUser(p.By), At: p.At, Seq: p.Seq}
}

// FromFile is the wire's view of f in a message.
func FromFile(f domain.File) File {
	v := File{ID: f.ID, Name: f.Name, Size: f.Size, Type: f.Type, Width: f.Width, Height: f.Height,
		DurationMS: f.Duration.Milliseconds(), Gone: f.State == domain.FileGone}
	if f.Thumb.Hash != "" && !v.Gone {
		v.Thumbnail = &Thumbnail{Width: f.Thumb.Width, Height: f.Thumb.Height}
	}
	return v
}

// FromFollowed is the wire's view of f.
func FromFollowed(f domain.FollowedThread) Thread {
	t := Thread{Room: f.Room, Root: f.Root, Following: f.Following, Read: f.Read, Unread: f.Unread}
	if f.First != nil {
		m := FromMessage(*f.First)
		t.First = &m
	}
	if f.Last.Seq != 0 {
		m := FromMessage(f.Last)
		t.Last = &m
	}
	return t
}

// FromThreadState is the wire's view of s.
func FromThreadState(s domain.ThreadState) ThreadState {
	m := FromMark(s.RoomMark)
	return ThreadState{Thread: FromFollowed(domain.FollowedThread{ThreadState: s}), Mark: &m, Back: s.Back}
}

// FromMark is the wire's view of m.
func FromMark(m domain.ReadMark) Mark {
	return Mark{Room: m.Room, Seq: m.Seq, Unread: m.Messages, Mentions: m.Mentions, Threads: m.Threads, Back: m.Back}
}

// FromEvent is the wire's view of e.
func FromEvent(e domain.Event) Event {
	v := Event{Room: e.Room, Seq: e.Seq, Type: string(e.Type), Actor: FromUser(e.Actor), At: e.At}
	if e.Subject != nil {
		s := FromUser(*e.Subject)
		v.Subject = &s
	}
	if e.Message != nil {
		m := FromMessage(*e.Message)
		v.Message = &m
	}
	v.Detail = fromPayload(e.Payload)
	return v
}

// fromPayload is the wire's view of p. Clients are told nothing of an unknown payload.
func fromPayload(p domain.Payload) *Detail {
	switch p := p.(type) {
	case domain.RoomCreatedPayload:
		return &Detail{Name: p.Name, Topic: p.Topic, Kind: string(p.Kind)}
	case domain.RoomUpdatedPayload:
		d := &Detail{Name: p.Name, Topic: p.Topic, Kind: string(p.Kind), Archived: p.Archived, Held: p.Held,
			Previews: p.Previews, Hides: p.Hides}
		if p.Keep != nil {
			k := FromKeepOf(*p.Keep)
			d.Keep = &k
		}
		if p.Screening != nil {
			d.Screening = &Screening{Rough: p.Screening.Rough, Spam: p.Screening.Spam}
		}
		if p.Look != nil {
			if d.Look = FromRoomLook(*p.Look); d.Look == nil {
				d.Look = &RoomLook{}
			}
		}
		return d
	case domain.MemberJoinedPayload:
		return &Detail{Role: string(p.Role), Invite: p.Invite}
	case domain.MemberKickedPayload:
		return &Detail{Reason: p.Reason}
	case domain.MemberBannedPayload:
		return &Detail{Role: string(p.Role), Reason: p.Reason}
	case domain.MemberMutedPayload:
		return &Detail{Until: p.Until}
	case domain.MemberRolePayload:
		return &Detail{Role: string(p.Role)}
	case domain.AlarmRaisedPayload:
		return &Detail{Alarm: fromAlarmLine(p.Alarm)}
	case domain.AlarmClearedPayload:
		return &Detail{Of: p.Of, Alarm: fromAlarmLine(p.Alarm)}
	case domain.AlarmAcknowledgedPayload:
		return &Detail{Of: p.Of, Alarm: fromAlarmLine(p.Alarm)}
	case domain.AlarmEscalatedPayload:
		return &Detail{User: p.User, Alarm: fromAlarmLine(p.Alarm)}
	case domain.CommandSentPayload:
		return &Detail{Command: fromCommandLine(p.Command)}
	case domain.CommandChangedPayload:
		return &Detail{Of: p.Of, Command: fromCommandLine(p.Command)}
	case domain.ReactionAddedPayload:
		return &Detail{Of: p.Of, Emoji: p.Emoji}
	case domain.ReactionRemovedPayload:
		return &Detail{Of: p.Of, Emoji: p.Emoji}
	case domain.MessagePinnedPayload:
		return &Detail{Of: p.Of}
	case domain.MessageUnpinnedPayload:
		return &Detail{Of: p.Of}
	case domain.PollChangedPayload:
		return &Detail{Of: p.Of, Poll: (*PollVotes)(p.Poll)}
	case domain.ChartPostedPayload:
		return &Detail{Chart: fromChartLine(p.Chart)}
	case domain.RolloutToldPayload:
		return &Detail{Rollout: p.Rollout}
	case domain.GroupCommandedPayload:
		return &Detail{Batch: fromBatchLine(p.Batch)}
	case domain.GroupChangedPayload:
		return &Detail{Of: p.Of, Batch: fromBatchLine(p.Batch)}
	}
	return nil
}

func fromCommandLine(l *domain.CommandLine) *CommandLine {
	if l == nil {
		return nil
	}
	return &CommandLine{ID: l.ID, Action: l.Action, Args: l.Args, State: string(l.State), Progress: l.Progress,
		Result: l.Result, Error: l.Error, Expires: l.Expires}
}

func fromBatchLine(l *domain.BatchLine) *BatchLine {
	if l == nil {
		return nil
	}
	return &BatchLine{ID: l.ID, Group: l.Group, Action: l.Action, Args: l.Args, Counts: l.Counts, Expires: l.Expires}
}

// FromBatch is the wire's view of b.
func FromBatch(b domain.CommandBatch) Batch {
	return Batch{BatchLine: *fromBatchLine(b.Line()), Room: b.Room, Seq: b.Seq, Key: b.Key, At: b.CreatedAt}
}

func fromAlarmLine(l *domain.AlarmLine) *AlarmLine {
	if l == nil {
		return nil
	}
	return &AlarmLine{
		ID: l.ID, Rule: l.Rule, Name: l.Name, Kind: string(l.Kind), Severity: string(l.Severity), Sensor: l.Sensor,
		Value: l.Value, Limit: l.Limit, RaisedAt: l.RaisedAt, ClearedAt: l.ClearedAt, Acknowledged: l.Acknowledged,
		AckedAt: l.AckedAt, SnoozedUntil: l.SnoozedUntil, EscalatedAt: l.EscalatedAt, Maintenance: l.Maintenance,
		Note: l.Note, Flapping: l.Flapping,
	}
}

func fromChartLine(l *domain.ChartLine) *ChartLine {
	if l == nil {
		return nil
	}
	v := &ChartLine{From: l.From, To: l.To, Series: make([]ChartSeries, len(l.Series))}
	for i, s := range l.Series {
		v.Series[i] = ChartSeries{Name: s.Name, Title: s.Title, Unit: s.Unit, Kind: s.Kind, Count: s.Count}
		if s.Count > 0 {
			v.Series[i].Min, v.Series[i].Mean, v.Series[i].Max, v.Series[i].Last = &s.Min, &s.Mean, &s.Max, &s.Last
		}
	}
	return v
}

// FromAlarm is the wire's view of a.
func FromAlarm(a domain.Alarm) Alarm {
	v := Alarm{AlarmLine: *fromAlarmLine(a.Line()), Device: a.Device, Room: a.Room, Seq: a.Seq}
	if a.Acknowledged.ID != "" {
		by := FromUser(a.Acknowledged)
		v.By = &by
	}
	if !a.HeldUntil.IsZero() {
		v.HeldUntil = &a.HeldUntil
	}
	return v
}

// FromCommand is the wire's view of c.
func FromCommand(c domain.Command) Command {
	return Command{CommandLine: *fromCommandLine(c.Line()), Device: c.Device, Room: c.Room, Seq: c.Seq, By: FromUser(c.By),
		Key: c.Key, At: c.CreatedAt, ChangedAt: c.ChangedAt, Batch: c.Batch}
}

// FromError is what a client is told of err: nothing about the cause, and
// nothing at all about an error that nobody classified.
func FromError(err error) *ErrorBody {
	var e *domain.Error
	if !errors.As(err, &e) || e.Kind == domain.Internal {
		return &ErrorBody{Kind: string(domain.Internal), Detail: "something went wrong on the server; try again later"}
	}
	b := &ErrorBody{Kind: string(e.Kind), Code: e.Code, Detail: e.Msg, RetryAfter: e.RetryAfter.Seconds()}
	for _, f := range e.Fields {
		b.Fields = append(b.Fields, Field(f))
	}
	return b
}

func opt(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
