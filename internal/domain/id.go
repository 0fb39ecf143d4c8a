package domain

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"time"
)

// Prefixes of ids: an id says what it names.
const (
	UserPrefix        = "usr"
	RoomPrefix        = "room"
	SessionPrefix     = "ses"
	InvitePrefix      = "inv"
	FlowPrefix        = "flow"
	ConnPrefix        = "conn"
	DevicePrefix      = "dev"
	RememberPrefix    = "rem"
	SignupPrefix      = "sgn"
	CommandPrefix     = "cmd"
	AlarmPrefix       = "alm"
	AlarmRulePrefix   = "alr"
	GroupRulePrefix   = "agr"
	MaintenancePrefix = "mnt"
	GroupPrefix       = "grp"
	ProductPrefix     = "prd"
	ReleasePrefix     = "rel"
	UploadPrefix      = "upl"
	RolloutPrefix     = "rol"
	UpdatePrefix      = "upd"
	CrashPrefix       = "crs"
	BatchPrefix       = "bat"
	FilePrefix        = "fil"
	HookPrefix        = "hook"
	OutHookPrefix     = "out"
	SlashPrefix       = "sls"
	BotTokenPrefix    = "btk"
	PushPrefix        = "psh"
	ScheduledPrefix   = "sch"
	ReminderPrefix    = "rmd"
	ReportPrefix      = "rpt"
	UserGroupPrefix   = "ugr"
	EmojiPrefix       = "emj"
)

// Crockford's alphabet, in lower case: sorts like the bytes that it encodes.
var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID returns prefix, "_" and a UUIDv7 (RFC 9562) in 26 characters of base32. Ids that are made later by the clock
// sort later, to the 4096th of a millisecond (section 6.2, method 3): what somebody makes one after the other keeps its
// order. An id is a name, not a secret: 62 of its bits are random.
func NewID(prefix string) string {
	var tail [10]byte
	_, _ = rand.Read(tail[2:]) // never fails since Go 1.24
	now := time.Now()
	part := (now.UnixNano() % 1e6) << 12 / 1e6
	tail[0], tail[1] = byte(part>>8), byte(part)
	return prefix + "_" + idOf(now, tail)
}

// idOf has the last 80 bits of an id from tail, but those that say which version of UUID it is.
func idOf(at time.Time, tail [10]byte) string {
	var u [16]byte
	copy(u[6:], tail[:])
	ms := at.UnixMilli()
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	u[6] = 0x70 | u[6]&0x0f
	u[8] = 0x80 | u[8]&0x3f
	return idEncoding.EncodeToString(u[:])
}

// KeyedID is NewID, but that what NewID chooses at random follows from a key and from whom it came: the ids of the same
// key have the same IDTail.
func KeyedID(prefix, of, key string) string {
	sum := sha256.Sum256([]byte(of + "\x00" + key))
	return prefix + "_" + idOf(time.Now(), [10]byte(sum[:]))
}

// IDTail is the part of an id that does not say when it was made.
func IDTail(id string) string { return id[max(0, len(id)-16):] }

// ValidID reports whether id has the given prefix and the form that NewID
// gives. It does not say that such a thing exists.
func ValidID(prefix, id string) bool {
	rest, ok := strings.CutPrefix(id, prefix+"_")
	if !ok || len(rest) != 26 {
		return false
	}
	_, err := idEncoding.DecodeString(rest)
	return err == nil
}
