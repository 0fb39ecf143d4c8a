package audit

import (
	"encoding/hex"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

const ocsfVersion = "1.5.0"

// Classes of OCSF. All but the last are in category 3, identity and access management.
const (
	ocsfAccount        = 3001
	ocsfAuthentication = 3002
	ocsfEntity         = 3004
	ocsfAPI            = 6003
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// ocsf returns a record in the Open Cybersecurity Schema Framework.
func (f Format) ocsf(v view) object {
	class, activity := ocsfClass(v)
	o := object{
		"category_uid": class / 1000, "class_uid": class, "activity_id": activity, "type_uid": class*100 + activity,
		"severity_id": v.o.int("severity"), "time": v.millis(), "status_id": 2, "message": v.title(),
		"activity_name": v.o.str("type"),
		"metadata": object{
			"version": ocsfVersion, "uid": v.o.str("id"), "sequence": v.Seq, "log_name": "audit",
			"product": object{"name": product, "vendor_name": vendor, "version": f.version},
		},
	}
	if v.success() {
		o["status_id"] = 1
	}
	o.put("status_detail", ocsfDetail(v))
	o["status_code"] = v.o.str("outcome")
	unmapped := native(v)
	for _, k := range []string{personalAddr, personalAgent, personalName} {
		delete(unmapped, k)
	}
	o["unmapped"] = unmapped
	f.ocsfWho(v, class, o)
	if a := v.personal(personalAddr); a != "" {
		source := object{"ip": a}
		if n := v.o.int("src_port"); n != 0 {
			source["port"] = n
		}
		o["src_endpoint"] = source
	}
	if class == ocsfAPI && v.blocked() {
		o["disposition_id"] = 2
		if v.o.str("type") == string(domain.AuditCaptchaFailed) {
			o["disposition_id"] = 22
		}
		o["action_id"] = 2
		metadata := o.obj("metadata")
		metadata["profiles"] = []string{"security_control"}
	}
	return o
}

// ocsfWho sets the attributes of users, devices and sessions, which differ by class.
func (f Format) ocsfWho(v view, class int, o object) {
	user := object{"type_id": 1}
	user.put("uid", v.o.str("actor_id"))
	user.put("name", v.personal(personalName))
	if v.o.str("actor_kind") == domain.ActorAdmin {
		user["type_id"] = 2
	}
	if len(user) == 1 {
		user = object{"type_id": 3, "name": v.o.str("actor_kind")} // the system, or unauthenticated
	}
	actor := object{"user": user}
	request := object{}
	request.put("user_agent", v.personal(personalAgent))
	switch class {
	case ocsfAuthentication:
		o["user"] = user
		o["service"] = object{"name": "unhidra"}
		o["dst_endpoint"] = object{"hostname": f.host}
		o["is_remote"] = true
		o["logon_type_id"] = 3
		o["is_mfa"] = len(strings.Fields(v.o.str("factors"))) > 1
		o["auth_protocol_id"], o["auth_protocol"] = ocsfProtocol(v.o.str("method"))
		if s := v.o.str("session_hash"); s != "" {
			o["session"] = object{"uid": s}
		}
		if len(request) > 0 {
			o["http_request"] = request
		}
	case ocsfAccount:
		o["actor"] = actor
		o["user"] = user
		if id := v.o.str("target_id"); id != "" && v.o.str("target_kind") == "user" {
			o["user"] = object{"uid": id, "type_id": 1}
		}
	case ocsfEntity:
		o["actor"] = actor
		o["entity"] = object{"type": v.o.str("target_kind"), "uid": v.o.str("target_id")}
	default:
		o["actor"] = actor
		api := object{"operation": v.o.str("type")}
		if id := v.o.str("request_id"); id != "" {
			api["request"] = object{"uid": id}
		}
		o["api"] = api
		if v.personal(personalAddr) == "" {
			o["src_endpoint"] = object{"hostname": v.o.str("node")}
		}
	}
}

func ocsfProtocol(method string) (id int, name string) {
	if method == "oidc" {
		return 4, "OpenID"
	}
	if method == "" {
		return 0, "Unknown"
	}
	return 99, method
}

// ocsfClass returns the class and activity that fit best.
func ocsfClass(v view) (class, activity int) {
	switch t := domain.AuditType(v.o.str("type")); t {
	case domain.AuditLogin, domain.AuditOIDCLogin, domain.AuditRecoveryUse, domain.AuditRememberUse:
		return ocsfAuthentication, 1
	case domain.AuditLogout, domain.AuditSessionRevoke:
		return ocsfAuthentication, 2
	case domain.AuditMFA:
		return ocsfAuthentication, 6
	case domain.AuditRefresh, domain.AuditRefreshReuse, domain.AuditStepUp, domain.AuditDeviceAuthFailed,
		domain.AuditDeviceConnect, domain.AuditDeviceDisconnect:
		return ocsfAuthentication, 99
	case domain.AuditRegister, domain.AuditAdminUserCreate:
		return ocsfAccount, 1
	case domain.AuditAdminUserEnable:
		return ocsfAccount, 2
	case domain.AuditPasswordChange:
		return ocsfAccount, 3
	case domain.AuditResetStart, domain.AuditResetDone, domain.AuditAdminPasswordReset:
		return ocsfAccount, 4
	case domain.AuditAdminUserDisable:
		return ocsfAccount, 5
	case domain.AuditDelete, domain.AuditAdminUserDelete:
		return ocsfAccount, 6
	case domain.AuditLock:
		return ocsfAccount, 9
	case domain.AuditUnlock:
		return ocsfAccount, 12
	case domain.AuditTOTPEnroll, domain.AuditPasskeyAdd:
		return ocsfAccount, 10
	case domain.AuditTOTPDisable, domain.AuditPasskeyRemove, domain.AuditAdminFactorsReset:
		return ocsfAccount, 11
	case domain.AuditDeviceRegister:
		return ocsfEntity, 6
	case domain.AuditDeviceRotate:
		return ocsfEntity, 3
	case domain.AuditDeviceRevoke:
		return ocsfEntity, 7
	case domain.AuditAdminUserGroup: // is of no account
		return ocsfAPI, 99
	}
	if v.kind() == "auth" || strings.HasPrefix(v.o.str("type"), "admin.user") {
		return ocsfAccount, 99
	}
	return ocsfAPI, 99
}

// ocsfDetail returns the reason, by the schema's name if it has one.
func ocsfDetail(v view) string {
	switch r := v.o.str("reason"); r {
	case "unknown_user":
		return "USER_DOES_NOT_EXIST"
	case "wrong_password", "wrong_code", "bad_credentials":
		return "INVALID_CREDENTIALS"
	case "disabled":
		return "ACCOUNT_DISABLED"
	case "locked":
		return "ACCOUNT_LOCKED_OUT"
	default:
		if v.o.str("type") == string(domain.AuditLogout) && r == "" {
			return "LOGOFF_USER_INITIATED"
		}
		return r
	}
}
