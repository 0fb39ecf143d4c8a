package senml

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

var now = time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return time.UnixMilli(int64(seconds * 1000)).UTC()
}

// Examples of RFC 8428, sections 5.1.1 to 5.1.5: long ones are cut short. The last two are of what sections
// 4.5.3 and 4.5.4 say, and not in the RFC.
func TestTheExamplesOfRFC8428(t *testing.T) {
	t.Parallel()
	number := domain.Number
	for _, c := range []struct {
		section, pack string
		want          []Record
	}{
		{"5.1.1", `[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]`,
			[]Record{{"urn:dev:ow:10e2073a01080063", "Cel", time.Time{}, number(23.1), false}}},
		{"5.1.2", `[{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},
			{"n":"current","u":"A","v":1.2}]`,
			[]Record{{"urn:dev:ow:10e2073a01080063:voltage", "V", time.Time{}, number(120.1), false},
				{"urn:dev:ow:10e2073a01080063:current", "A", time.Time{}, number(1.2), false}}},
		{"5.1.2, with times", `[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,
			"n":"voltage","u":"V","v":120.1},{"n":"current","t":-5,"v":1.2},{"n":"current","t":-4,"v":1.3}]`,
			[]Record{{"urn:dev:ow:10e2073a0108006:voltage", "V", at(1276020076.001), number(120.1), false},
				{"urn:dev:ow:10e2073a0108006:current", "A", at(1276020071.001), number(1.2), false},
				{"urn:dev:ow:10e2073a0108006:current", "A", at(1276020072.001), number(1.3), false}}},
		{"5.1.3", `[{"bn":"urn:dev:ow:10e2073a01080063","bt":1.320067464e+09,"bu":"%RH","v":20},
			{"u":"lon","v":24.30621},{"u":"lat","v":60.07965},{"t":60,"v":20.3}]`,
			[]Record{{"urn:dev:ow:10e2073a01080063", "%RH", at(1320067464), number(20), false},
				{"urn:dev:ow:10e2073a01080063", "lon", at(1320067464), number(24.30621), false},
				{"urn:dev:ow:10e2073a01080063", "lat", at(1320067464), number(60.07965), false},
				{"urn:dev:ow:10e2073a01080063", "%RH", at(1320067524), number(20.3), false}}},
		{"5.1.5", `[{"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},{"n":"label","vs":"Machine Room"},
			{"n":"open","vb":false},{"n":"nfc-reader","vd":"aGkgCg"}]`,
			[]Record{{"urn:dev:ow:10e2073a01080063:temp", "Cel", time.Time{}, number(23.1), false},
				{"urn:dev:ow:10e2073a01080063:label", "", time.Time{}, domain.Text("Machine Room"), false},
				{"urn:dev:ow:10e2073a01080063:open", "", time.Time{}, domain.Bool(false), false},
				{"urn:dev:ow:10e2073a01080063:nfc-reader", "", time.Time{}, domain.Value{}, false}}},
		{"4.5.4", `[{"bn":"a","bv":20,"n":"b","v":1.5},{"n":"c"}]`,
			[]Record{{"ab", "", time.Time{}, number(21.5), false}, {"ac", "", time.Time{}, number(20), false}}},
		{"4.5.3", `[{"n":"a","t":-60,"v":1}]`, []Record{{"a", "", now.Add(-time.Minute), number(1), true}}},
	} {
		got, err := ParseJSON([]byte(c.pack), now)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, %v", c.section, got, err)
		}
	}
}

// The example of RFC 8428, section 6.
func TestTheExampleInCBOR(t *testing.T) {
	t.Parallel()
	pack := `87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303a15b00106223614120050067766f6c7461` +
		`676501615602fb405e066666666666a3006763757272656e74062402fb3ff3333333333333a3006763757272656e74062302fb3ff4cccccc` +
		`cccccda3006763757272656e74062202fb3ff6666666666666a3006763757272656e74062102f93e00a3006763757272656e74062002fb3f` +
		`f999999999999aa3006763757272656e74060002fb3ffb333333333333`
	b, err := hex.DecodeString(pack)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseCBOR(b, now)
	if err != nil || len(got) != 7 {
		t.Fatalf("%d records, %v", len(got), err)
	}
	const device = "urn:dev:ow:10e2073a0108006:"
	for i, want := range []Record{
		{device + "voltage", "V", at(1276020076.001), domain.Number(120.1), false},
		{device + "current", "A", at(1276020071.001), domain.Number(1.2), false},
		{device + "current", "A", at(1276020072.001), domain.Number(1.3), false},
		{device + "current", "A", at(1276020073.001), domain.Number(1.4), false},
		{device + "current", "A", at(1276020074.001), domain.Number(1.5), false},
		{device + "current", "A", at(1276020075.001), domain.Number(1.6), false},
		{device + "current", "A", at(1276020076.001), domain.Number(1.7), false},
	} {
		if got[i] != want {
			t.Errorf("record %d: %+v, want %+v", i, got[i], want)
		}
	}
}

func TestATimeTooFarAwayStaysFarAway(t *testing.T) {
	t.Parallel()
	for pack, past := range map[string]bool{
		`[{"bt":1e300,"n":"a","v":1}]`: false, `[{"bt":9e18,"n":"a","v":1}]`: false, `[{"n":"a","t":1e18,"v":1}]`: false,
		`[{"bt":-1e300,"n":"a","v":1}]`: true, `[{"n":"a","t":-1e12,"v":1}]`: true,
	} {
		got, err := ParseJSON([]byte(pack), now)
		if err != nil || len(got) != 1 || got[0].Ago != past ||
			past && got[0].At.After(now.AddDate(-200, 0, 0)) || !past && got[0].At.Before(now.AddDate(200, 0, 0)) {
			t.Errorf("%s: %+v, %v", pack, got, err)
		}
	}
}

func TestWhatIsNoPackIsRefused(t *testing.T) {
	t.Parallel()
	for _, pack := range []string{
		``, `{}`, `[1]`, `[{"n":1}]`, `[{"n":"a","v":"1"}]`, `[{"n":"a","v":1,"vb":true}]`, `[{"n":"a","vb":1}]`,
		`[{"n":"a","v":1,"must_":1}]`, `[{"bver":11,"n":"a","v":1}]`, `[{"n":"a","v":1}] x`,
		"[" + strings.Repeat(`{"v":1},`, MaxRecords) + `{"v":1}]`,
	} {
		if got, err := ParseJSON([]byte(pack), now); !errors.Is(err, ErrPack) {
			t.Errorf("%.40s: %d records, %v", pack, len(got), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`[{"bn":"a","bt":1.3e9,"n":"b","v":1}]`))
	f.Add([]byte{0x81, 0xa2, 0x00, 0x61, 0x61, 0x02, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, parse := range []func([]byte, time.Time) ([]Record, error){ParseJSON, ParseCBOR} {
			if records, err := parse(b, now); err != nil && !errors.Is(err, ErrPack) || len(records) > MaxRecords {
				t.Fatal(err)
			}
		}
	})
}
