package device

import (
	"context"
	"log/slog"
	"net/netip"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
}

// record tells the audit log, and the ordinary one, what was done to a device or
// by it. Who did it, and from where, is that of the request if e does not say.
func (s *Service) record(ctx context.Context, what domain.AuditType, device, key string, e domain.AuditEvent) {
	e.Type, e.Target = what, domain.AuditTarget{Kind: string(domain.KindDevice), ID: device}
	if !e.Addr.IsValid() {
		e.Addr = httpx.ClientAddr(ctx)
	}
	e.UserAgent, e.RequestID = httpx.UserAgent(ctx), httpx.RequestID(ctx)
	if key != "" {
		e.Details = map[string]string{"key": key}
	}
	attrs := []slog.Attr{slog.String("actor", e.Actor.ID), slog.String("device", device), slog.String("key", key),
		slog.String("addr", addrText(e.Addr))}
	if e.Reason != "" {
		attrs = append(attrs, slog.String("reason", e.Reason))
	}
	s.Log.LogAttrs(ctx, slog.LevelInfo, string(what), attrs...)
	if s.Audit != nil {
		s.Audit.Record(ctx, e)
	}
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// userActor is the actor of what an owner does to their own devices.
func userActor(id string) domain.AuditActor {
	return domain.AuditActor{Kind: string(domain.KindUser), ID: id}
}

// deviceActor is the event of something that a device does.
func deviceActor(device string, from netip.Addr) domain.AuditEvent {
	return domain.AuditEvent{Actor: domain.AuditActor{Kind: string(domain.KindDevice), ID: device}, Addr: from,
		Method: "device_key"}
}
