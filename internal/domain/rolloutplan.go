package domain

import (
	"math"
	"slices"
	"time"
)

const maxSoak = 30 * 24 * time.Hour

// RolloutPlan says how a rollout goes. It is stored as JSON; seconds are whole numbers.
type RolloutPlan struct {
	Stages   []RolloutStage   `json:"stages,omitempty" maxItems:"10" doc:"absent: canary, 5, 25 and 100 %, a day each"`
	Target   RolloutTarget    `json:"target,omitzero" doc:"which devices of the product; absent: all"`
	Exclude  RolloutExclusion `json:"exclude,omitzero"`
	Windows  []UpdateWindow   `json:"windows,omitempty" maxItems:"7" doc:"when devices may be updated; absent: always"`
	Require  UpdateRequires   `json:"require,omitzero" doc:"what devices look at before they install it"`
	Consent  bool             `json:"consent,omitempty" doc:"the owner of each device is asked first"`
	Approval bool             `json:"approval,omitempty" doc:"somebody else than who made it must approve of it"`
	StartAt  *time.Time       `json:"start_at,omitempty" doc:"absent: at once"`
	Limits   RolloutLimits    `json:"limits,omitzero"`
	Judge    RolloutJudge     `json:"judge,omitzero" doc:"when it pauses by itself, and when it goes on"`
	Timeouts RolloutTimeouts  `json:"timeouts,omitzero"`
}

// RolloutStage is a part of the devices. A stage has those of all stages before it.
type RolloutStage struct {
	Percent float64 `json:"percent" minimum:"0" maximum:"100" doc:"of the devices that are meant"`
	AtLeast int     `json:"at_least,omitempty" minimum:"0" maximum:"1000000" doc:"devices, if the percentage is fewer"`
	Tag     string  `json:"tag,omitempty" maxLength:"32" doc:"devices with this tag are in this stage in any case"`
	Soak    int     `json:"soak,omitempty" minimum:"0" maximum:"2592000" doc:"seconds that it is watched before the next"`
}

// RolloutTarget says which devices of a product are meant: those that all of it is true of.
type RolloutTarget struct {
	Tag         string   `json:"tag,omitempty" maxLength:"32"`
	Type        string   `json:"type,omitempty" maxLength:"64"`
	Chip        string   `json:"chip,omitempty" maxLength:"32"`
	RevisionMin int      `json:"revision_min,omitempty" minimum:"0" maximum:"65535"`
	RevisionMax int      `json:"revision_max,omitempty" minimum:"0" maximum:"65535" doc:"0: any"`
	Versions    []string `json:"versions,omitempty" maxItems:"200" doc:"that they run now; absent: any"`
	Devices     []string `json:"devices,omitempty" maxItems:"200" doc:"ids; absent: any"`
}

// RolloutExclusion says which devices are left out.
type RolloutExclusion struct {
	Revisions []HardwareRevision `json:"revisions,omitempty" maxItems:"200"`
	Versions  []string           `json:"versions,omitempty" maxItems:"200" doc:"that they run now"`
	Devices   []string           `json:"devices,omitempty" maxItems:"200" doc:"ids"`
	Shared    bool               `json:"shared,omitempty" doc:"devices of other owners that have joined the product"`
}

// UpdateWindow is a time of each week in which devices are updated, by the clock at the device.
type UpdateWindow struct {
	Weekdays []int  `json:"weekdays" minItems:"1" maxItems:"7" doc:"on which it begins: 1, which is Monday, to 7"`
	Start    string `json:"start" pattern:"^[0-2][0-9]:[0-5][0-9]$" example:"02:30" doc:"time of day"`
	Minutes  int    `json:"minutes" minimum:"1" maximum:"1440"`
}

// UpdateRequires is what a device looks at before it installs an update. Zero values ask for nothing.
type UpdateRequires struct {
	Battery  int  `json:"battery,omitempty" minimum:"0" maximum:"100" doc:"percent, at least"`
	Signal   int  `json:"signal,omitempty" minimum:"-120" maximum:"0" doc:"dBm, at least; 0: any"`
	Charging bool `json:"charging,omitempty"`
}

// RolloutLimits bound how fast a rollout goes. Zero values are the defaults.
type RolloutLimits struct {
	Downloads int     `json:"downloads,omitempty" minimum:"0" maximum:"100000" doc:"at the same time; 0: 50"`
	PerMinute int     `json:"per_minute,omitempty" minimum:"0" maximum:"100000" doc:"offers; 0: 1,000"`
	Begin     int     `json:"begin,omitempty" minimum:"0" maximum:"1000" doc:"devices that try it at first; 0: 5"`
	Growth    float64 `json:"growth,omitempty" minimum:"0" maximum:"10" doc:"more for each that has succeeded; 0: 0.5"`
}

// RolloutJudge says when a rollout pauses by itself, and when it goes on. Zero values are the defaults.
type RolloutJudge struct {
	Failures   float64 `json:"failures,omitempty" minimum:"0" maximum:"1" doc:"share of devices that may fail; 0: 0.01"`
	Success    float64 `json:"success,omitempty" minimum:"0" maximum:"1" doc:"share that must have succeeded; 0: 0.95"`
	Samples    int     `json:"samples,omitempty" minimum:"0" maximum:"100000" doc:"that must have ended it, or all; 0: 5"`
	Crashes    float64 `json:"crashes,omitempty" minimum:"0" maximum:"1000" doc:"an hour of a device that are borne; 0: 0.05"`
	CrashRatio float64 `json:"crash_ratio,omitempty" minimum:"0" maximum:"100" doc:"times as many as before; 0: 2"`
	Flapping   float64 `json:"flapping,omitempty" minimum:"0" maximum:"1" doc:"share that may begin to flap; 0: 0.02"`
}

// RolloutTimeouts say, in seconds, how long devices are waited for. Zero values are the defaults.
type RolloutTimeouts struct {
	Accept  int `json:"accept,omitempty" minimum:"0" maximum:"2592000" doc:"an offer; 0: a day"`
	Stalled int `json:"stalled,omitempty" minimum:"0" maximum:"86400" doc:"without progress; 0: 3,600"`
	Return  int `json:"return,omitempty" minimum:"0" maximum:"86400" doc:"after it restarts; 0: 1,800"`
	Confirm int `json:"confirm,omitempty" minimum:"0" maximum:"86400" doc:"that it must run without a crash; 0: 600"`
}

// CheckRolloutPlan returns p with its defaults, or says what is wrong with it.
func CheckRolloutPlan(p RolloutPlan) (RolloutPlan, error) {
	if len(p.Stages) == 0 {
		const day = 24 * 60 * 60
		p.Stages = []RolloutStage{{Percent: 1, AtLeast: 5, Soak: day}, {Percent: 5, Soak: day}, {Percent: 25, Soak: day},
			{Percent: 100}}
	}
	if err := checkStages(p.Stages); err != nil {
		return p, err
	}
	for i, w := range p.Windows {
		if err := checkUpdateWindow(i, w); err != nil {
			return p, err
		}
	}
	if t := p.Target; t.RevisionMax != 0 && t.RevisionMin > t.RevisionMax {
		return p, InvalidField("/plan/target/revision_max", "this is not below revision_min")
	}
	if p.Target.Tag != "" && !deviceTags.MatchString(p.Target.Tag) {
		return p, InvalidField("/plan/target/tag", "a tag has 1 to 32 lower-case letters, digits, dots, hyphens or underscores")
	}
	for name, list := range map[string]int{"/plan/target/versions": len(p.Target.Versions),
		"/plan/target/devices": len(p.Target.Devices), "/plan/exclude/versions": len(p.Exclude.Versions),
		"/plan/exclude/devices": len(p.Exclude.Devices), "/plan/exclude/revisions": len(p.Exclude.Revisions)} {
		if list > MaxExclusions {
			return p, InvalidField(name, "this has at most %d entries", MaxExclusions)
		}
	}
	for _, share := range []float64{p.Judge.Failures, p.Judge.Success, p.Judge.Crashes, p.Judge.CrashRatio,
		p.Judge.Flapping, p.Limits.Growth} {
		if math.IsNaN(share) || math.IsInf(share, 0) || share < 0 {
			return p, InvalidField("/plan/judge", "shares and rates are numbers from 0 on")
		}
	}
	return p.withDefaults(), nil
}

func (p RolloutPlan) withDefaults() RolloutPlan {
	whole := func(v *int, usual int) {
		if *v == 0 {
			*v = usual
		}
	}
	share := func(v *float64, usual float64) {
		if *v == 0 {
			*v = usual
		}
	}
	whole(&p.Limits.Downloads, 50)
	whole(&p.Limits.PerMinute, 1000)
	whole(&p.Limits.Begin, 5)
	share(&p.Limits.Growth, 0.5)
	share(&p.Judge.Failures, 0.01)
	share(&p.Judge.Success, 0.95)
	whole(&p.Judge.Samples, 5)
	share(&p.Judge.Crashes, 0.05)
	share(&p.Judge.CrashRatio, 2)
	share(&p.Judge.Flapping, 0.02)
	whole(&p.Timeouts.Accept, 24*60*60)
	whole(&p.Timeouts.Stalled, 60*60)
	whole(&p.Timeouts.Return, 30*60)
	whole(&p.Timeouts.Confirm, 10*60)
	return p
}

func checkStages(stages []RolloutStage) error {
	if len(stages) > MaxRolloutStages {
		return InvalidField("/plan/stages", "a rollout has at most %d stages", MaxRolloutStages)
	}
	before := 0.0
	for _, s := range stages {
		switch {
		case math.IsNaN(s.Percent) || s.Percent < before || s.Percent > 100:
			return InvalidField("/plan/stages", "the percentages of stages grow, up to 100")
		case s.Percent == 0 && s.AtLeast == 0 && s.Tag == "":
			return InvalidField("/plan/stages", "a stage has a percentage, a number of devices or a tag")
		case s.AtLeast < 0:
			return InvalidField("/plan/stages", "at_least is a number of devices")
		case s.Tag != "" && !deviceTags.MatchString(s.Tag):
			return InvalidField("/plan/stages", "this is no tag")
		case s.Soak < 0 || Seconds(s.Soak) > maxSoak:
			return InvalidField("/plan/stages", "a stage is watched for 0 to %d seconds", int(maxSoak/time.Second))
		}
		before = s.Percent
	}
	return nil
}

func checkUpdateWindow(i int, w UpdateWindow) error {
	if len(w.Weekdays) == 0 || slices.Min(w.Weekdays) < 1 || slices.Max(w.Weekdays) > 7 {
		return InvalidField("/plan/windows", "window %d: days are 1, which is Monday, to 7", i)
	}
	if _, err := time.Parse("15:04", w.Start); err != nil {
		return InvalidField("/plan/windows", "window %d: start is a time of day, such as 02:30", i)
	}
	if w.Minutes < 1 || w.Minutes > 24*60 {
		return InvalidField("/plan/windows", "window %d: it lasts 1 to %d minutes", i, 24*60)
	}
	if i >= MaxUpdateWindows {
		return InvalidField("/plan/windows", "there are at most %d windows", MaxUpdateWindows)
	}
	return nil
}
