package usergroup

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{"user groups"},
			Security: httpx.Bearer, Summary: summary, DefaultStatus: status}
	}
	httpx.Register(api, op("list-user-groups", "GET", "/user-groups",
		"All groups of people that messages can mention, by their handles", 200), s.getGroups)
	httpx.Register(api, op("get-user-group", "GET", "/user-groups/{usergroup}",
		"A user group, by id or handle, and who is in it", 200), s.getGroup)
	httpx.Register(api, op("admin-create-user-group", "POST", "/admin/user-groups", "Make a user group", 201), s.postGroup)
	httpx.Register(api, op("admin-update-user-group", "PATCH", "/admin/user-groups/{usergroup}",
		"Change the handle or the name of a user group", 200), s.patchGroup)
	httpx.Register(api, op("admin-delete-user-group", "DELETE", "/admin/user-groups/{usergroup}",
		"Delete a user group; messages that named it stay as they are", 204), s.deleteGroup)
	httpx.Register(api, op("admin-add-to-user-group", "PUT", "/admin/user-groups/{usergroup}/members/{user}",
		"Have somebody be in a user group; repeating it changes nothing", 204), s.putMember)
	httpx.Register(api, op("admin-remove-from-user-group", "DELETE", "/admin/user-groups/{usergroup}/members/{user}",
		"Take somebody out of a user group", 204), s.deleteMember)
}

// InGroup names a user group. It is exported because the decoder sets only exported fields.
type InGroup struct {
	Group string `path:"usergroup" maxLength:"64" doc:"id or handle"`
}

// userGroupList is all user groups.
type userGroupList struct {
	Items []wire.UserGroup `json:"items" nullable:"false"`
}

type groupOutput struct{ Body wire.UserGroup }

func (s *Service) getGroups(ctx context.Context, _ *struct{}) (*struct{ Body userGroupList }, error) {
	found, err := s.List(ctx, httpx.Principal(ctx))
	if err != nil {
		return nil, err
	}
	out := userGroupList{Items: []wire.UserGroup{}}
	for _, g := range found {
		out.Items = append(out.Items, wire.FromUserGroup(g))
	}
	return &struct{ Body userGroupList }{out}, nil
}

func (s *Service) getGroup(ctx context.Context, in *InGroup) (*struct{ Body wire.UserGroupMembers }, error) {
	g, members, err := s.Group(ctx, httpx.Principal(ctx), in.Group)
	if err != nil {
		return nil, err
	}
	return &struct{ Body wire.UserGroupMembers }{wire.FromUserGroupMembers(g, members)}, nil
}

// administrator returns who asks, who must be an administrator.
func administrator(ctx context.Context) (By, error) {
	p := httpx.Principal(ctx)
	if !p.IsAdmin() {
		return By{}, domain.Forbidden.Errorf(domain.CodeNotAdmin, "this is for administrators of the server")
	}
	return By{AuditActor: domain.AuditActor{Kind: domain.ActorAdmin, ID: p.ID}, Session: p.SessionID,
		Addr: httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx)}, nil
}

func (s *Service) postGroup(ctx context.Context, in *struct {
	Body struct {
		Handle  string   `json:"handle" maxLength:"64" doc:"has the form of a username, and is none"`
		Name    string   `json:"name,omitempty" maxLength:"256" doc:"at most 64 characters; absent: the handle"`
		Members []string `json:"members,omitempty" maxItems:"100" doc:"ids of people"`
	}
}) (*groupOutput, error) {
	by, err := administrator(ctx)
	if err != nil {
		return nil, err
	}
	g, err := s.Create(ctx, by, in.Body.Handle, in.Body.Name, in.Body.Members)
	if err != nil {
		return nil, err
	}
	return &groupOutput{wire.FromUserGroup(g)}, nil
}

func (s *Service) patchGroup(ctx context.Context, in *struct {
	InGroup
	Body struct {
		Handle *string `json:"handle,omitempty" maxLength:"64" doc:"absent: it stays"`
		Name   *string `json:"name,omitempty" maxLength:"256" doc:"absent: it stays"`
	}
}) (*groupOutput, error) {
	by, err := administrator(ctx)
	if err != nil {
		return nil, err
	}
	g, err := s.Change(ctx, by, in.Group, in.Body.Handle, in.Body.Name)
	if err != nil {
		return nil, err
	}
	return &groupOutput{wire.FromUserGroup(g)}, nil
}

func (s *Service) deleteGroup(ctx context.Context, in *InGroup) (*struct{}, error) {
	by, err := administrator(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.Delete(ctx, by, in.Group)
}

// InMember names somebody in a user group. It is exported because the decoder sets only exported fields.
type InMember struct {
	InGroup
	User string `path:"user" maxLength:"64"`
}

func (s *Service) putMember(ctx context.Context, in *InMember) (*struct{}, error) {
	by, err := administrator(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.Add(ctx, by, in.Group, []string{in.User})
}

func (s *Service) deleteMember(ctx context.Context, in *InMember) (*struct{}, error) {
	by, err := administrator(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.Remove(ctx, by, in.Group, in.User)
}
