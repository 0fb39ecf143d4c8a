package alarm

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func TestAnAnomalyIsAValueUnlikeThoseBefore(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		g := newGarden(t, db)
		g.rule(t, domain.AlarmRule{Kind: domain.AnomalyAlarm, Sensor: "temperature", Above: new(6.0)})
		g.reads(t, time.Second, 500)
		g.want(t, "the first value")
		for i := range 60 {
			g.reads(t, time.Second, 20+float64(i%5)/10)
		}
		g.want(t, "as usual")
		g.reads(t, time.Second, 23)
		g.want(t, "odd", raised)
		open, err := g.Store.Open(t.Context(), greenhouse)
		if err != nil || len(open) != 1 || *open[0].Value != 23 || *open[0].Limit < 20.5 || *open[0].Limit > 22 {
			t.Errorf("the alarm says %+v, %v", open, err)
		}
		g.reads(t, time.Second, 20.2)
		g.want(t, "as usual again", raised, cleared)
		for range usualMost {
			g.reads(t, time.Second, 30)
		}
		g.want(t, "what stays becomes usual", raised, cleared, raised, cleared)
	})
}

func TestTheScoreOfOrdinaryReadingsIsLow(t *testing.T) {
	t.Parallel()
	chance := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	var u usual
	odd, found := 0, 0
	const readings = 20_000
	for i := range readings {
		day := 5 * math.Sin(2*math.Pi*float64(i)/8640) // a reading every ten seconds
		score, _ := u.score(20+day+chance.NormFloat64()/5, 6)
		if score > 6 {
			odd++
		}
		if i%1000 == 999 {
			if score, _ := u.score(20+day+4, 6); score > 6 {
				found++
			}
		}
	}
	if odd > readings/10_000 || found < 18 {
		t.Errorf("%d of %d ordinary readings are odd, and %d of 20 odd ones", odd, readings, found)
	}
}

func TestOneOtherValueAmongEqualOnesIsOdd(t *testing.T) {
	t.Parallel()
	var u usual
	for range 40 {
		if score, _ := u.score(7, 6); score != 0 {
			t.Fatalf("7 among sevens has the score %g", score)
		}
	}
	if score, border := u.score(8, 6); score != scoreMost || border != 7 {
		t.Errorf("8 among sevens has the score %g, beyond %g", score, border)
	}
}

func TestRulesAboutAnomaliesAreChecked(t *testing.T) {
	t.Parallel()
	good := domain.AlarmRule{Name: "Odd", Kind: domain.AnomalyAlarm, Sensor: "temperature", Above: new(6.0)}
	if _, err := domain.CheckAlarmRule(good); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(*domain.AlarmRule){
		"no score":  func(r *domain.AlarmRule) { r.Above = nil },
		"too low":   func(r *domain.AlarmRule) { r.Above = new(1.0) },
		"below":     func(r *domain.AlarmRule) { r.Below = new(3.0) },
		"no sensor": func(r *domain.AlarmRule) { r.Sensor = "" },
		"a window":  func(r *domain.AlarmRule) { r.Window = time.Minute },
	} {
		r := good
		change(&r)
		if _, err := domain.CheckAlarmRule(r); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
}
