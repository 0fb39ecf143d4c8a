package alarm

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

func errRuleOfGroup(r domain.AlarmRule) error {
	return domain.Conflict.Errorf(domain.CodeRuleOfGroup,
		"this rule comes from %s, which is for several devices: change that",
		r.Group)
}

// PutGroupRule stores a rule of p for all of their devices that a scope fits; without an id it is a new one.
func (s *Service) PutGroupRule(
	ctx context.Context, p domain.Principal, g domain.ScopedRule,
) (domain.ScopedRule, error) {
	now := s.Now()
	var err error
	if g.AlarmRule, err = domain.CheckAlarmRule(g.AlarmRule); err != nil {
		return g, err
	}
	if err := domain.CheckScope(g.Scope); err != nil {
		return g, err
	}
	g.CreatedBy, g.CreatedAt, g.ChangedAt = p.ID, now, now
	if g.ID == "" {
		g.ID = domain.NewID(domain.GroupRulePrefix)
	} else {
		before, err := s.Store.GroupRule(ctx, p.ID, g.ID)
		if err != nil {
			return g, err
		}
		g.CreatedAt = before.CreatedAt
	}
	changed, err := s.Store.PutGroupRule(ctx, g, now)
	if err != nil {
		return g, err
	}
	s.record(ctx, p, domain.AuditAlarmRule, "", map[string]string{"rule": g.ID, "name": g.Name})
	s.allChanged(changed)
	return s.Store.GroupRule(ctx, p.ID, g.ID)
}

// DeleteGroupRule deletes a rule of p for several devices. Alarms of it that are not over end.
func (s *Service) DeleteGroupRule(ctx context.Context, p domain.Principal, id string) error {
	changed, err := s.Store.DeleteGroupRule(ctx, p.ID, id, s.Now())
	if err != nil {
		return err
	}
	s.record(ctx, p, domain.AuditAlarmRule, "", map[string]string{"rule": id, "deleted": "true"})
	s.allChanged(changed)
	return nil
}

// follow gives rules for several devices to those that have come, or have been changed.
func (s *Service) follow(ctx context.Context) error {
	changed, err := s.Store.FollowGroups(ctx, s.Now())
	s.allChanged(changed)
	return err
}

func (s *Service) allChanged(devices []string) {
	for _, id := range devices {
		s.changed(id)
	}
}

// ScopedBody is a rule for several devices as it is sent.
type ScopedBody struct {
	RuleBody
	Type  string `json:"type,omitempty" maxLength:"64" doc:"of the devices; absent: any"`
	Tag   string `json:"tag,omitempty" maxLength:"64" doc:"of the devices; absent: any. Without both: all of yours"`
	Group string `json:"device_group,omitempty" maxLength:"32" doc:"instead: a group of yours that is made by hand"`
}

func (b ScopedBody) value() domain.ScopedRule {
	return domain.ScopedRule{AlarmRule: b.rule(""), Scope: domain.DeviceScope{Type: b.Type, Tag: b.Tag, Group: b.Group}}
}

// scopedRule is a rule for several devices as the API shows it.
type scopedRule struct {
	ID string `json:"id"`
	ScopedBody
	Devices   int       `json:"devices" doc:"that have it"`
	CreatedAt time.Time `json:"created_at"`
	ChangedAt time.Time `json:"changed_at"`
}

func viewGroup(g domain.ScopedRule) scopedRule {
	return scopedRule{ID: g.ID, Devices: g.Devices, CreatedAt: g.CreatedAt, ChangedAt: g.ChangedAt,
		ScopedBody: ScopedBody{RuleBody: view(g.AlarmRule).RuleBody, Type: g.Scope.Type, Tag: g.Scope.Tag,
			Group: g.Scope.Group}}
}

type groupOutput struct{ Body scopedRule }

func shownGroup(g domain.ScopedRule, err error) (*groupOutput, error) {
	if err != nil {
		return nil, err
	}
	return &groupOutput{viewGroup(g)}, nil
}

func (s *Service) listGroupRules(ctx context.Context, _ *struct{}) (*struct {
	Body struct {
		Items []scopedRule `json:"items" nullable:"false"`
	}
}, error) {
	all, err := s.Store.GroupRules(ctx, httpx.Principal(ctx).ID)
	if err != nil {
		return nil, err
	}
	out := &struct {
		Body struct {
			Items []scopedRule `json:"items" nullable:"false"`
		}
	}{}
	out.Body.Items = make([]scopedRule, len(all))
	for i, g := range all {
		out.Body.Items[i] = viewGroup(g)
	}
	return out, nil
}

func (s *Service) postGroupRule(ctx context.Context, in *struct{ Body ScopedBody }) (*groupOutput, error) {
	return shownGroup(s.PutGroupRule(ctx, httpx.Principal(ctx), in.Body.value()))
}

// OnGroupRule is the input of operations on one rule for several devices.
type OnGroupRule struct {
	Rule string `path:"rule" maxLength:"64"`
}

func (s *Service) putGroupRule(ctx context.Context, in *struct {
	OnGroupRule
	Body ScopedBody
}) (*groupOutput, error) {
	g := in.Body.value()
	g.ID = in.Rule
	return shownGroup(s.PutGroupRule(ctx, httpx.Principal(ctx), g))
}

func (s *Service) deleteGroupRule(ctx context.Context, in *OnGroupRule) (*struct{}, error) {
	return nil, s.DeleteGroupRule(ctx, httpx.Principal(ctx), in.Rule)
}
