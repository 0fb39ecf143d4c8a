package auth

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/auth/factor"
	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/store/guests"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/token"
)

const passphrase = "an old song about rain"

// fixture is a service on a real store, with a clock that the test moves.
type fixture struct {
	*Service
	db    *all.Store
	clock time.Time
	mails *mails
}

// people are accounts that come as package app has them come.
type people struct {
	*accounts.Repository
	guests *guests.Repository
}

func (p people) Register(
	ctx context.Context, u domain.User, pass string, by domain.Signup, now time.Time,
) (domain.User, error) {
	return p.guests.Register(ctx, u, pass, by, now)
}

func storeOf(db *all.Store) Store {
	return Store{
		UserStore: people{db.Accounts, db.Guests}, AvatarStore: db.Accounts, DepartureStore: db.Departure,
		MessageStore: db.Log, PeerStore: db.Rooms, DeviceStore: db.Devices,
		FlowStore: db.Sessions, Sessions: db.Sessions, Attempts: db.Sessions,
		Factors:      factor.Store{FactorStore: db.Factors, IdentityStore: db.Factors, TicketStore: db.Accounts},
		Links:        db.Accounts,
		SettingStore: db.Server, PersonalStore: db.Personal,
		EachOther: func(context.Context, string, func(string, any) error) (reports, others int, err error) {
			return 0, 0, nil
		},
	}
}

func each(t *testing.T, fn func(t *testing.T, f *fixture)) {
	t.Helper()
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := &fixture{db: db, clock: time.Now()}
		keys, err := token.NewKeyring("HS256", bytes.Repeat([]byte("k"), 32))
		if err != nil {
			t.Fatal(err)
		}
		f.mails = &mails{}
		dir := t.TempDir()
		disk, err := blob.OpenDisk(filepath.Join(dir, "files"))
		if err != nil {
			t.Fatal(err)
		}
		tell := report.New(slog.New(slog.DiscardHandler))
		tell.URL, tell.Now = "https://chat.example.org", func() time.Time { return f.clock }
		f.Service, err = New(t.Context(), Deps{
			Reporter: tell,
			Store:    storeOf(db), Files: blob.New(blob.Deps{Objects: disk, Rows: db.Blobs, Temp: dir}), Keys: keys,
			Hasher: hasher(), Bus: bus.NewLocal(), PasswordMin: 15,
			Name: "Unhidra", Rules: Rules{Registration: RegisterOpen, SecondFactor: domain.FactorNobody},
		})
		if err != nil {
			t.Fatal(err)
		}
		fn(t, f)
	})
}

var here = Client{Addr: netip.MustParseAddr("192.0.2.1"), UserAgent: "test"}

func (f *fixture) join(t *testing.T, name string) Signed {
	t.Helper()
	s, err := f.Register(t.Context(), Registration{Username: name, Password: passphrase}, here)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func refused(t *testing.T, err error, code domain.Code) {
	t.Helper()
	if domain.CodeOf(err) != code {
		t.Errorf("refused with %q (%v), want %q", domain.CodeOf(err), err, code)
	}
}

func TestSignInAndOut(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.join(t, "ann")
		_, err := f.Register(ctx, Registration{Username: "Ann", Password: passphrase}, here)
		refused(t, err, domain.CodeNameTaken)
		s, err := f.SignIn(ctx, "ANN", passphrase, here)
		if err != nil || s.State != Complete {
			t.Fatal(s, err)
		}
		p, err := f.Authenticate(ctx, s.Access)
		if err != nil || p.ID != s.User.ID || p.SessionID == "" {
			t.Fatal(p, err)
		}
		if err := f.SignOut(ctx, s.Refresh, here); err != nil {
			t.Fatal(err)
		}
		_, err = f.Authenticate(ctx, s.Access) // CHK-TK-04: at once, not when the token ends
		refused(t, err, domain.CodeSignedOut)
		_, err = f.Refresh(ctx, s.Refresh, here)
		refused(t, err, domain.CodeSignedOut)
	})
}

func TestCHK_LG_01_UnknownUserAndWrongPasswordLookTheSame(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.join(t, "ann")
		_, wrong := f.SignIn(t.Context(), "ann", "not the passphrase", here)
		_, nobody := f.SignIn(t.Context(), "nobody", "not the passphrase", here)
		if wrong == nil || nobody == nil || wrong.Error() != nobody.Error() || domain.KindOf(wrong) != domain.KindOf(nobody) {
			t.Errorf("%v and %v", wrong, nobody)
		}
		if _, err := f.db.Accounts.SetUserDisabled(t.Context(), mustUser(t, f, "ann"), true, f.clock); err != nil {
			t.Fatal(err)
		}
		_, disabled := f.SignIn(t.Context(), "ann", passphrase, here)
		if disabled == nil || disabled.Error() != wrong.Error() {
			t.Errorf("a disabled user is told %v", disabled)
		}
	})
}

func mustUser(t *testing.T, f *fixture, name string) string {
	t.Helper()
	u, err := f.db.Accounts.UserByUsername(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

func TestCHK_TK_05_RefreshTokensAreGoodOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		first := f.join(t, "ann")
		second, err := f.Refresh(ctx, first.Refresh, here)
		if err != nil {
			t.Fatal(err)
		}
		third, err := f.Refresh(ctx, second.Refresh, here)
		if err != nil {
			t.Fatal(err)
		}
		f.clock = f.clock.Add(5 * time.Second)
		_, err = f.Refresh(ctx, first.Refresh, here) // another tab, which is late
		refused(t, err, domain.CodeRefreshRaced)
		if _, err := f.Authenticate(ctx, third.Access); err != nil {
			t.Errorf("a race ended the session: %v", err)
		}
		f.clock = f.clock.Add(time.Minute)
		_, err = f.Refresh(ctx, first.Refresh, here) // this late, somebody stole it
		refused(t, err, domain.CodeSignedOut)
		_, err = f.Refresh(ctx, third.Refresh, here)
		refused(t, err, domain.CodeSignedOut)
		_, err = f.Authenticate(ctx, third.Access)
		refused(t, err, domain.CodeSignedOut)
	})
}

func TestALostAnswerOfARefreshIsGivenAgain(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		first := f.join(t, "ann")
		lost, err := f.Refresh(ctx, first.Refresh, here)
		if err != nil {
			t.Fatal(err)
		}
		for _, late := range []time.Duration{0, time.Second, time.Minute, time.Hour} {
			f.clock = f.clock.Add(late)
			again, err := f.Refresh(ctx, first.Refresh, here)
			if err != nil || again.Refresh != lost.Refresh {
				t.Fatalf("after %v: another one (%v)", late, err)
			}
			f.who(t, again)
		}
		next, err := f.Refresh(ctx, lost.Refresh, here)
		if err != nil || next.Refresh == lost.Refresh {
			t.Fatal(err)
		}
		if err := f.EndSession(ctx, f.who(t, next), f.who(t, next).SessionID, here); err != nil {
			t.Fatal(err)
		}
		for _, s := range []Signed{first, lost, next} { // no token brings an ended session back
			_, err := f.Refresh(ctx, s.Refresh, here)
			refused(t, err, domain.CodeSignedOut)
		}
	})
}

func TestCHK_TK_07_SessionsEnd(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		idle := f.join(t, "ann")
		used := f.join(t, "bob")
		for day := 1; day <= 31; day++ {
			f.clock = f.clock.Add(24 * time.Hour)
			next, err := f.Refresh(ctx, used.Refresh, here)
			if day == 30 {
				refused(t, err, domain.CodeSignedOut)
				break
			}
			if err != nil {
				t.Fatalf("day %d: %v", day, err)
			}
			used = next
		}
		_, err := f.Refresh(ctx, idle.Refresh, here)
		refused(t, err, domain.CodeSignedOut)
	})
}

func TestCHK_LG_10_TheFirstAdministratorsLink(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.Service.rules.Store(&Rules{Registration: RegisterClosed})
		secret := func() string {
			link, err := f.SetupLink(ctx, "http://localhost")
			if err != nil {
				t.Fatal(err)
			}
			_, s, _ := strings.Cut(link, "#token=")
			return s
		}
		late := secret()
		register := func(name, setup string) error {
			_, err := f.Register(ctx, Registration{Username: name, Password: passphrase, SetupToken: setup}, here)
			return err
		}
		refused(t, register("ann", ""), domain.CodeRegistrationClosed)
		refused(t, register("ann", "guess"), domain.CodeTicketEnded)
		f.clock = f.clock.Add(61 * time.Minute)
		refused(t, register("ann", late), domain.CodeTicketEnded)
		good, other := secret(), secret() // of two nodes
		if err := register("ann", good); err != nil {
			t.Fatal(err)
		}
		refused(t, register("eve", good), domain.CodeTicketEnded)
		refused(t, register("eve", other), domain.CodeTicketEnded)
		if s := secret(); s != "" {
			t.Errorf("a link while there is an administrator: %q", s)
		}
	})
}

func TestCHK_LG_04_RateLimitsOfAnAddress(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := f.Deps
		d.LoginPerMinute, d.LoginBurst, d.RegisterPerHour = 2, 2, 1
		limited, err := New(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			_, err = limited.SignIn(context.Background(), "nobody", "wrong", here)
		}
		if domain.KindOf(err) != domain.RateLimited {
			t.Errorf("the third attempt: %v", err)
		}
		elsewhere := Client{Addr: netip.MustParseAddr("2001:db8::1")}
		if _, err := limited.SignIn(context.Background(), "nobody", "wrong",
			elsewhere); domain.KindOf(err) != domain.Unauthorized {
			t.Errorf("from elsewhere: %v", err)
		}
	})
}

func TestCHK_AP_03_Cookies(t *testing.T) {
	for _, secure := range []bool{true, false} {
		s := &Service{Deps: Deps{Secure: secure}}
		c := s.cookie(refreshCookie, "x", time.Hour)
		if strings.HasPrefix(c.Name, "__Host-") != secure || c.Secure != secure || !c.HttpOnly ||
			c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("secure %v: %+v", secure, c)
		}
	}
}

// TestPicturesOfOneUserHaveALimit: reading a picture is work, which nobody may ask for
// without end.
func TestPicturesOfOneUserHaveALimit(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ann, bob := f.join(t, "ann").User, f.join(t, "bob").User
		set := func(user domain.User) error {
			_, err := f.SetAvatar(t.Context(), user.ID, []byte("no picture"))
			return err
		}
		for range 10 {
			refused(t, set(ann), domain.CodeBadPicture)
		}
		refused(t, set(ann), domain.CodeTooManyAttempts)
		refused(t, set(bob), domain.CodeBadPicture)
	})
}
