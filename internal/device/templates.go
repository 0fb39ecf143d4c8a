package device

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// Templates stores what new devices begin with.
type Templates interface {
	PutTemplate(ctx context.Context, n domain.NamedTemplate, now time.Time) error
	DeleteTemplate(ctx context.Context, owner, name string) error
	Template(ctx context.Context, owner, name string) (domain.NamedTemplate, error)
	Templates(ctx context.Context, owner string) ([]domain.NamedTemplate, error)
}

// template is a template as the API shows it.
type template struct {
	Name string `json:"name"`
	domain.DeviceTemplate
}

type templateList struct {
	Items []template `json:"items" nullable:"false"`
}

// OnTemplate is the input of operations on one template of the caller's.
type OnTemplate struct {
	Template string `path:"template" maxLength:"32"`
}

// templateRoutes adds the operations on templates to api.
func (s *Service) templateRoutes(api huma.API, op func(id, method, path, summary string, status int) huma.Operation) {
	httpx.Register(api, op("list-device-templates", "GET", "/device-templates", "Your templates of devices, by name", 200),
		s.listTemplates)
	httpx.Register(api, op("put-device-template", "PUT", "/device-templates/{template}",
		"Make a template that new devices begin with, or replace it", 200), s.putTemplate)
	httpx.Register(api, op("delete-device-template", "DELETE", "/device-templates/{template}",
		"Delete a template; devices that were made with it stay as they are", 204), s.deleteTemplate)
}

func (s *Service) listTemplates(ctx context.Context, _ *struct{}) (*struct{ Body templateList }, error) {
	found, err := s.Templates.Templates(ctx, httpx.Principal(ctx).ID)
	if err != nil {
		return nil, err
	}
	items := make([]template, len(found))
	for i, n := range found {
		items[i] = template{n.Name, n.DeviceTemplate}
	}
	return &struct{ Body templateList }{templateList{items}}, nil
}

func (s *Service) putTemplate(ctx context.Context, in *struct {
	OnTemplate
	Body struct {
		From string `json:"from,omitempty" maxLength:"64" doc:"id of a device of yours: for what the others leave out"`
		domain.DeviceTemplate
	}
}) (*struct{ Body template }, error) {
	owner := httpx.Principal(ctx).ID
	t := in.Body.DeviceTemplate
	if in.Body.From != "" {
		like, err := s.like(ctx, owner, in.Body.From)
		if err != nil {
			return nil, err
		}
		t = t.Over(like)
	}
	n, err := domain.CheckDeviceTemplate(domain.NamedTemplate{Owner: owner, Name: in.Template, DeviceTemplate: t})
	if err == nil {
		err = s.Templates.PutTemplate(ctx, n, s.Now())
	}
	if err != nil {
		return nil, err
	}
	return &struct{ Body template }{template{n.Name, n.DeviceTemplate}}, nil
}

// like returns a template of what a device of owner is.
func (s *Service) like(ctx context.Context, owner, id string) (t domain.DeviceTemplate, err error) {
	d, err := s.Store.DeviceByID(ctx, id)
	if err == nil && d.Owner.ID != owner {
		err = errNoDevice()
	}
	if err != nil {
		return t, err
	}
	t.Type, t.Tags = d.Type, d.Tags
	if t.Groups, err = s.Groups.GroupsOf(ctx, owner, id); err != nil {
		return t, err
	}
	c, at, err := s.Store.Capabilities(ctx, id)
	if err == nil && !at.IsZero() {
		c.Serial = "" // of that device alone
		t.Capabilities = &c
	}
	return t, err
}

func (s *Service) deleteTemplate(ctx context.Context, in *OnTemplate) (*struct{}, error) {
	return nil, s.Templates.DeleteTemplate(ctx, httpx.Principal(ctx).ID, in.Template)
}

// begin returns the template of a name, or nil for none, and puts its type and tags into d, where d has
// none of its own.
func (s *Service) begin(
	ctx context.Context, owner, name string, d *domain.DeviceChange,
) (*domain.NamedTemplate, error) {
	if name == "" {
		return nil, nil
	}
	n, err := s.template(ctx, owner, name)
	if err != nil {
		return nil, err
	}
	n.Fill(d)
	return &n, nil
}

// template returns a template that a new device names.
func (s *Service) template(ctx context.Context, owner, name string) (domain.NamedTemplate, error) {
	n, err := s.Templates.Template(ctx, owner, name)
	if domain.KindOf(err) == domain.NotFound {
		err = domain.InvalidField("/template", "you have no template %q", name)
	}
	return n, err
}
