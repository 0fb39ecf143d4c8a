package device

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// Groups stores groups of devices.
type Groups interface {
	PutGroup(
		ctx context.Context, g domain.DeviceGroup, devices []string, now time.Time,
	) (domain.DeviceGroup, error)
	ChangeGroup(
		ctx context.Context, owner, name string, add, remove []string, settings map[string]any, now time.Time,
	) (domain.DeviceGroup, error)
	DeleteGroup(ctx context.Context, owner, name string) error
	Groups(ctx context.Context, owner string, now time.Time) ([]domain.DeviceGroup, error)
	// GroupsOf returns the names of the groups made by hand that a device is in.
	GroupsOf(ctx context.Context, owner, device string) ([]string, error)
}

// group is a group as the API shows it.
type group struct {
	Name      string            `json:"name"`
	Rule      *domain.GroupRule `json:"rule,omitempty" doc:"absent: its devices are chosen by hand"`
	Settings  map[string]any    `json:"settings,omitempty" doc:"defaults of the settings of its devices"`
	CreatedAt time.Time         `json:"created_at"`
	Devices   int               `json:"devices" doc:"how many are in it"`
}

type groupOutput struct{ Body group }

func viewGroup(g domain.DeviceGroup) group {
	return group{g.Name, g.Rule, g.Settings, g.CreatedAt, g.Devices}
}

func shownGroup(g domain.DeviceGroup, err error) (*groupOutput, error) {
	if err != nil {
		return nil, err
	}
	return &groupOutput{viewGroup(g)}, nil
}

// OnGroup is the input of operations on one group of the caller's.
type OnGroup struct {
	Group string `path:"group" maxLength:"32"`
}

// groupRoutes adds the operations on groups to api.
func (s *Service) groupRoutes(api huma.API, op func(id, method, path, summary string, status int) huma.Operation) {
	httpx.Register(api, op("list-device-groups", "GET", "/device-groups", "Your groups of devices, by name", 200),
		s.listGroups)
	httpx.Register(api, op("put-device-group", "PUT", "/device-groups/{group}",
		"Make a group of devices by a rule or by hand, or replace it", 200), s.putGroup)
	httpx.Register(api, op("change-device-group", "PATCH", "/device-groups/{group}",
		"Put devices into a group that is made by hand, or take them out", 200), s.patchGroup)
	httpx.Register(api, op("delete-device-group", "DELETE", "/device-groups/{group}",
		"Delete a group; its devices stay", 204), s.deleteGroup)
}

type groupList struct {
	Items []group `json:"items" nullable:"false"`
}

func (s *Service) listGroups(ctx context.Context, _ *struct{}) (*struct{ Body groupList }, error) {
	found, err := s.Groups.Groups(ctx, httpx.Principal(ctx).ID, s.Now())
	if err != nil {
		return nil, err
	}
	items := make([]group, len(found))
	for i, g := range found {
		items[i] = viewGroup(g)
	}
	return &struct{ Body groupList }{groupList{items}}, nil
}

func (s *Service) putGroup(ctx context.Context, in *struct {
	OnGroup
	Body struct {
		Rule     *domain.GroupRule `json:"rule,omitempty" doc:"which devices are in it, now and later"`
		Devices  []string          `json:"devices,omitempty" maxItems:"1000" doc:"instead of a rule: ids of those in it"`
		Settings map[string]any    `json:"settings,omitempty" doc:"defaults, of a group by hand; absent: as before"`
	}
}) (*groupOutput, error) {
	b := in.Body
	if err := domain.CheckDeviceGroup(in.Group, b.Rule); err != nil {
		return nil, err
	}
	if b.Rule != nil && b.Devices != nil {
		return nil, domain.InvalidField("/devices", "send either a rule or devices")
	}
	if b.Rule == nil && b.Devices == nil {
		return nil, domain.InvalidField("/devices", "send a rule, or the devices, of which there may be none: []")
	}
	if b.Rule != nil && b.Settings != nil {
		return nil, domain.InvalidField("/settings", "only a group that is made by hand has defaults of settings")
	}
	if err := domain.CheckDefaults(b.Settings, false); err != nil {
		return nil, err
	}
	g := domain.DeviceGroup{Owner: httpx.Principal(ctx).ID, Name: in.Group, Rule: b.Rule, Settings: b.Settings}
	return shownGroup(s.Groups.PutGroup(ctx, g, b.Devices, s.Now()))
}

func (s *Service) patchGroup(ctx context.Context, in *struct {
	OnGroup
	Body struct {
		Add      []string       `json:"add,omitempty" maxItems:"1000" doc:"ids of devices"`
		Remove   []string       `json:"remove,omitempty" maxItems:"1000" doc:"ids of devices"`
		Settings map[string]any `json:"settings,omitempty" doc:"defaults; those not named stay, null takes one back"`
	}
}) (*groupOutput, error) {
	b := in.Body
	if err := domain.CheckDefaults(b.Settings, true); err != nil {
		return nil, err
	}
	return shownGroup(s.Groups.ChangeGroup(ctx, httpx.Principal(ctx).ID, in.Group, b.Add, b.Remove, b.Settings, s.Now()))
}

func (s *Service) deleteGroup(ctx context.Context, in *OnGroup) (*struct{}, error) {
	return nil, s.Groups.DeleteGroup(ctx, httpx.Principal(ctx).ID, in.Group)
}

// InGroup returns the devices of a group of owner by id, with what they say about themselves, limit of them at
// most.
func (s *Service) InGroup(ctx context.Context, owner, group string, limit int) ([]domain.DescribedDevice, error) {
	found, err := s.Store.FindDevices(ctx, domain.DeviceQuery{Owner: owner, Group: group}, "", limit, s.Now())
	if err != nil {
		return nil, err
	}
	return s.Store.Described(ctx, found)
}
