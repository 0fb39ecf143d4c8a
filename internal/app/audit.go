package app

import (
	"net/url"

	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/token"
)

// Purposes that keys of the audit log are derived for.
const (
	auditSignKey = "audit-checkpoint ed25519"
	auditHashKey = "audit-hash"
)

// Audit returns the audit log of the server that c describes, for a command
// beside it: records are durable when RecordSync returns, and nothing is sent on.
func Audit(db *all.Store, keys *token.Keyring) *audit.Service {
	return audit.New(auditDeps(db, keys))
}

func auditDeps(db *all.Store, keys *token.Keyring) audit.Deps {
	return audit.Deps{Store: db.Audit, Seed: keys.Derive(auditSignKey), HashKey: keys.Derive(auditHashKey)}
}

// buildAudit makes the log of this process, with its receivers.
func (s *server) buildAudit() (err error) {
	c := s.Config
	d := auditDeps(s.db, s.keys)
	d.People = s.db.Accounts
	d.Version, d.Log, d.Metrics, d.Trace = s.Version, s.logs.Part("audit"), s.reg, s.tracer
	if c.Works() {
		d.Keep, d.KeepPersonal = c.Audit.Keep, c.Audit.KeepPersonal
		if d.Sinks, err = auditSinks(c, s.Version); err != nil {
			return err
		}
	}
	s.modules.audit = audit.New(d)
	s.health.Check("audit", s.modules.audit.Ready)
	s.run("audit", s.modules.audit.Run)
	return nil
}

func auditSinks(c config.Config, version string) ([]audit.Sink, error) {
	a := c.Audit
	host := Host(c)
	format := func(name string) audit.Format { return audit.NewFormat(name, version, host) }
	var sinks []audit.Sink
	if a.Log != "" {
		sinks = append(sinks, audit.NewFile(a.Log, int64(a.LogSize)<<20, a.LogCount, format(a.LogFormat)))
	}
	roots, err := audit.Roots(a.CA)
	if err != nil {
		return nil, err
	}
	if a.Webhook != "" {
		sinks = append(sinks, audit.NewWebhook(a.Webhook, []byte(a.WebhookSecret.Reveal()), roots, format(a.WebhookFormat)))
	}
	if a.HEC != "" {
		sinks = append(sinks, audit.NewHEC(a.HEC, a.HECToken.Reveal(), roots, host, format(a.HECFormat)))
	}
	if a.Syslog != "" {
		syslog, err := audit.NewSyslog(audit.SyslogOptions{
			Addr: a.Syslog, Roots: roots, Cert: a.SyslogCert, Key: a.SyslogKey, Host: host, Format: format(a.SyslogFormat),
		})
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, syslog)
	}
	return sinks, nil
}

// Host is the name that people reach the server of c by.
func Host(c config.Config) string {
	u, err := url.Parse(c.URL())
	if err != nil {
		return ""
	}
	return u.Hostname()
}
