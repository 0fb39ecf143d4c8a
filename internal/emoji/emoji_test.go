package emoji

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

// one is a store with at most one emoji, files, an audit log, and a bus.
type one struct {
	bus.Bus
	has     *domain.CustomEmoji
	admins  bool
	silent  error // of the audit log
	records []string
	told    int
	put     int
}

func (o *one) CustomEmoji(context.Context) (all []domain.CustomEmoji, _ error) {
	if o.has != nil {
		all = append(all, *o.has)
	}
	return all, nil
}

func (o *one) OneEmoji(_ context.Context, name string) (domain.CustomEmoji, error) {
	if o.has == nil || o.has.Name != name {
		return domain.CustomEmoji{}, domain.ErrNoEmoji(name)
	}
	return *o.has, nil
}

func (o *one) EmojiByAdmins(context.Context) (bool, error) { return o.admins, nil }

func (o *one) AddEmoji(
	_ context.Context, e domain.CustomEmoji, hash string, _ time.Time,
) (domain.CustomEmoji, error) {
	e.Picture = hash
	o.has = &e
	return e, nil
}

func (o *one) DeleteEmoji(context.Context, string, time.Time) error {
	o.has = nil
	return nil
}

func (o *one) Put(context.Context, io.Reader, int64) (domain.Blob, error) {
	o.put++
	return domain.Blob{Hash: "hash"}, nil
}

func (o *one) RecordSync(_ context.Context, e domain.AuditEvent) error {
	if o.silent == nil {
		o.records = append(o.records, e.Details["change"]+" "+e.Details["name"]+" by "+e.Actor.ID)
	}
	return o.silent
}

func (o *one) Publish(string, []byte) error {
	o.told++
	return nil
}

func (o *one) service() *Service {
	return New(Deps{Store: o, Files: o, Bus: o, Audit: o, Log: slog.New(slog.DiscardHandler)})
}

// dot is a GIF of one pixel.
var dot = []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\x00\x00\x00\x00\x00," +
	"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")

func person(role domain.SystemRole) domain.Principal {
	return domain.Principal{ID: "usr_" + string(role), Kind: domain.KindUser, Role: role}
}

// People add emoji, or administrators alone; guests, bots and devices do not, whoever asks in their name.
func TestWhoMayAdd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		who    domain.Principal
		admins bool // alone
		code   domain.Code
	}{
		"a person":                   {person(domain.SystemUser), false, ""},
		"a person, where admins add": {person(domain.SystemUser), true, domain.CodeNotAdmin},
		"an admin":                   {person(domain.SystemAdmin), true, ""},
		"a guest":                    {person(domain.SystemGuest), false, domain.CodeNotForGuests},
		"a bot": {domain.Principal{ID: "b", Kind: domain.KindBot, Role: domain.SystemUser}, false,
			domain.CodePeopleOnly},
		"a device": {domain.Principal{ID: "d", Kind: domain.KindDevice, Role: domain.SystemUser}, false,
			domain.CodePeopleOnly},
	} {
		o := &one{admins: c.admins}
		s := o.service()
		if _, may, err := s.List(t.Context(), c.who); err != nil || may != (c.code == "") {
			t.Errorf("%s is told that they may: %v, %v", name, may, err)
		}
		_, err := s.Add(t.Context(), By{Principal: c.who}, "parrot", dot)
		if domain.CodeOf(err) != c.code || (o.has != nil) != (c.code == "") || c.code != "" && (o.put > 0 || o.told > 0) {
			t.Errorf("%s: %v, %+v", name, err, o)
		}
	}
}

// What cannot be recorded is not done, and what is done is recorded and told, once.
func TestWhatIsDoneIsRecorded(t *testing.T) {
	t.Parallel()
	o := &one{silent: errors.New("no audit log")}
	s, ann, eve := o.service(), By{Principal: person(domain.SystemUser)}, By{Principal: person(domain.SystemUser)}
	eve.ID = "usr_eve"
	ctx := t.Context()
	if _, err := s.Add(ctx, ann, "parrot", dot); !errors.Is(err, o.silent) || o.has != nil || o.told != 0 {
		t.Errorf("added without a record: %v, %+v", err, o)
	}
	o.silent = nil
	if _, err := s.Add(ctx, ann, ":Parrot:", dot); err != nil || o.has.Name != "parrot" || o.told != 1 {
		t.Fatalf("added: %v, %+v", err, o)
	}
	if _, err := s.Add(ctx, eve, "parrot", []byte("not looked at")); domain.CodeOf(err) != domain.CodeEmojiTaken {
		t.Errorf("the same name: %v", err)
	}
	if err := s.Delete(ctx, eve, "parrot"); domain.CodeOf(err) != domain.CodeNotAdmin || o.has == nil {
		t.Errorf("deleted by somebody else: %v", err)
	}
	silent := errors.New("no audit log")
	o.silent = silent
	if err := s.Delete(ctx, ann, "parrot"); !errors.Is(err, silent) || o.has == nil || o.told != 1 {
		t.Errorf("deleted without a record: %v, %+v", err, o)
	}
	o.silent = nil
	admin := By{Principal: person(domain.SystemAdmin)}
	if err := s.Delete(ctx, admin, "parrot"); err != nil || o.has != nil || o.told != 2 {
		t.Errorf("deleted by an admin: %v, %+v", err, o)
	}
	if want := []string{"add parrot by usr_user", "delete parrot by usr_admin"}; len(o.records) != 2 ||
		o.records[0] != want[0] || o.records[1] != want[1] {
		t.Errorf("recorded: %q", o.records)
	}
}
