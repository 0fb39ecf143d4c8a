package alarm

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{"devices"}, Security: httpx.Bearer,
			Summary: summary, DefaultStatus: status}
	}
	const rules = "/devices/{device}/alarm-rules"
	httpx.Register(api, op("list-alarm-rules", "GET", rules, "When a device raises alarms", 200), s.listRules)
	httpx.Register(api, op("create-alarm-rule", "POST", rules, "Add a rule", 201), s.postRule)
	httpx.Register(api, op("replace-alarm-rule", "PUT", rules+"/{rule}", "Replace a rule", 200), s.putRule)
	httpx.Register(api, op("delete-alarm-rule", "DELETE", rules+"/{rule}", "Delete a rule; its alarm is over", 204),
		s.deleteRule)
	const groups = "/alarm-rules"
	httpx.Register(api, op("list-group-rules", "GET", groups, "Your rules for several devices", 200), s.listGroupRules)
	httpx.Register(api, op("create-group-rule", "POST", groups,
		"Add a rule for all your devices of a type or with a tag, also those that come later", 201), s.postGroupRule)
	httpx.Register(api, op("replace-group-rule", "PUT", groups+"/{rule}", "Replace a rule for several devices", 200),
		s.putGroupRule)
	httpx.Register(api, op("delete-group-rule", "DELETE", groups+"/{rule}",
		"Delete a rule for several devices; its alarms are over", 204), s.deleteGroupRule)
	httpx.Register(api, op("list-maintenance", "GET", "/maintenance",
		"Your maintenance windows, in which alarms are not posted", 200), s.listMaintenance)
	httpx.Register(api, op("add-maintenance", "POST", "/maintenance",
		"Add a maintenance window: once, or each week", 201), s.postMaintenance)
	httpx.Register(api, op("delete-maintenance", "DELETE", "/maintenance/{window}",
		"Delete a maintenance window; what it held is posted", 204), s.deleteMaintenance)
	httpx.Register(api, op("list-device-maintenance", "GET", "/devices/{device}/maintenance",
		"The maintenance windows of a device", 200), s.listDeviceMaintenance)
	httpx.Register(api, op("list-alarms", "GET", "/alarms", "The alarms of your devices, the newest first", 200),
		s.listMine)
	httpx.Register(api, op("list-device-alarms", "GET", "/devices/{device}/alarms",
		"The alarms of a device, the newest first", 200), s.list)
	httpx.Register(api, op("list-room-alarms", "GET", "/rooms/{room}/alarms",
		"The alarms that were posted to a room, the newest first", 200), s.listInRoom)
	httpx.Register(api, op("change-alarm", "PATCH", "/devices/{device}/alarms/{alarm}",
		"Acknowledge an alarm, snooze it, or note something", 200), s.patch)
}

// OnDevice is the input of operations on one device.
type OnDevice struct {
	Device string `path:"device" maxLength:"64"`
}

// OnRule is the input of operations on one rule.
type OnRule struct {
	OnDevice
	Rule string `path:"rule" maxLength:"64"`
}

// RuleBody is a rule as it is sent.
type RuleBody struct {
	Name       string      `json:"name" example:"Too warm"`
	Kind       string      `json:"kind" enum:"threshold,rate,absence,anomaly"`
	Severity   string      `json:"severity,omitempty" enum:"info,warning,critical" doc:"absent: warning"`
	Sensor     string      `json:"sensor,omitempty" doc:"of all kinds but absence"`
	Above      *float64    `json:"above,omitempty" doc:"raised if the value, its change or its score is greater"`
	Below      *float64    `json:"below,omitempty" doc:"raised if the value, or its change, is less"`
	Hysteresis float64     `json:"hysteresis,omitempty" doc:"how far behind the limit the value must be for the alarm to be over"`
	For        int         `json:"for,omitempty" doc:"seconds that the value must be beyond the limit; of absence: without readings, absent: 2.5 heartbeats"`
	Window     int         `json:"window,omitempty" doc:"of a rate: seconds over which the change is looked at"`
	Room       string      `json:"room,omitempty" doc:"where it is posted; absent: nowhere"`
	Escalate   *escalation `json:"escalate,omitempty" doc:"what happens if nobody acknowledges it; absent: nothing"`
	Disabled   bool        `json:"disabled,omitempty"`
}

// escalation is what happens with an alarm that nobody acknowledges.
type escalation struct {
	After int    `json:"after" minimum:"60" maximum:"86400" doc:"seconds after it was raised"`
	Room  string `json:"room,omitempty" doc:"where it is posted then; absent: in the same room again"`
	User  string `json:"user,omitempty" doc:"a member of that room, who is mentioned"`
}

func (b RuleBody) rule(device string) domain.AlarmRule {
	r := domain.AlarmRule{
		Device: device, Name: b.Name, Kind: domain.AlarmKind(b.Kind), Severity: domain.AlarmSeverity(b.Severity),
		Sensor: b.Sensor, Above: b.Above, Below: b.Below, Hysteresis: b.Hysteresis, For: domain.Seconds(b.For),
		Window: domain.Seconds(b.Window), Room: b.Room, Disabled: b.Disabled,
	}
	if e := b.Escalate; e != nil {
		r.Escalation = domain.Escalation{After: time.Duration(e.After) * time.Second, Room: e.Room, User: e.User}
	}
	return r
}

// alarmRule is a rule as the API shows it.
type alarmRule struct {
	ID     string `json:"id"`
	Device string `json:"device"`
	RuleBody
	Group        string     `json:"group,omitempty" doc:"id of the rule for several devices that it comes from"`
	SnoozedUntil *time.Time `json:"snoozed_until,omitempty" doc:"it is not posted before"`
	CreatedAt    time.Time  `json:"created_at"`
	ChangedAt    time.Time  `json:"changed_at"`
}

func view(r domain.AlarmRule) alarmRule {
	v := alarmRule{
		ID: r.ID, Device: r.Device, Group: r.Group, CreatedAt: r.CreatedAt, ChangedAt: r.ChangedAt,
		RuleBody: RuleBody{
			Name: r.Name, Kind: string(r.Kind), Severity: string(r.Severity), Sensor: r.Sensor, Above: r.Above, Below: r.Below,
			Hysteresis: r.Hysteresis, For: int(r.For / time.Second), Window: int(r.Window / time.Second), Room: r.Room,
			Disabled: r.Disabled,
		},
	}
	if e := r.Escalation; e.After != 0 {
		v.Escalate = &escalation{After: int(e.After / time.Second), Room: e.Room, User: e.User}
	}
	if !r.SnoozedUntil.IsZero() {
		v.SnoozedUntil = &r.SnoozedUntil
	}
	return v
}

type ruleOutput struct{ Body alarmRule }

func shown(r domain.AlarmRule, err error) (*ruleOutput, error) {
	if err != nil {
		return nil, err
	}
	return &ruleOutput{view(r)}, nil
}

func (s *Service) listRules(ctx context.Context, in *OnDevice) (*struct {
	Body struct {
		Items []alarmRule `json:"items" nullable:"false"`
	}
}, error) {
	p := httpx.Principal(ctx)
	_, mine, err := s.Devices.MaySee(ctx, p, in.Device)
	if err != nil {
		return nil, err
	}
	rules, err := s.Store.Rules(ctx, in.Device, "", rulesMost)
	if err == nil && !mine {
		rules, err = s.rulesFor(ctx, p, rules)
	}
	if err != nil {
		return nil, err
	}
	out := &struct {
		Body struct {
			Items []alarmRule `json:"items" nullable:"false"`
		}
	}{}
	out.Body.Items = make([]alarmRule, len(rules))
	for i, r := range rules {
		out.Body.Items[i] = view(r)
	}
	return out, nil
}

func (s *Service) postRule(ctx context.Context, in *struct {
	OnDevice
	Body RuleBody
}) (*ruleOutput, error) {
	return shown(s.CreateRule(ctx, httpx.Principal(ctx), in.Body.rule(in.Device)))
}

func (s *Service) putRule(ctx context.Context, in *struct {
	OnRule
	Body RuleBody
}) (*ruleOutput, error) {
	r := in.Body.rule(in.Device)
	r.ID = in.Rule
	return shown(s.ReplaceRule(ctx, httpx.Principal(ctx), r))
}

func (s *Service) deleteRule(ctx context.Context, in *OnRule) (*struct{}, error) {
	return nil, s.DeleteRule(ctx, httpx.Principal(ctx), in.Device, in.Rule)
}

// Paging is the input of lists of alarms.
type Paging struct {
	Open   bool   `query:"open" doc:"only those that are not over"`
	Cursor string `query:"cursor"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type alarmsOutput struct{ Body httpx.Page[wire.Alarm] }

func (s *Service) page(ctx context.Context, device, viewer string, p Paging) ([]domain.Alarm, error) {
	before, err := httpx.After(p.Cursor)
	if err != nil {
		return nil, err
	}
	return s.Store.Alarms(ctx, device, viewer, p.Open, before, p.Limit+1)
}

func pageOf(found []domain.Alarm, err error, p Paging) (*alarmsOutput, error) {
	if err != nil {
		return nil, err
	}
	return &alarmsOutput{httpx.PageOf(found, p.Limit, func(a domain.Alarm) string { return a.ID }, wire.FromAlarm)}, nil
}

func (s *Service) listMine(ctx context.Context, in *Paging) (*alarmsOutput, error) {
	found, err := s.page(ctx, "", httpx.Principal(ctx).ID, *in)
	return pageOf(found, err, *in)
}

func (s *Service) list(ctx context.Context, in *struct {
	OnDevice
	Paging
}) (*alarmsOutput, error) {
	p := httpx.Principal(ctx)
	_, mine, err := s.Devices.MaySee(ctx, p, in.Device)
	if err != nil {
		return nil, err
	}
	if mine {
		found, err := s.page(ctx, in.Device, "", in.Paging)
		return pageOf(found, err, in.Paging)
	}
	found, err := s.page(ctx, in.Device, p.ID, in.Paging)
	if err == nil {
		err = s.hideRooms(ctx, p, found)
	}
	return pageOf(found, err, in.Paging)
}

func (s *Service) listInRoom(ctx context.Context, in *struct {
	Room string `path:"room" maxLength:"64"`
	Paging
}) (*alarmsOutput, error) {
	p := httpx.Principal(ctx)
	if err := s.Rooms.MayRead(ctx, p, in.Room); err != nil {
		return nil, err
	}
	before, err := httpx.After(in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.RoomAlarms(ctx, in.Room, in.Open, before, in.Limit+1)
	if err == nil {
		err = s.hideRooms(ctx, p, found)
	}
	return pageOf(found, err, in.Paging)
}

func (s *Service) patch(ctx context.Context, in *struct {
	OnDevice
	Alarm string `path:"alarm" maxLength:"64"`
	Body  struct {
		Acknowledge bool       `json:"acknowledge,omitempty"`
		SnoozeUntil *time.Time `json:"snooze_until,omitempty" doc:"the rule posts nothing before; within 30 days"`
		Unsnooze    bool       `json:"unsnooze,omitempty" doc:"true: ends the snooze"`
		Note        *string    `json:"note,omitempty" maxLength:"500"`
	}
}) (*struct{ Body wire.Alarm }, error) {
	c := domain.AlarmChange{Acknowledge: in.Body.Acknowledge, SnoozeUntil: in.Body.SnoozeUntil, Note: in.Body.Note}
	if in.Body.Unsnooze {
		if c.SnoozeUntil != nil {
			return nil, domain.InvalidField("/unsnooze", "send either snooze_until or unsnooze")
		}
		c.SnoozeUntil = &time.Time{}
	}
	if !c.Acknowledge && c.SnoozeUntil == nil && c.Note == nil {
		return nil, domain.Invalid.Errorf(domain.CodeNothingToChange, "send acknowledge, snooze_until, unsnooze or note")
	}
	a, err := s.Change(ctx, httpx.Principal(ctx), in.Device, in.Alarm, c)
	if err != nil {
		return nil, err
	}
	return &struct{ Body wire.Alarm }{wire.FromAlarm(a)}, nil
}
