package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

const (
	digestsAtOnce = 20               // that this node leases and makes, one after the other
	digestLease   = 10 * time.Minute // longer than so many take
	digestsEvery  = 2 * time.Second
	maxSnippet    = 200 // bytes of a message in a digest
)

// DigestStore stores who gets mails that sum up what they missed, and says what that is.
type DigestStore interface {
	Digest(ctx context.Context, user string) (d domain.DigestSettings, next time.Time, address bool, err error)
	PutDigest(ctx context.Context, user string, d domain.DigestSettings, next time.Time) error
	ClaimDigests(ctx context.Context, limit int, lease time.Duration, now time.Time) ([]domain.DueDigest, error)
	Missed(ctx context.Context, user string, since time.Time, texts bool) ([]domain.MissedRoom, error)
	Shown(ctx context.Context, user string, r domain.MissedRoom, seqs []int64) (string, []domain.Event, error)
	// ReportsWaiting returns how many messages wait for the decision of user, and when the last one was reported.
	ReportsWaiting(ctx context.Context, user string, now time.Time) (count int, last time.Time, err error)
	FinishDigest(ctx context.Context, d domain.DueDigest, mail *domain.QueuedMail, told []domain.MissedRoom,
		next time.Time) (done bool, err error)
}

// Mailer sends mails.
type Mailer interface {
	Prepare(ctx context.Context, m domain.Mail) (domain.QueuedMail, error)
	Wake()
}

// Digest returns when p gets digests.
func (s *Service) Digest(ctx context.Context, p domain.Principal) (wire.Digest, error) {
	if p.Kind != domain.KindUser {
		return wire.Digest{}, errPeopleOnly()
	}
	d, next, address, err := s.Store.Digest(ctx, p.ID)
	if err != nil {
		return wire.Digest{}, err
	}
	return wire.FromDigest(d, next, s.Mail != nil, address), nil
}

// PutDigest stores when p gets digests. The first one comes at the next of these times.
func (s *Service) PutDigest(ctx context.Context, p domain.Principal, d domain.DigestSettings) (wire.Digest, error) {
	if p.Kind != domain.KindUser {
		return wire.Digest{}, errPeopleOnly()
	}
	d, err := domain.CheckDigest(d)
	if err != nil {
		return wire.Digest{}, err
	}
	if d.Every != domain.DigestNever {
		if s.Mail == nil {
			return wire.Digest{}, domain.Conflict.Errorf(domain.CodeNoMail,
				"this server cannot send mail; ask its administrator")
		}
		_, _, address, err := s.Store.Digest(ctx, p.ID)
		if err != nil {
			return wire.Digest{}, err
		}
		if !address {
			return wire.Digest{}, domain.InvalidField("/every", "your account has no e-mail address; add one first")
		}
	}
	if err := s.Store.PutDigest(ctx, p.ID, d, d.Next(s.Now())); err != nil {
		return wire.Digest{}, err
	}
	return s.Digest(ctx, p)
}

// EndDigests ends the digests of whom a link is for, who need not be signed in.
func (s *Service) EndDigests(ctx context.Context, token string) error {
	user, sum, _ := strings.Cut(token, ".")
	if got, err := base64.RawURLEncoding.DecodeString(sum); err != nil || !hmac.Equal(got, s.signed(user)) {
		return domain.InvalidField("?token", "this link is not complete; open it from the mail again")
	}
	return s.Store.PutDigest(ctx, user, domain.DigestSettings{Every: domain.DigestNever}, time.Time{})
}

// endToken is what links have that end the digests of a user. It is good for ever, and for nothing else.
func (s *Service) endToken(user string) string {
	return user + "." + base64.RawURLEncoding.EncodeToString(s.signed(user))
}

// endPage is the page of the web client that asks whether to end digests.
func (s *Service) endPage(token string) string {
	return s.URL + "/unsubscribe#token=" + url.QueryEscape(token)
}

func (s *Service) signed(user string) []byte {
	h := hmac.New(sha256.New, s.Key)
	h.Write([]byte(user))
	return h.Sum(nil)
}

// RunDigests makes digests until ctx is done. Any number of nodes may: each is leased by one, and its mail is queued
// together with what it has told.
func (s *Service) RunDigests(ctx context.Context) error {
	look := time.NewTicker(digestsEvery)
	defer look.Stop()
	for {
		for s.makeDigests(ctx) {
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
	}
}

// makeDigests makes some of the digests that are due, and reports whether there may be more.
func (s *Service) makeDigests(ctx context.Context) (more bool) {
	due, err := s.Store.ClaimDigests(ctx, digestsAtOnce, digestLease, s.Now())
	if err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "look for digests to send; will try again", "err", err)
	}
	for _, d := range due {
		if err := s.makeDigest(ctx, d); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "a digest is tried again later", "user", d.User, "err", err)
		}
	}
	return len(due) == digestsAtOnce
}

// makeDigest makes one digest, which has no mail if nothing was missed. During a pause there is none either: a later
// one tells of it.
func (s *Service) makeDigest(ctx context.Context, d domain.DueDigest) error {
	now := s.Now()
	next := d.Settings.Next(now)
	finish := func(mail *domain.QueuedMail, told []domain.MissedRoom) error {
		done, err := s.Store.FinishDigest(ctx, d, mail, told, next)
		if done && mail != nil {
			s.Mail.Wake()
		}
		return err
	}
	if d.Email == "" || now.Before(d.Notify.PausedUntil) {
		return finish(nil, nil)
	}
	rooms, err := s.Store.Missed(ctx, d.User, now.Add(-domain.DigestReach), len(d.Notify.Keywords) > 0)
	if err != nil {
		return err
	}
	all := digested(rooms, d.Notify.Keywords)
	reports, anew, err := s.reports(ctx, d, now)
	if err != nil {
		return err
	}
	if len(all) == 0 && !anew {
		return finish(nil, nil)
	}
	data := domain.MailData{Username: d.Username, Link: s.URL + "/"}
	if data.Digest, err = s.summary(ctx, d, all); err != nil {
		return err
	}
	data.Digest.Reports = reports
	mail, err := s.Mail.Prepare(ctx, domain.Mail{To: d.Email, Template: domain.MailDigest, Data: data})
	if kind := domain.KindOf(err); err != nil && kind == domain.Invalid {
		return finish(nil, nil) // no mail can be sent to this address
	}
	if err != nil {
		return err
	}
	told := make([]domain.MissedRoom, len(all))
	for i, one := range all {
		told[i] = one.Room
	}
	return finish(&mail, told)
}

// reports returns how many reported messages wait for the decision of whom a digest is for. anew: some were reported
// since the digest before.
func (s *Service) reports(ctx context.Context, d domain.DueDigest, now time.Time) (count int, anew bool, err error) {
	if d.Notify.MuteReports {
		return 0, false, nil
	}
	count, last, err := s.Store.ReportsWaiting(ctx, d.User, now)
	period := 24 * time.Hour
	if d.Settings.Every == domain.DigestWeekly {
		period *= 7
	}
	return count, count > 0 && now.Sub(last) < period, err
}

// digested decides what is told of rooms, and puts what is addressed to the user first.
func digested(rooms []domain.MissedRoom, keywords []string) (all []domain.Digested) {
	wanted := make([][]string, len(keywords))
	for i, k := range keywords {
		wanted[i] = wordsOf(k)
	}
	keyword := func(text string) bool {
		words := wordsOf(text)
		return slices.ContainsFunc(wanted, func(w []string) bool { return contains(words, w) })
	}
	for _, r := range rooms {
		if d, ok := r.Digest(keyword); ok {
			all = append(all, d)
		}
	}
	domain.SortDigest(all)
	return all
}

// summary returns what a digest says.
func (s *Service) summary(ctx context.Context, d domain.DueDigest, all []domain.Digested) (*domain.Summary, error) {
	token := s.endToken(d.User)
	sum := &domain.Summary{Weekly: d.Settings.Every == domain.DigestWeekly, Unsubscribe: s.endPage(token),
		OneClick: s.URL + "/api/v1/notifications/digest/unsubscribe?token=" + url.QueryEscape(token)}
	for i, one := range all {
		sum.Messages += one.Count
		sum.Capped = sum.Capped || one.Room.More
		if i >= domain.DigestRooms {
			sum.MoreRooms++
			sum.MoreThere += one.Count
			continue
		}
		show := one.Show
		if d.Notify.HideText {
			show = nil
		}
		name, events, err := s.Store.Shown(ctx, d.User, one.Room, show)
		if err != nil {
			return nil, err
		}
		r := domain.SummaryRoom{Name: name, Link: s.URL + "/rooms/" + one.Room.Room, Count: one.Count,
			Capped: one.Room.More, Mentions: one.Mentions}
		for _, e := range events {
			if line, ok := snippet(e); ok {
				r.Lines = append(r.Lines, line)
			}
		}
		sum.Rooms = append(sum.Rooms, r)
	}
	return sum, nil
}

// snippet returns what a digest shows of an event.
func snippet(e domain.Event) (l domain.SummaryLine, ok bool) {
	switch {
	case e.Message != nil && e.Message.Hidden:
		return l, false
	case e.Message != nil:
		l = domain.SummaryLine{From: domain.Called(e.Message.Sender, e.Message.Face),
			Text: cut(domain.PlainLine(e.Message.Text), maxSnippet)}
		if l.Text == "" && len(e.Message.Files) > 0 {
			l.Text = e.Message.Files[0].Name
		}
	case e.Subject != nil:
		l = domain.SummaryLine{From: e.Subject.DisplayName, Text: alarmName(e)}
	}
	return l, l.Text != ""
}
