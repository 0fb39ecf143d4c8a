package device

import (
	"context"
	"strconv"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// Choice is many devices of one owner: those of a group, or those whose firmware is of a product.
type Choice struct{ Owner, Group, Product string }

func (c Choice) query() (domain.DeviceQuery, error) {
	if (c.Group == "") == (c.Product == "") {
		return domain.DeviceQuery{}, domain.InvalidField("/group", "send either a group or a product")
	}
	return domain.DeviceQuery{Owner: c.Owner, Group: c.Group, Product: c.Product}, nil
}

// CountKeys counts the devices of a choice with keys that are good.
func (s *Service) CountKeys(ctx context.Context, of Choice) (n domain.KeyTally, err error) {
	q, err := of.query()
	if err != nil {
		return n, err
	}
	return s.Store.CountKeys(ctx, q, s.Now())
}

// RevokeKeys revokes all keys and certificates of the devices of a choice, and closes their connections. The devices
// stay, and can be given other keys. expect is how many devices have good keys: if there are more or fewer by now,
// nothing is changed.
func (s *Service) RevokeKeys(
	ctx context.Context, by domain.AuditActor, of Choice, expect int,
) (n domain.KeyTally, err error) {
	q, err := of.query()
	if err != nil {
		return n, err
	}
	n, devices, err := s.Store.RevokeKeys(ctx, q, expect, "revoked", s.Now())
	if err != nil {
		return n, err
	}
	target := domain.AuditTarget{Kind: "device_group", ID: of.Group}
	if of.Product != "" {
		target = domain.AuditTarget{Kind: "product", ID: of.Product}
	}
	s.Log.InfoContext(ctx, string(domain.AuditDeviceRevoke), "actor", by.ID, target.Kind, target.ID, "devices", n.Devices)
	if s.Audit != nil {
		s.Audit.Record(ctx, domain.AuditEvent{Type: domain.AuditDeviceRevoke, Actor: by, Target: target,
			Addr: httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx),
			Details: map[string]string{"owner": of.Owner, "devices": strconv.Itoa(n.Devices), "keys": strconv.Itoa(n.Keys)}})
	}
	for _, id := range devices {
		s.announce(ctx, domain.DeviceEnd{Device: id, Reason: "revoked"})
	}
	return n, nil
}

// reset ends the key of a device that forgets it, and tells the owner. The device stays theirs: nobody else gets it by
// a reset, and they set it up anew by a claim token.
func (s *Service) reset(ctx context.Context, p domain.Principal) error {
	if err := s.Store.RevokeDeviceKey(ctx, p.ID, p.Key, domain.AwayReset, s.Now()); err != nil {
		return err
	}
	s.record(ctx, domain.AuditDeviceReset, p.ID, p.Key, deviceActor(p.ID, httpx.ClientAddr(ctx)))
	s.Note(p.ID, domain.DeviceNote{Kind: domain.NoteConnection, Reason: domain.AwayReset})
	s.announce(ctx, domain.DeviceEnd{Device: p.ID, Key: p.Key, Reason: domain.AwayReset})
	return nil
}

// RevokedKeys says what keys many devices have, or had.
type RevokedKeys struct {
	Revoked   bool `json:"revoked" doc:"false: nothing was changed"`
	Devices   int  `json:"devices" doc:"that have, or had, keys that are good"`
	Keys      int  `json:"keys" doc:"of these, certificates included"`
	Connected int  `json:"connected" doc:"how many devices of the choice are connected, as of this answer"`
}

func (s *Service) postRevokeKeys(ctx context.Context, in *struct {
	Body struct {
		Group   string `json:"group,omitempty" maxLength:"32" doc:"one of your groups"`
		Product string `json:"product,omitempty" maxLength:"32" doc:"instead: what their firmware is of, as they report it"`
		Confirm *int   `json:"confirm,omitempty" minimum:"1" doc:"devices of the answer without it; absent: only count"`
	}
}) (*struct{ Body RevokedKeys }, error) {
	p := httpx.Principal(ctx)
	of := Choice{Owner: p.ID, Group: in.Body.Group, Product: in.Body.Product}
	var n domain.KeyTally
	var err error
	if in.Body.Confirm == nil {
		n, err = s.CountKeys(ctx, of)
	} else {
		n, err = s.RevokeKeys(ctx, userActor(p.ID), of, *in.Body.Confirm)
	}
	if err != nil {
		return nil, err
	}
	return &struct{ Body RevokedKeys }{RevokedKeys{in.Body.Confirm != nil, n.Devices, n.Keys, n.Connected}}, nil
}
