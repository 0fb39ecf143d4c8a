package password

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const passphrase = "a sentence is easy to remember"

func TestCHK_PW_08_Records(t *testing.T) {
	t.Parallel()
	h := New(Options{})
	made, err := h.Hash(t.Context(), passphrase, Stranger)
	if err != nil || !strings.HasPrefix(made, "$argon2id$v=19$m=49152,t=3,p=1$") {
		t.Fatal(made, err)
	}
	for password, want := range map[string]bool{passphrase: true, passphrase + " ": false,
		strings.ToUpper(passphrase): false} {
		if ok, stale, err := h.Verify(t.Context(), made, password, Stranger); ok != want || stale || err != nil {
			t.Errorf("%q: %v, %v, %v", password, ok, stale, err)
		}
	}
	if again, _ := h.Hash(t.Context(), passphrase, Stranger); again == made {
		t.Error("two records have the same salt")
	}
}

func TestCHK_PW_07_AccentsAreOneFormAndNothingElseIsChanged(t *testing.T) {
	t.Parallel()
	h := New(Options{})
	made, err := h.Hash(t.Context(), " caf\u00e9 au lait ", Stranger)
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{" cafe\u0301 au lait ": true, "caf\u00e9 au lait": false,
		" Caf\u00e9 au lait ": false} {
		if ok, _, err := h.Verify(t.Context(), made, password, Stranger); ok != want || err != nil {
			t.Errorf("%q: %v, %v", password, ok, err)
		}
	}
}

func TestCHK_PW_08_PoisonedRecordsFitNothingAndCostNothing(t *testing.T) {
	t.Parallel()
	const good = "$argon2id$v=19$m=49152,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA"
	const hash = "$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA"
	if err := CheckRecord(good); err != nil {
		t.Fatal(err)
	}
	for _, poison := range []string{
		"", "x", "$", "$$$", "$$$$$$$$", "$argon2id", strings.Repeat("$", 600),
		strings.Replace(good, "m=49152", "m=4194304", 1), strings.Replace(good, "m=49152", "m=-1", 1),
		strings.Replace(good, "m=49152", "m=4", 1),
		strings.Replace(good, "m=49152", "m=99999999999999999999", 1), strings.Replace(good, "t=3", "t=99", 1),
		strings.Replace(good, "t=3", "t=0", 1),
		strings.Replace(good, "p=1", "p=200", 1), strings.Replace(good, "p=1", "p=0", 1),
		strings.Replace(good, "p=1", "p=1,x=2", 1),
		strings.Replace(good, "argon2id", "argon2d", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "$v=19", "", 1),
		good[:len(good)-30], good + "$", good + "!", strings.Replace(good, "c29tZXNhbHRzb21lc2FsdA", "c2E", 1),
		"$2b$31$8CAD7cmnV942OUNuaf3IM.2l5Wce1LlAYuKI0.WRmnzHGQGV9gcu.", "$2b$05$short",
		"$2x$05$8CAD7cmnV942OUNuaf3IM.2l5Wce1LlAYuKI0.WRmnzHGQGV9gcu.",
		"$scrypt$ln=63,r=8,p=1" + hash, "$scrypt$ln=20,r=64,p=1" + hash, "$scrypt$ln=0,r=8,p=1" + hash,
		"$scrypt$ln=18,r=8,p=8" + hash, "$scrypt$ln=10,r=0,p=1" + hash,
		"$pbkdf2-sha256$i=2000001" + hash, "$pbkdf2-sha256$i=0" + hash, "$pbkdf2-md5$i=1000" + hash,
		"$pbkdf2-sha256$i=1000,l=64" + hash, "$pbkdf2-sha256$-5" + hash,
		"pbkdf2_sha256$99999999$salt$azcoLfF4StH9vKcdV8IoZkTpXQuezWLxGUCJq9SvT9g=",
		"pbkdf2_md5$1000$salt$azcoLfF4StH9vKcdV8IoZkTpXQuezWLxGUCJq9SvT9g=",
	} {
		err := CheckRecord(poison)
		if domain.KindOf(err) != domain.Invalid {
			t.Errorf("%q is read", poison)
		} else if poison != "" && len(poison) > 8 && strings.Contains(err.Error(), poison) {
			t.Errorf("the answer repeats the record: %v", err)
		}
	}
	h := New(Options{})
	if ok, stale, err := h.Verify(t.Context(), "", passphrase, Stranger); ok || stale || err != nil {
		t.Error(ok, stale, err)
	}
}

// The records were made by passlib 1.7.4, argon2-cffi 25.1 and Django 5.2, but
// for the last, which is of the test of Argon2's reference implementation.
func TestRecordsOfOtherSystems(t *testing.T) {
	t.Parallel()
	const password = "correct horse battery staple é"
	h := New(Options{})
	for record, password := range map[string]string{
		"$2b$05$8CAD7cmnV942OUNuaf3IM.2l5Wce1LlAYuKI0.WRmnzHGQGV9gcu.":                                                                      password,
		"$2a$05$WxHwDO6zSLDduvu40GI2teT1i78kqmYCNvyYA2PL/xHDNYa1PIECq":                                                                      password,
		"$2y$05$wI8BNKpcrTfylbkduovpquMDsGm6wEKLwZIgQgqhA5iDw4UkLi10C":                                                                      password,
		"bcrypt$$2b$05$PgID3mN6dbDlePYkRrrNO.09fLM2eIYU8w8GRvU8ALdnK.UanKNp2":                                                               password,
		"$scrypt$ln=10,r=8,p=1$57z3Xqv1PmdMCaEUAqAUwg$xyQtCrPZFPD+BOma2daUn7HgQU6MyQ07H6cWUE1TFWA":                                          password,
		"$pbkdf2-sha256$1000$TgkBAKBUyplzLuVcq5VSSg$QP6et1RftRrsO2YxC9iuebwi/kOKvCUOY2IKKHVYK14":                                            password,
		"$pbkdf2-sha256$i=1000,l=32$TgkBAKBUyplzLuVcq5VSSg$QP6et1RftRrsO2YxC9iuebwi/kOKvCUOY2IKKHVYK14":                                     password,
		"$pbkdf2-sha256$i=1000$TgkBAKBUyplzLuVcq5VSSg$QP6et1RftRrsO2YxC9iuebwi/kOKvCUOY2IKKHVYK14":                                          password,
		"$pbkdf2-sha512$1000$GENIyVmrde59r3UO4fzf.w$iw1QDyz.ZimKs7V.IEI5oIfh1Tbr60DUZV24Z8xFaiD8mei2BmRnHKnGNdu259VWt.toNyvUd3b/ypqVdCktfw": password,
		"$pbkdf2$1000$sjYGICSEcA7BGAPgHOPcmw$dLssrP2q47UE2e2R1E6lINy2Qw0":                                                                   password,
		"pbkdf2_sha256$1000$seasaltseasalt$azcoLfF4StH9vKcdV8IoZkTpXQuezWLxGUCJq9SvT9g=":                                                    password,
		"$argon2id$v=19$m=1024,t=2,p=4$PMdLcnva0Gg/NQILY32T7g$WKIJ02QEr+SD48xZ2waa24BYxMu4emORq8voeYjmTng":                                  password,
		"$argon2i$v=19$m=1024,t=2,p=1$SJH+C2obJAXhTROkzzkXCg$Fii4paYDAhMGMPCYRd+SpGl8JUZuLdS/d02793Kgdn0":                                   password,
		"argon2$argon2id$v=19$m=102400,t=2,p=8$c2Vhc2FsdHNlYXNhbHQ$02EiifMkYVyMtfyWn1qX8Nuvio3OHvHcto2cPXaRAzA":                             password,
		"$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA":                                             "password",
	} {
		if err := CheckRecord(record); err != nil {
			t.Errorf("%s: %v", record, err)
		}
		if ok, stale, err := h.Verify(t.Context(), record, password, Stranger); !ok || !stale || err != nil {
			t.Errorf("%s: %v, %v, %v", record, ok, stale, err)
		}
		if ok, stale, err := h.Verify(t.Context(), record, password+"x", Stranger); ok || stale || err != nil {
			t.Errorf("%s takes another password: %v, %v, %v", record, ok, stale, err)
		}
	}
}

// A wrong password of an imported account takes as long as that of an unknown
// one, though its record is a cheap one. The bounds are wide and the best of
// several counts, as the machine has other things to do.
func TestCHK_LG_01_ImportedAccountsDoNotStandOut(t *testing.T) {
	for _, row := range []struct {
		typical, spent time.Duration
		want           uint32
	}{{0, time.Second, argonMemory}, {time.Second, 0, argonMemory}, {time.Second, time.Second / 4, argonMemory * 3 / 4},
		{time.Second, time.Second, 0}, {time.Second, time.Hour, 0}} {
		if got := rest(argonMemory, row.typical, row.spent); got != row.want {
			t.Errorf("%v of %v: %d KiB, want %d", row.spent, row.typical, got, row.want)
		}
	}
	h := New(Options{})
	best := map[string]time.Duration{"": time.Hour,
		"$2b$05$8CAD7cmnV942OUNuaf3IM.2l5Wce1LlAYuKI0.WRmnzHGQGV9gcu.": time.Hour}
	for range 4 {
		for record, least := range best {
			start := time.Now()
			if ok, _, err := h.Verify(t.Context(), record, passphrase, Stranger); ok || err != nil {
				t.Fatal(ok, err)
			}
			best[record] = min(least, time.Since(start))
		}
	}
	t.Log(best)
	for _, took := range best {
		if took < best[""]/3 || took > 3*best[""] {
			t.Error("an imported account and an unknown one differ:", best)
		}
	}
}

// Whoever finds no turn is told so, and when to come again.
func TestBusyHasherIsUnavailable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := New(Options{Turns: 1, Waiting: 3})
		leave, err := h.turn(t.Context(), Stranger, 0)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var late, early atomic.Int32
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				_, err := h.Hash(t.Context(), passphrase, Stranger)
				var e *domain.Error
				if !errors.As(err, &e) || e.Kind != domain.Unavailable || e.RetryAfter != 2*time.Second {
					t.Errorf("%v", err)
				}
				if time.Since(start) == 0 {
					early.Add(1)
				} else {
					late.Add(1)
				}
			})
		}
		all.Wait()
		if early.Load() != 7 || late.Load() != 3 || time.Since(start) != 2*time.Second {
			t.Errorf("%d refused at once, %d after %v", early.Load(), late.Load(), time.Since(start))
		}
		if l := h.Load(); l != (Load{Running: 1, Refused: 10}) {
			t.Errorf("%+v", l)
		}
		leave()
		if l := h.Load(); l.Running != 0 {
			t.Errorf("%+v", l)
		}
	})
}

// One turn is kept for those we know, and they do not wait behind strangers.
func TestUnknownClientsDoNotBlockKnownOnes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := New(Options{Turns: 2, Waiting: 4})
		for range 2 {
			if _, err := h.turn(t.Context(), Stranger, 0); err != nil {
				t.Fatal(err)
			}
		}
		for range 4 {
			go func() { _, _ = h.turn(t.Context(), Stranger, 0) }()
		}
		synctest.Wait()
		leave, err := h.turn(t.Context(), Known, 0)
		if err != nil {
			t.Fatal(err)
		}
		if l := h.Load(); l.Running != 3 || l.Waiting != 4 {
			t.Errorf("%+v", l)
		}
		leave()
		time.Sleep(3 * time.Second) // of the bubble: the four give up
	})
}

// Two records of other systems that take more memory than ours are never
// compared at once, and the second waits without a turn.
func TestExpensiveRecordsAreSerialized(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := New(Options{Turns: 2})
		leave, err := h.turn(t.Context(), Stranger, 200<<20)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() {
			_, err := h.turn(ctx, Stranger, 200<<20)
			gone <- err
		}()
		synctest.Wait()
		if l := h.Load(); l.Running != 1 || l.Waiting != 1 {
			t.Errorf("%+v", l)
		}
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		leave()
		if leave, err = h.turn(t.Context(), Stranger, 200<<20); err != nil {
			t.Fatal(err)
		}
		leave()
		if l := h.Load(); l != (Load{}) {
			t.Errorf("%+v", l)
		}
	})
}

// A caller that goes away while its hash runs does not give its turn to the
// next before the hash has ended.
func TestASlotIsHeldUntilHashingEnds(t *testing.T) {
	t.Parallel()
	h := New(Options{Turns: 1, Memory: 1, Wait: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = h.Hash(ctx, passphrase, Stranger)
	}()
	for h.Load().Running == 0 {
		runtime.Gosched()
	}
	cancel()
	leave, err := h.turn(t.Context(), Known, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	if h.typical.Load() == 0 {
		t.Error("the next one got in while the hash ran")
	}
	<-ended
}

func TestMemoryLimitsConcurrency(t *testing.T) {
	t.Parallel()
	for memory, want := range map[int64][2]int{1: {1, 0}, 48 << 20: {1, 0}, 96 << 20: {1, 1}, 256 << 20: {4, 1},
		4 << 30: {8, 1}} {
		h := New(Options{Memory: memory, Turns: 8})
		if got := [2]int{cap(h.turns), cap(h.kept)}; got != want {
			t.Errorf("%d MiB: %v, want %v", memory>>20, got, want)
		}
	}
}
