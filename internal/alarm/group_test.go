package alarm

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func (g *garden) rulesOf(t *testing.T, device string) []domain.AlarmRule {
	t.Helper()
	if err := g.follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	rules, err := g.Store.Rules(t.Context(), device, "", rulesMost)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.load(t.Context(), device); err != nil {
		t.Fatal(err)
	}
	return rules
}

func (g *garden) describe(t *testing.T, device, typ string, tags ...string) {
	t.Helper()
	c := domain.DeviceChange{Type: &typ, Tags: &tags}
	if _, err := g.db.Devices.ChangeDevice(t.Context(), owner.ID, device, c, g.now); err != nil {
		t.Fatal(err)
	}
}

// A rule for a type or tag is one of each device that fits, also of those that come later, until they fit no more.
func TestARuleForSeveralDevicesIsOneOfEach(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		g := newGarden(t, db)
		const shed = "dev_00000000000000000000000002"
		d := domain.Device{ID: shed, Owner: domain.UserRef{ID: owner.ID}, Name: "Shed"}
		if err := db.Devices.CreateDevice(t.Context(), d, domain.DeviceKey{ID: "key2", Device: shed},
			domain.DeviceSecret{Hash: []byte{2}}, nil, 0, g.now); err != nil {
			t.Fatal(err)
		}
		g.describe(t, greenhouse, "climate", "glass", "wet")
		warm := domain.ScopedRule{Scope: domain.DeviceScope{Type: "climate", Tag: "glass"}, AlarmRule: domain.AlarmRule{
			Name: "Too warm", Kind: domain.ThresholdAlarm, Sensor: "temperature", Above: new(30.0), Room: g.room}}
		warm, err := g.PutGroupRule(t.Context(), owner, warm)
		if err != nil || warm.Devices != 1 {
			t.Fatalf("%d devices have it, %v", warm.Devices, err)
		}
		rules := g.rulesOf(t, greenhouse)
		if len(rules) != 1 || rules[0].Group != warm.ID || len(g.rulesOf(t, shed)) != 0 {
			t.Fatalf("the rules are %+v", rules)
		}
		if err := g.DeleteRule(t.Context(), owner, greenhouse, rules[0].ID); domain.CodeOf(err) != domain.CodeRuleOfGroup {
			t.Errorf("a rule of a group is deleted: %v", err)
		}
		if _, err := g.ReplaceRule(t.Context(), owner, rules[0]); domain.CodeOf(err) != domain.CodeRuleOfGroup {
			t.Errorf("a rule of a group is replaced: %v", err)
		}
		g.reads(t, time.Minute, 31)
		g.want(t, "raised by the rule", raised)

		g.describe(t, shed, "climate", "glass")
		if len(g.rulesOf(t, shed)) != 1 {
			t.Error("a device that fits now has no rule")
		}
		warm.Above = new(40.0)
		g.now = g.now.Add(time.Minute)
		if warm, err = g.PutGroupRule(t.Context(), owner, warm); err != nil || warm.Devices != 2 {
			t.Fatalf("%d devices have it, %v", warm.Devices, err)
		}
		if now := g.rulesOf(t, greenhouse); len(now) != 1 || now[0].ID != rules[0].ID || *now[0].Above != 40 {
			t.Errorf("the rules are %+v", now)
		}
		g.describe(t, greenhouse, "climate", "wet")
		if now := g.rulesOf(t, greenhouse); len(now) != 0 {
			t.Errorf("a device that fits no more has %+v", now)
		}
		g.want(t, "ended with the rule", raised, cleared)
		if err := g.DeleteGroupRule(t.Context(), owner, warm.ID); err != nil {
			t.Fatal(err)
		}
		if len(g.rulesOf(t, shed)) != 0 {
			t.Error("a rule is left of a deleted one")
		}
	})
}

// Rules for several devices are those of their owner.
func TestNobodyChangesTheGroupRuleOfAnother(t *testing.T) {
	t.Parallel()
	g := newGarden(t, testkit.Open(t, testkit.SQLite(t)))
	silent := domain.ScopedRule{AlarmRule: domain.AlarmRule{Name: "Silent", Kind: domain.AbsenceAlarm}}
	mine, err := g.PutGroupRule(t.Context(), owner, silent)
	if err != nil || mine.Devices != 1 {
		t.Fatalf("%+v, %v", mine, err)
	}
	bob := domain.Principal{ID: testkit.UserID(1), Kind: domain.KindUser}
	if _, err := g.PutGroupRule(t.Context(), bob, mine); domain.CodeOf(err) != domain.CodeNoAlarmRule {
		t.Errorf("it is replaced: %v", err)
	}
	if err := g.DeleteGroupRule(t.Context(), bob, mine.ID); domain.CodeOf(err) != domain.CodeNoAlarmRule {
		t.Errorf("it is deleted: %v", err)
	}
	theirs, err := g.PutGroupRule(t.Context(), bob, silent)
	if err != nil || theirs.Devices != 0 {
		t.Errorf("a rule for all devices of one has those of others: %+v, %v", theirs, err)
	}
}

// A rule and a maintenance window for a group that is made by hand are those of the devices that are in it by then.
func TestAGroupMadeByHandIsAScope(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, g := t.Context(), newGarden(t, db)
		pumps := domain.DeviceGroup{Owner: owner.ID, Name: "pumps"}
		if _, err := db.Groups.PutGroup(ctx, pumps, []string{greenhouse}, g.now); err != nil {
			t.Fatal(err)
		}
		silent := domain.ScopedRule{AlarmRule: domain.AlarmRule{Name: "Silent", Kind: domain.AbsenceAlarm},
			Scope: domain.DeviceScope{Group: "pumps"}}
		silent, err := g.PutGroupRule(ctx, owner, silent)
		if err != nil || silent.Devices != 1 || silent.Scope != (domain.DeviceScope{Group: "pumps"}) {
			t.Fatalf("%+v, %v", silent, err)
		}
		hour := domain.Maintenance{Name: "New pump", From: g.now, To: g.now.Add(time.Hour), Scope: silent.Scope}
		if _, err := g.AddMaintenance(ctx, owner, hour); err != nil {
			t.Fatal(err)
		}
		windows := func() int {
			t.Helper()
			out, err := g.windows(ctx, owner.ID, &domain.Device{ID: greenhouse})
			if err != nil {
				t.Fatal(err)
			}
			return len(out.Body.Items)
		}
		if n := windows(); n != 1 {
			t.Errorf("a device of the group has %d windows", n)
		}
		if _, err := db.Groups.ChangeGroup(ctx, owner.ID, "pumps", nil, []string{greenhouse}, nil, g.now); err != nil {
			t.Fatal(err)
		}
		if n, rules := windows(), g.rulesOf(t, greenhouse); n != 0 || len(rules) != 0 {
			t.Errorf("a device that is not in it any more has %d windows, and %+v", n, rules)
		}

		wet := domain.DeviceGroup{Owner: owner.ID, Name: "wet", Rule: &domain.GroupRule{Tag: "wet"}}
		if _, err := db.Groups.PutGroup(ctx, wet, nil, g.now); err != nil {
			t.Fatal(err)
		}
		for what, scope := range map[string]domain.DeviceScope{
			"a group by a rule": {Group: "wet"}, "no group": {Group: "fans"}, "a group and a tag": {Group: "pumps", Tag: "wet"},
		} {
			silent.ID, silent.Scope, hour.Scope = "", scope, scope
			if _, err := g.PutGroupRule(ctx, owner, silent); domain.KindOf(err) != domain.Invalid {
				t.Errorf("a rule for %s: %v", what, err)
			}
			if _, err := g.AddMaintenance(ctx, owner, hour); domain.KindOf(err) != domain.Invalid {
				t.Errorf("maintenance of %s: %v", what, err)
			}
		}
	})
}
