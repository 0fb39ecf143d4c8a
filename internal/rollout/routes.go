package rollout

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{"firmware"}, Security: httpx.Bearer,
			Summary: summary, DefaultStatus: status}
	}
	const one = "/firmware/rollouts/{rollout}"
	httpx.Register(api, op("create-rollout", "POST", "/firmware/rollouts",
		"Bring an active release to devices, in stages", 201), s.post)
	httpx.Register(api, op("list-rollouts", "GET", "/firmware/products/{product}/rollouts",
		"The rollouts of a product, the newest first", 200), s.list)
	httpx.Register(api, op("get-rollout", "GET", one, "A rollout, and where its devices are", 200), s.get)
	httpx.Register(api, op("act-on-rollout", "POST", one+"/actions",
		"Approve of a rollout, pause, resume or abort it, leave devices out (exclude; continue resumes as well), or "+
			"end the watching of a stage (advance)", 200), s.act)
	httpx.Register(api, op("revert-rollout", "POST", one+"/revert",
		"Bring an earlier release to the devices that this rollout has brought its own", 201), s.revert)
	httpx.Register(api, op("list-updates", "GET", one+"/updates", "The devices of a rollout", 200), s.listUpdates)
	httpx.Register(api, op("get-rollout-log", "GET", one+"/log",
		"What happened to a rollout, the newest first", 200), s.log)
	crashes := op("list-crashes", "GET", "/firmware/products/{product}/crashes",
		"The crashes of a product's devices, by where they happened", 200)
	crashes.Description = "The ELF file of the firmware explains them. explained is no_elf until it is uploaded, " +
		"pending while it is read (ask again in some seconds), and failed if it cannot be."
	httpx.Register(api, crashes, s.listCrashes)
	httpx.Register(api, op("get-device-firmware", "GET", "/devices/{device}/firmware",
		"What a device runs, and its updates, the newest first", 200), s.deviceFirmware)
	httpx.Register(api, op("agree-to-update", "POST", "/devices/{device}/updates/{update}/agree",
		"Agree to an update of your device that asks for it", 200), s.postAgree)
	s.joinRoutes(api, op)
}

// OnRollout is the input of operations on one rollout.
type OnRollout struct {
	Rollout string `path:"rollout" maxLength:"64"`
}

type output struct{ Body RolloutView }

func (s *Service) shown(ctx context.Context, r domain.Rollout, err error) (*output, error) {
	if err != nil {
		return nil, err
	}
	v := view(r)
	c, err := s.Store.Counts(ctx, r, s.Now())
	if err != nil {
		return nil, err
	}
	v.Counts = funnel(c)
	if r.State == domain.RolloutReverting || r.State == domain.RolloutReverted {
		if v.RevertedBy, err = s.Store.RevertedBy(ctx, r); err != nil {
			return nil, err
		}
	}
	if r.State == domain.RolloutPaused && r.Pause.Kind == domain.PausedByUser {
		by, err := s.Store.PausedBy(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		v.PausedBy = named(by)
	}
	return &output{v}, nil
}

func (s *Service) post(ctx context.Context, in *struct {
	Body struct {
		Release string             `json:"release" maxLength:"64" doc:"id of an active release"`
		Plan    domain.RolloutPlan `json:"plan,omitzero" doc:"absent: canary, 5, 25 and 100 %, a day each"`
		Note    string             `json:"note,omitempty" maxLength:"500"`
	}
}) (*output, error) {
	r, err := s.Make(ctx, httpx.Principal(ctx), domain.Rollout{Release: in.Body.Release, Plan: in.Body.Plan,
		Note: in.Body.Note})
	return s.shown(ctx, r, err)
}

func (s *Service) list(ctx context.Context, in *struct {
	Product string `path:"product" maxLength:"64"`
	Cursor  string `query:"cursor"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body httpx.Page[RolloutView] }, error) {
	if _, _, err := s.Products.Product(ctx, in.Product, httpx.Principal(ctx).ID); err != nil {
		return nil, err
	}
	before, err := httpx.After(in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.Rollouts(ctx, in.Product, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &struct{ Body httpx.Page[RolloutView] }{httpx.PageOf(found, in.Limit,
		func(r domain.Rollout) string { return r.ID }, view)}, nil
}

func (s *Service) get(ctx context.Context, in *OnRollout) (*output, error) {
	r, right, err := s.Rollout(ctx, httpx.Principal(ctx), in.Rollout)
	out, err := s.shown(ctx, r, err)
	if err == nil {
		out.Body.Right = rightNames[right]
	}
	return out, err
}

func (s *Service) act(ctx context.Context, in *struct {
	OnRollout
	Body struct {
		Action  string                  `json:"action" enum:"approve,pause,resume,abort,exclude,continue,advance"`
		Exclude domain.RolloutExclusion `json:"exclude,omitzero" doc:"of exclude and continue; more than before"`
		Note    string                  `json:"note,omitempty" maxLength:"500"`
	}
}) (*output, error) {
	r, err := s.Do(ctx, httpx.Principal(ctx), in.Rollout, Order{Action: Action(in.Body.Action), Note: in.Body.Note,
		Exclude: in.Body.Exclude})
	return s.shown(ctx, r, err)
}

func (s *Service) revert(ctx context.Context, in *struct {
	OnRollout
	Body struct {
		Release string             `json:"release" maxLength:"64" doc:"id of an earlier one, not below allow_downgrade_to"`
		Plan    domain.RolloutPlan `json:"plan,omitzero" doc:"absent: all devices, as fast as the limits allow"`
	}
}) (*output, error) {
	r, err := s.Revert(ctx, httpx.Principal(ctx), in.Rollout, in.Body.Release, in.Body.Plan)
	return s.shown(ctx, r, err)
}

func (s *Service) listUpdates(ctx context.Context, in *struct {
	OnRollout
	State  string `query:"state" enum:"consent,deferred,offered,accepted,downloading,verified,installing,rebooting,testing,succeeded,unconfirmed,failed,rolled_back,timed_out,lost,rejected,canceled,superseded" doc:"absent: any"`
	Cursor string `query:"cursor"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
}) (*struct{ Body httpx.Page[UpdateView] }, error) {
	if _, _, err := s.Rollout(ctx, httpx.Principal(ctx), in.Rollout); err != nil {
		return nil, err
	}
	after, err := httpx.After(in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := s.Updates.Updates(ctx, in.Rollout, domain.UpdateState(in.State), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &struct{ Body httpx.Page[UpdateView] }{httpx.PageOf(found, in.Limit,
		func(u domain.Update) string { return u.ID }, publishedView)}, nil
}

// rolloutLog is the log of a rollout as the API shows it.
type rolloutLog struct {
	Items []RolloutLogEntry `json:"items" nullable:"false"`
}

const entriesMost = 500

func (s *Service) log(ctx context.Context, in *OnRollout) (*struct{ Body rolloutLog }, error) {
	if _, _, err := s.Rollout(ctx, httpx.Principal(ctx), in.Rollout); err != nil {
		return nil, err
	}
	found, err := s.Store.Entries(ctx, in.Rollout, entriesMost)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body rolloutLog }{rolloutLog{make([]RolloutLogEntry, len(found))}}
	for i, e := range found {
		out.Body.Items[i] = entryView(e)
	}
	return out, nil
}

// crashList are groups of crashes as the API shows them.
type crashList struct {
	Items []CrashGroupView `json:"items" nullable:"false"`
}

func (s *Service) listCrashes(ctx context.Context, in *struct {
	Product string `path:"product" maxLength:"64"`
	Version string `query:"version" maxLength:"64" doc:"that crashed; absent: any"`
	Days    int    `query:"days" minimum:"1" maximum:"90" default:"7"`
}) (*struct{ Body crashList }, error) {
	v, _, err := s.Products.Product(ctx, in.Product, httpx.Principal(ctx).ID)
	if err != nil {
		return nil, err
	}
	const most = 100
	found, err := s.Updates.CrashGroups(ctx, v.Owner.ID, v.Name, in.Version,
		s.Now().Add(-time.Duration(in.Days)*24*time.Hour), most)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body crashList }{crashList{make([]CrashGroupView, len(found))}}
	for i, g := range found {
		out.Body.Items[i] = crashView(g)
	}
	return out, s.explain(ctx, v.ID, found, out.Body.Items)
}

// DeviceFirmwareView is the firmware of a device as the API shows it.
type DeviceFirmwareView struct {
	Product    string       `json:"product,omitempty" doc:"as the image names it; absent: the device has said nothing"`
	Chip       string       `json:"chip,omitempty"`
	Revision   int          `json:"revision,omitempty"`
	Version    string       `json:"version,omitempty"`
	Code       uint32       `json:"version_code,omitempty" format:"int64"`
	SHA256     string       `json:"sha256,omitempty"`
	SlotState  string       `json:"slot_state,omitempty"`
	Reset      string       `json:"reset_reason,omitempty"`
	ReportedAt *time.Time   `json:"reported_at,omitempty"`
	Since      *time.Time   `json:"since,omitempty" doc:"when it was first seen with this image"`
	Crashes    int          `json:"crashes" doc:"since then"`
	Updates    []UpdateView `json:"updates" nullable:"false"`
	Joined     *DeviceJoin  `json:"joined,omitempty" doc:"the product of somebody else that it has joined; for its owner"`
}

func (s *Service) deviceFirmware(ctx context.Context, in *struct {
	Device string `path:"device" maxLength:"64"`
}) (*struct{ Body DeviceFirmwareView }, error) {
	of, _, err := s.Devices.MaySee(ctx, httpx.Principal(ctx), in.Device)
	if err != nil {
		return nil, err
	}
	d, known, err := s.Updates.Firmware(ctx, in.Device)
	if err != nil {
		return nil, err
	}
	found, err := s.Updates.DeviceUpdates(ctx, in.Device, updatesMost)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body DeviceFirmwareView }{DeviceFirmwareView{Updates: make([]UpdateView, len(found))}}
	if f := d.Report; known {
		out.Body = DeviceFirmwareView{Product: f.Product, Chip: f.Chip, Revision: int(f.Revision), Version: f.Version,
			Code: f.VersionCode, SHA256: f.SHA256, SlotState: string(f.SlotState), Reset: string(f.ResetReason),
			ReportedAt: at(d.At), Since: at(d.Since), Crashes: d.Crashes, Updates: out.Body.Updates}
	}
	for i, u := range found {
		out.Body.Updates[i] = updateView(u)
	}
	if of.Owner.ID == httpx.Principal(ctx).ID {
		out.Body.Joined, err = s.joinShown(ctx, in.Device)
	}
	return out, err
}

func (s *Service) postAgree(ctx context.Context, in *struct {
	Device string `path:"device" maxLength:"64"`
	Update string `path:"update" maxLength:"64"`
}) (*struct{ Body UpdateView }, error) {
	u, err := s.Agree(ctx, httpx.Principal(ctx), in.Device, in.Update)
	if err != nil {
		return nil, err
	}
	return &struct{ Body UpdateView }{updateView(u)}, nil
}
