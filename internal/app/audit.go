package app

import (
	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/token"
)

var (
	_ audit.Store  = (*store.DB)(nil)
	_ audit.Reader = (*store.DB)(nil)
)

// Purposes that keys of the audit log are derived for.
const (
	auditSignKey = "audit-checkpoint ed25519"
	auditHashKey = "audit-hash"
)

// Audit returns the audit log of the server that c describes, for a command
// beside it: records are durable when RecordSync returns, and nothing is sent on.
func Audit(db *store.DB, keys *token.Keyring) *audit.Service {
	return audit.New(auditDeps(db, keys))
}

func auditDeps(db *store.DB, keys *token.Keyring) audit.Deps {
	return audit.Deps{Store: db, Seed: keys.Derive(auditSignKey), HashKey: keys.Derive(auditHashKey)}
}

// audit makes the log of this process, with its receivers.
func (s *server) audit(keys *token.Keyring) *audit.Service {
	c := s.Config
	d := auditDeps(s.db, keys)
	d.Version, d.Log, d.Metrics = s.Version, s.Log, audit.NewMetrics(s.reg)
	d.Keep, d.KeepPersonal = c.Audit.Keep, c.Audit.KeepPersonal
	return audit.New(d)
}
