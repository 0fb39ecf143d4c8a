package audit

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/unhidra/unhidra/internal/domain"
)

// Limits of a record, so that nobody can fill the disk with long headers.
const (
	maxText    = 512
	maxDetail  = 2048
	maxDetails = 32
)

// Names of personal data in a record.
const (
	personalName  = "actor_name"
	personalAddr  = "src_ip"
	personalAgent = "user_agent"
	personalTyped = "typed"
)

// row returns the record of e with number seq.
func (s *Service) row(e domain.AuditEvent, seq, day int64, before []byte) domain.AuditRow {
	personal := s.personal(e)
	o := s.fields(e)
	o["seq"] = seq
	r := domain.AuditRow{
		Seq: seq, Day: max(day, dayOf(e.Time)), Time: e.Time, Type: o.str("type"), Actor: o.str("actor_id"),
		Target: o.str("target_id"),
	}
	if len(personal) > 0 {
		r.Salt = make([]byte, 16)
		_, _ = rand.Read(r.Salt) // never fails
		hashes, plain := object{}, object{}
		for k, v := range personal {
			hashes[k], plain[k] = salted(r.Salt, k, v), v
		}
		o["personal"] = hashes
		r.Personal = canonical(plain)
	}
	r.Body = canonical(o)
	r.Hash = link(before, r.Body)
	return r
}

// salted returns the hash of a personal value that the record keeps. The salt is erased together
// with the value, so that nobody can find the value by trying.
func salted(salt []byte, name, value string) string {
	h := sha256.New()
	_, _ = h.Write(salt)
	_, _ = h.Write([]byte(name + "\x00" + value))
	return hex.EncodeToString(h.Sum(nil))
}

// fields returns the values of e that are never erased.
func (s *Service) fields(e domain.AuditEvent) object {
	o := object{
		"time": stamp(e.Time), "id": truncate(e.ID, 64), "type": truncate(string(e.Type), 64),
		"outcome": truncate(string(outcome(e)), 64), "severity": int64(severity(e)),
		"actor_kind": actorKind(e), "node": truncate(e.Node, maxText),
	}
	o.put("actor_id", truncate(e.Actor.ID, maxText))
	o.put("target_kind", truncate(e.Target.Kind, maxText))
	o.put("target_id", truncate(e.Target.ID, maxText))
	o.put("reason", truncate(e.Reason, maxText))
	o.put("request_id", truncate(e.RequestID, maxText))
	o.put("traceparent", truncate(e.Trace, maxText))
	o.put("method", truncate(e.Method, maxText))
	o.put("factors", truncate(strings.Join(e.Factors, " "), maxText))
	o.put("src_ip_source", truncate(e.AddrSource, maxText))
	if e.Port != 0 {
		o["src_port"] = int64(e.Port)
	}
	if e.Session != "" {
		o["session_hash"] = s.keyed("session", e.Session)
	}
	if e.Typed != "" {
		o["typed_hash"] = s.keyed("typed", fold(e.Typed))
	}
	if e.Rate.Policy != "" {
		o["rate_policy"] = truncate(e.Rate.Policy, maxText)
		o["rate_limit"] = int64(e.Rate.Limit)
		o["rate_window_ms"] = e.Rate.Window.Milliseconds()
		o.put("rate_key_kind", truncate(e.Rate.KeyKind, maxText))
		if e.Rate.Key != "" {
			o["rate_key_hash"] = s.keyed("rate", e.Rate.Key)
		}
	}
	if d := details(e.Details); len(d) > 0 {
		o["details"] = d
	}
	return o
}

func (s *Service) personal(e domain.AuditEvent) map[string]string {
	p := make(map[string]string)
	for k, v := range details(e.Personal) {
		p["personal_"+k] = v.(string)
	}
	set := func(k, v string) {
		if v != "" {
			p[k] = truncate(v, maxText)
		}
	}
	set(personalName, e.Actor.Name)
	if e.Addr.IsValid() {
		set(personalAddr, e.Addr.Unmap().WithZone("").String())
	}
	set(personalAgent, e.UserAgent)
	if e.Typed != "" {
		set(personalTyped, masked(e.Typed))
	}
	return p
}

// details returns as many details as a record may have, sorted by name.
func details(m map[string]string) object {
	o := make(object, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if len(o) == maxDetails {
			break
		}
		o[key(k)] = truncate(m[k], maxDetail)
	}
	return o
}

// key restricts the name of a detail to characters that all receivers accept.
func key(k string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, truncate(k, 64))
}

// keyed returns an HMAC of v under the server's key: equal values can be recognized, and without
// the key nobody can find the value by trying.
func (s *Service) keyed(label, v string) string {
	h := hmac.New(sha256.New, s.hashKey)
	_, _ = h.Write([]byte(label + "\x00" + v))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// masked returns a mistyped name with all but its first letter hidden, which is enough to recognize
// a typing error. The domain of an e-mail address is hidden too, because people also type passwords
// here, and those may contain an @.
func masked(s string) string {
	first, _ := utf8.DecodeRuneInString(s)
	return string(first) + "***"
}

// truncate limits the length of a value and makes it valid UTF-8. It replaces NUL, which PostgreSQL
// does not store: a record that cannot be stored would block all that follow.
func truncate(s string, n int) string {
	s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	if len(s) <= n {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.ToValidUTF8(s[:n], "")
}

func actorKind(e domain.AuditEvent) string {
	if e.Actor.Kind != "" {
		return truncate(e.Actor.Kind, maxText)
	}
	if e.Actor.ID != "" {
		return string(domain.KindUser)
	}
	return domain.ActorAnonymous
}

func outcome(e domain.AuditEvent) domain.AuditOutcome {
	if e.Outcome == "" {
		return domain.AuditSuccess
	}
	return e.Outcome
}

func severity(e domain.AuditEvent) domain.AuditSeverity {
	if e.Severity != 0 {
		return e.Severity
	}
	switch e.Type {
	case domain.AuditRefreshReuse, domain.AuditGap:
		return domain.AuditHigh
	case domain.AuditLock, domain.AuditAdminFactorsReset, domain.AuditAdminUserRole, domain.AuditConfigChange,
		domain.AuditErase:
		return domain.AuditMedium
	}
	if outcome(e) != domain.AuditSuccess || strings.HasPrefix(string(e.Type), domain.AdminPrefix) {
		return domain.AuditLow
	}
	return domain.AuditInfo
}

func dayOf(t time.Time) int64 { return t.Unix() / 86400 }
