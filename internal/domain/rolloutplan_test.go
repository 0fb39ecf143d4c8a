package domain

import (
	"errors"
	"math"
	"testing"
)

func TestPlansOfRolloutsWithoutSenseAreRefused(t *testing.T) {
	t.Parallel()
	stages := func(s ...RolloutStage) RolloutPlan { return RolloutPlan{Stages: s} }
	for pointer, plans := range map[string][]RolloutPlan{
		"/plan/stages": {stages(RolloutStage{Percent: 50}, RolloutStage{Percent: 5}), stages(RolloutStage{Percent: 101}),
			stages(RolloutStage{}), stages(RolloutStage{Percent: math.NaN()}), stages(RolloutStage{Percent: 100, AtLeast: -1}),
			stages(RolloutStage{Percent: 100, Tag: "Two words"}), stages(RolloutStage{Percent: 100, Soak: -1}),
			stages(make([]RolloutStage, MaxRolloutStages+1)...)},
		"/plan/target/tag":          {{Target: RolloutTarget{Tag: "no such"}}},
		"/plan/target/revision_max": {{Target: RolloutTarget{RevisionMin: 200, RevisionMax: 100}}},
		"/plan/windows":             {{Windows: []UpdateWindow{{Weekdays: []int{8}, Start: "02:00", Minutes: 60}}}},
		"/plan/judge":               {{Judge: RolloutJudge{Failures: math.Inf(1)}}},
	} {
		for _, p := range plans {
			_, err := CheckRolloutPlan(p)
			var refused *Error
			if !errors.As(err, &refused) || len(refused.Fields) != 1 || refused.Fields[0].Pointer != pointer {
				t.Errorf("%+v: %v, want a fault at %s", p, err, pointer)
			}
		}
	}
	p, err := CheckRolloutPlan(RolloutPlan{Target: RolloutTarget{Tag: "lab-1"}})
	if err != nil || len(p.Stages) != 4 || p.Limits.Downloads != 50 {
		t.Errorf("the usual plan is %+v, %v", p, err)
	}
}
