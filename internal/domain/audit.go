package domain

import (
	"net/netip"
	"time"
)

// AuditEvent is something that the audit log is to know: who did what, from
// where, and what came of it. It is flat, since many readers of such logs cannot
// look into lists of objects. No password, token, code or seed belongs in it.
//
// Time, ID and Node are set by the log where they are empty.
type AuditEvent struct {
	Type     AuditType
	Outcome  AuditOutcome  // empty: success
	Reason   string        // code of why it failed or was done: "wrong_password"
	Severity AuditSeverity // 0: as usual for the type and outcome

	Actor   AuditActor
	Target  AuditTarget
	Session string // id of the session; only its hash is kept

	Addr       netip.Addr // of the client; personal data
	Port       uint16     // of the client; 0: not known
	AddrSource string     // direct, xff, proxyproto
	UserAgent  string     // personal data
	RequestID  string
	Trace      string   // traceparent of the request, which the log sets; empty: it is not traced
	Method     string   // pwd, totp, recovery, passkey, oidc, refresh, device_key
	Factors    []string // of the session
	Rate       AuditRate

	// Typed is what somebody typed for a name. People type their passwords there:
	// only a keyed hash and a masked form of it are kept.
	Typed string
	// Details are what else is worth knowing. They are part of the record for good:
	// nothing personal belongs there.
	Details map[string]string
	// Personal are details that can be erased from the log later, like an e-mail
	// address.
	Personal map[string]string

	Time time.Time
	ID   string
	Node string
}

// AuditActor is who did it.
type AuditActor struct {
	Kind string // user, bot, device, admin, operator, system, anonymous; empty: anonymous
	ID   string
	Name string // personal data
}

// Kinds of actors beside those of principals.
const (
	ActorAdmin     = "admin"
	ActorOperator  = "operator" // at the machine's command line
	ActorSystem    = "system"   // the server by itself
	ActorAnonymous = "anonymous"
)

// AuditTarget is what it was done to.
type AuditTarget struct {
	Kind string // user, session, device, room, setting, ...
	ID   string
}

// AuditRate is the limit that an event is about.
type AuditRate struct {
	Policy  string        // "login"
	Limit   int           // so many
	Window  time.Duration // in so long
	KeyKind string        // what is counted: addr, user, device
	Key     string        // which one; only its keyed hash is kept. Empty: the address, or the actor
}

// AuditOutcome says how it ended.
type AuditOutcome string

// Outcomes.
const (
	AuditSuccess AuditOutcome = "success"
	AuditFailure AuditOutcome = "failure"
	AuditBlocked AuditOutcome = "blocked" // refused by a rule, before anything was tried
)

// AuditSeverity says how much it matters, on the scale of OCSF.
type AuditSeverity int

// Severities.
const (
	AuditInfo     AuditSeverity = 1
	AuditLow      AuditSeverity = 2
	AuditMedium   AuditSeverity = 3
	AuditHigh     AuditSeverity = 4
	AuditCritical AuditSeverity = 5
)

// AuditRecord is an event as the log has it.
type AuditRecord struct {
	Seq    int64
	Day    int64 // segment that it is in: days since 1970
	Time   time.Time
	Type   string
	Actor  string // id
	Target string // id
	Hash   []byte // of the chain, up to and with this record
	// Body is the record in canonical JSON: what the hash is over. In place of
	// personal data it has their salted hashes.
	Body []byte
	// Personal has the personal data by name, and Salt that of their hashes; nil
	// once erased.
	Personal map[string]string
	Salt     []byte
}

// AuditHead is where the chain stands.
type AuditHead struct {
	Chain string // names this log, among all
	Seq   int64  // of the last record; 0: there is none
	Hash  []byte // of the last record; nil: there is none
	Day   int64  // segment of the last record: days since 1970
	Check int64  // seq that the last checkpoint is about
	// CheckSum is the hash of the last checkpoint, which the next one names.
	CheckSum []byte
}

// AuditRow is a record on its way into the store.
type AuditRow struct {
	Seq      int64
	Day      int64
	Time     time.Time
	Type     string
	Actor    string // id
	Target   string // id
	Body     []byte
	Hash     []byte
	Salt     []byte // of the hashes of personal data
	Personal []byte // JSON object of strings; nil: there are none
}

// AuditCheckpoint is a signed statement of where the chain stood.
type AuditCheckpoint struct {
	Seq  int64
	Body []byte // canonical JSON
	Sig  []byte // Ed25519
	Sum  []byte // SHA-256 of Body
}

// AuditSegment is what remains of records that were deleted: that they were
// there, and the hash that the chain goes on from, signed.
type AuditSegment struct {
	First, Last int64
	Body        []byte
	Sig         []byte
}

// AuditReceiver is how far a receiver of the records has come.
type AuditReceiver struct {
	Name    string
	Seq     int64 // of the last record that it has
	Dropped int64 // records that were gone before it could be sent them
}

// AuditFilter selects records. The zero value of a field does not restrict.
type AuditFilter struct {
	Types    []string // "auth.*" means all that begin so
	Actor    string   // id
	Target   string   // id
	Outcome  AuditOutcome
	From, To time.Time
	After    int64 // records with a greater number
	Before   int64 // records with a smaller number
	Oldest   bool  // oldest first; otherwise newest first
	Limit    int
}
