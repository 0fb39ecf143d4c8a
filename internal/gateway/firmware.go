package gateway

import (
	"context"
	"sync/atomic"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// answerFirmware does what a device asks for about its firmware.
func (c *conn) answerFirmware(ctx context.Context, req wire.Request) (any, error) {
	switch req.Type {
	case wire.TypeFirmware, wire.TypeFirmwareProgress, wire.TypeFirmwareRead, wire.TypeCrash:
	default:
		return nil, unknownType(req)
	}
	switch {
	case c.g.Updates == nil, c.g.Images == nil && req.Type == wire.TypeFirmwareRead:
		return nil, unknownType(req)
	case c.who().Kind != domain.KindDevice:
		return nil, domain.Forbidden.Errorf(domain.CodeDeviceOnly, "only a device speaks of its firmware")
	}
	switch req.Type {
	case wire.TypeFirmware:
		return checked(req, wire.FirmwareReport.Checked, func(r domain.FirmwareReport) (any, error) {
			c.attachUpdates(r.Nonce)
			return nil, c.g.Updates.Report(ctx, c.who(), r)
		})
	case wire.TypeFirmwareProgress:
		return checked(req, wire.FirmwareProgress.Checked, func(p domain.FirmwareProgress) (any, error) {
			a, err := c.g.Updates.Progress(ctx, c.who(), p)
			return wire.FromFirmwareAnswer(a), err
		})
	case wire.TypeFirmwareRead:
		return checked(req, wire.FirmwareRead.Checked, func(r domain.FirmwareRead) (any, error) {
			b, err := c.g.Images.ReadUpdate(ctx, c.who(), c.addr, r)
			return wire.FirmwareData{Offset: r.Offset, Data: b}, err
		})
	}
	return checked(req, wire.CrashReport.Checked, func(r domain.CrashReport) (any, error) {
		return nil, c.g.Updates.Crash(ctx, c.who(), r)
	})
}

// checked decodes a request's data, and does what it asks for if that can be.
func checked[T, D any](req wire.Request, check func(T) (D, error), do func(D) (any, error)) (any, error) {
	return with(req, func(data T) (any, error) {
		d, err := check(data)
		if err != nil {
			return nil, err
		}
		return do(d)
	})
}

// An attachment has a device told of updates over its connection.
type attachment struct {
	detach func()
	nonce  atomic.Pointer[string] // that the device has reported last
}

// attachUpdates has the connection get offers of updates: from when the device says what it runs, since an offer has
// the nonce that it says.
func (c *conn) attachUpdates(nonce string) {
	if a := c.device.updates.Load(); a != nil {
		a.nonce.Store(&nonce)
		return
	}
	a := &attachment{}
	a.nonce.Store(&nonce)
	a.detach = c.g.Updates.Attach(c.user.ID, func() string { return *a.nonce.Load() }, func(o domain.FirmwareOffer) {
		c.push(encode(wire.Reply{Type: wire.TypeFirmwareOffer, Data: wire.FromFirmwareOffer(o)}))
	})
	if !c.device.updates.CompareAndSwap(nil, a) || c.finished.Load() {
		a.detach() // it is attached already, or has ended meanwhile
	}
}
