package names

import (
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Ann Lee": "Ann Lee", "  Ann \u00a0 Lee ": "Ann Lee", "Анна Каренина": "Анна Каренина", "Zoe\u0308": "Zoë",
		"王小明": "王小明", "김철수": "김철수",
		"می\u200cخواهم": "می\u200cخواهم", "Ann 👩\u200d💻": "Ann 👩\u200d💻", "I ❤\ufe0f tea": "I ❤\ufe0f tea",
		"1\ufe0f\u20e3 first": "1\ufe0f\u20e3 first", "क्\u200dष": "क्\u200dष",
		"Δt lab": "Δt lab", "Ann Анна": "Ann Анна", "נועה": "נועה", "🚀": "🚀", "O'Brien-Smith, Jr.": "O'Brien-Smith, Jr.",
	} {
		if got, err := Check("/name", name, 64, true); err != nil || got != want {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	for _, bad := range []string{
		"", " \u3000 ", "Ann\u200bLee", "\u202eeel", "\u2066x\u2069", "Ann\u2028Lee", "Ann\u0085Lee", "\u3164", "\u2800",
		"A\u034f", "A\ufe0f", "A\u200dB", "\u200d", "x\ufeff",
		"A\u00adnn", "\u0301", "Z" + strings.Repeat("\u0338", 6), "A\U000e0041", "\U000f0000", "Аnn", "рaypal", "Sοcrates",
		"a\xff",
	} {
		if got, err := Check("/name", bad, 64, true); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%+q is kept as %q, %v", bad, got, err)
		}
	}
}

func TestNamesThatLookReserved(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"system", "System", "SYSTEM", "Unhidra", "unhіdra", "rооm", "r00m", "@everyone",
		"ｓｙｓｔｅｍ", "𝐬𝐲𝐬𝐭𝐞𝐦"} {
		if got, err := CheckPrincipal("/name", name, 64, true); err == nil {
			t.Errorf("%q is kept as %q", name, got)
		}
	}
	for _, name := range []string{"sys7em2", "Ann", "Roomba", "Systems"} {
		if _, err := CheckPrincipal("/name", name, 64, true); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"r00m", "a11", "system", "syste-m"} {
		if _, err := CheckUsername(name); (err == nil) != (name == "syste-m") {
			t.Errorf("username %q: %v", name, err)
		}
	}
}

func TestNobodyChoosesAnOfficialUsername(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"root", "Admin", "adrnin", "r00t", "nu11", "system"} {
		if _, err := CheckChosenUsername(name); err == nil {
			t.Errorf("%q may be chosen", name)
		}
	}
	for _, name := range []string{"ann", "admin2", "rooted"} {
		if _, err := CheckChosenUsername(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := CheckUsername("admin"); err != nil {
		t.Errorf("the operator may not give it: %v", err)
	}
}

func TestSkeleton(t *testing.T) {
	t.Parallel()
	for a, b := range map[string]string{
		"paypal": "раураl", "modem": "modern", "bi11": "bill", "ANN": "ann", "scope": "ѕсоре", "Ο": "o", "rnary": "mary",
		"ａｎｎ": "ann", "a\u200bnn": "ann", "user0": "userO",
	} {
		if Skeleton(a) != Skeleton(b) {
			t.Errorf("%q and %q: %q, %q", a, b, Skeleton(a), Skeleton(b))
		}
	}
	for a, b := range map[string]string{"ann": "anna", "user1": "user2", "tom": "tim", "ш": "w"} {
		if Skeleton(a) == Skeleton(b) {
			t.Errorf("%q and %q look alike", a, b)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{"Ann", "م\u200cن", "👩\u200d💻", "\u202e", "\xff", "1\ufe0f\u20e3", "e\u0301\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := CheckPrincipal("/name", s, 64, true)
		if err != nil {
			return
		}
		if again, err := CheckPrincipal("/name", got, 64, true); err != nil || again != got {
			t.Fatalf("%q is kept as %q, and that as %q, %v", s, got, again, err)
		}
		if Skeleton(got) == "" {
			t.Fatalf("%q is kept, and looks like nothing", got)
		}
	})
}
