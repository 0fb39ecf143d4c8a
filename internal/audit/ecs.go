package audit

import (
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/trace"
)

const ecsVersion = "8.17.0"

// ecs returns a record in the Elastic Common Schema.
func (f Format) ecs(v view) object {
	category, kinds := ecsClass(v)
	event := object{
		"kind": "event", "category": category, "type": kinds, "outcome": ecsOutcome(v), "action": v.o.str("type"),
		"code": v.o.str("type"),
		"id":   v.o.str("id"), "sequence": v.Seq, "severity": v.o.int("severity"), "dataset": "unhidra.audit",
		"module": "unhidra", "hash": hexOf(v.Hash),
	}
	event.put("reason", v.o.str("reason"))
	o := object{
		"@timestamp": v.o.str("time"), "ecs": object{"version": ecsVersion}, "event": event, "message": v.title(),
		"service": object{"name": "unhidra", "type": "unhidra", "version": f.version,
			"node": object{"name": v.o.str("node")}},
		"host": object{"name": f.host},
	}
	labels := object{"actor_kind": v.o.str("actor_kind")}
	for _, k := range []string{"method", "factors", "session_hash", "target_kind", "target_id", "rate_policy",
		"rate_key_kind", "src_ip_source", "typed_hash"} {
		labels.put(k, v.o.str(k))
	}
	for k, x := range v.o.obj("details") {
		labels["details_"+k] = x
	}
	o["labels"] = labels
	user := object{}
	user.put("id", v.o.str("actor_id"))
	user.put("name", v.personal(personalName))
	if v.o.str("target_kind") == "user" {
		target := object{}
		target.put("id", v.o.str("target_id"))
		if len(target) > 0 {
			user["target"] = target
		}
	}
	related := object{}
	if len(user) > 0 {
		o["user"] = user
		related["user"] = nonEmpty(user.str("id"), user.str("name"), user.obj("target").str("id"))
	}
	if a := v.personal(personalAddr); a != "" {
		source := object{"ip": a, "address": a}
		if n := v.o.int("src_port"); n != 0 {
			source["port"] = n
		}
		o["source"] = source
		related["ip"] = []string{a}
	}
	if len(related) > 0 {
		o["related"] = related
	}
	if a := v.personal(personalAgent); a != "" {
		o["user_agent"] = object{"original": a}
	}
	if id := trace.IDOf(v.o.str("traceparent")); id != "" {
		o["trace"] = object{"id": id}
	}
	if id := v.o.str("request_id"); id != "" {
		o["http"] = object{"request": object{"id": id}}
	}
	return o
}

func ecsOutcome(v view) string {
	if v.success() {
		return "success"
	}
	return "failure"
}

// ecsClass returns a category and types that the schema allows together.
func ecsClass(v view) (category, kinds []string) {
	add := func(k string) []string {
		if v.blocked() && v.kind() != "auth" {
			return []string{k, "denied"}
		}
		return []string{k}
	}
	switch t := domain.AuditType(v.o.str("type")); t {
	case domain.AuditLogin, domain.AuditMFA, domain.AuditOIDCLogin, domain.AuditStepUp, domain.AuditRecoveryUse,
		domain.AuditRememberUse:
		return []string{"authentication"}, []string{"start"}
	case domain.AuditLogout:
		return []string{"authentication", "session"}, []string{"end"}
	case domain.AuditSessionRevoke:
		return []string{"session"}, []string{"end"}
	case domain.AuditRefresh, domain.AuditRefreshReuse, domain.AuditCaptchaFailed:
		return []string{"authentication"}, []string{"info"}
	case domain.AuditRegister, domain.AuditAdminUserCreate, domain.AuditDeviceRegister:
		return []string{"iam"}, []string{"user", "creation"}
	case domain.AuditDelete, domain.AuditAdminUserDelete, domain.AuditDeviceRevoke:
		return []string{"iam"}, []string{"user", "deletion"}
	case domain.AuditDeviceConnect, domain.AuditDeviceDisconnect, domain.AuditDeviceAuthFailed, domain.AuditOpenDenied,
		domain.AuditOriginDenied, domain.AuditClosedPolicy, domain.AuditRateLimited:
		return []string{"network"}, add("connection")
	case domain.AuditConfigChange:
		return []string{"configuration"}, []string{"change"}
	default:
		if v.kind() == "auth" || v.kind() == "device" || strings.HasPrefix(string(t), domain.AdminPrefix) {
			return []string{"iam"}, []string{"user", "change"}
		}
		return []string{"configuration"}, []string{"info"}
	}
}

func nonEmpty(vs ...string) []string {
	var some []string
	for _, v := range vs {
		if v != "" {
			some = append(some, v)
		}
	}
	return some
}
