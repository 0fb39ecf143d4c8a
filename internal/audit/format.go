package audit

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
)

// A Format writes records in the form that a receiver expects, each on one line.
type Format struct {
	name    string
	version string // the server's version
	host    string // the server's public host name
}

// Formats returns the names that NewFormat accepts.
func Formats() []string { return []string{"native", "ecs", "ocsf", "cef"} }

// NewFormat returns the format with a name, which must be one of Formats.
func NewFormat(name, version, host string) Format { return Format{name, version, host} }

// Name returns the name of the format.
func (f Format) Name() string { return f.name }

// ContentType returns the media type of lines in this format.
func (f Format) ContentType() string {
	if f.name == "cef" {
		return "text/plain; charset=utf-8"
	}
	return "application/x-ndjson"
}

// Line returns r as one line, without a newline. Values cannot contain a line end, whatever the
// receiver takes for one: JSON escapes it, and CEF replaces it by a space.
func (f Format) Line(r domain.AuditRecord) []byte {
	v := open(r)
	switch f.name {
	case "ecs":
		return obs.EscapeJSON(canonical(f.ecs(v)))
	case "ocsf":
		return obs.EscapeJSON(canonical(f.ocsf(v)))
	case "cef":
		return []byte(f.cef(v))
	}
	return obs.EscapeJSON(canonical(native(v)))
}

// Short is Line with at most max bytes. If a record is longer, the details are left out, and the
// line says so.
func (f Format) Short(r domain.AuditRecord, max int) []byte {
	line := f.Line(r)
	if len(line) <= max {
		return line
	}
	v := open(r)
	v.o["details"] = object{"left_out": "too_long"}
	r.Body = canonical(v.o)
	few := make(map[string]string)
	for _, k := range []string{personalAddr, personalName, personalTyped} {
		if s, ok := r.Personal[k]; ok {
			few[k] = s
		}
	}
	r.Personal = few
	return f.Line(r)
}

// A view is a parsed record.
type view struct {
	domain.AuditRecord
	o object
}

// open parses a record. If the text is invalid, because somebody tampered with it, the view has it
// unchanged in a field of its own, so that receivers see it too.
func open(r domain.AuditRecord) view {
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(string(r.Body)))
	d.UseNumber()
	err := d.Decode(&m)
	o, err2 := narrowed(m)
	if err != nil || err2 != nil {
		o = object{"seq": r.Seq, "type": r.Type, "damaged": string(r.Body)}
	}
	return view{r, o}
}

// native returns the record itself with its hash and those personal data that are not erased. A
// reader who removes the hash and the personal data (src_ip, user_agent and so on; "personal" has
// their names) and writes the rest in canonical form gets the text that was hashed.
func native(v view) object {
	o := make(object, len(v.o)+len(v.Personal)+2)
	for k, x := range v.o {
		o[k] = x
	}
	for k, x := range v.Personal {
		o[k] = x
	}
	if len(v.Salt) > 0 {
		o["salt"] = hex.EncodeToString(v.Salt)
	}
	o["hash"] = hex.EncodeToString(v.Hash)
	return o
}

func (v view) personal(k string) string { return v.Personal[k] }

// kind returns the first part of the type, and verb the rest.
func (v view) kind() string { k, _, _ := strings.Cut(v.o.str("type"), "."); return k }

func (v view) success() bool { return v.o.str("outcome") == string(domain.AuditSuccess) }

func (v view) blocked() bool { return v.o.str("outcome") == string(domain.AuditBlocked) }

// title describes the event in words.
func (v view) title() string {
	return strings.NewReplacer(".", " ", "_", " ").Replace(v.o.str("type")) + ": " + v.o.str("outcome")
}

func (v view) millis() int64 {
	t, err := time.Parse(time.RFC3339Nano, v.o.str("time"))
	if err != nil {
		t = v.Time
	}
	return t.UnixMilli()
}

const (
	vendor  = "Unhidra"
	product = "Unhidra"
)

// cef returns a record in ArcSight's Common Event Format, version 0.
func (f Format) cef(v view) string {
	var b strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, `|`, `\|`)
	head := func(s string) string { return escape.Replace(strings.Map(blank, s)) }
	fmt.Fprintf(&b, "CEF:0|%s|%s|%s|%s|%s|%d|", vendor, product,
		head(f.version), head(v.o.str("type")), head(v.title()), min(10, 2*v.o.int("severity")))
	value := strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`, "\r", `\r`)
	first := true
	put := func(k, s string) {
		if s == "" {
			return
		}
		if !first {
			b.WriteByte(' ')
		}
		first = false
		b.WriteString(k + "=" + value.Replace(strings.Map(printable, s)))
	}
	put("rt", strconv.FormatInt(v.millis(), 10))
	put("externalId", strconv.FormatInt(v.Seq, 10))
	put("src", ipv4(v.personal(personalAddr)))
	if a := v.personal(personalAddr); ipv4(a) == "" {
		put("c6a2", a)
		if a != "" {
			put("c6a2Label", "Source IPv6 Address")
		}
	}
	if n := v.o.int("src_port"); n != 0 {
		put("spt", strconv.FormatInt(n, 10))
	}
	put("suid", v.o.str("actor_id"))
	put("suser", v.personal(personalName))
	put("spriv", v.o.str("actor_kind"))
	put("duid", v.o.str("target_id"))
	put("act", v.o.str("type"))
	put("outcome", v.o.str("outcome"))
	put("reason", v.o.str("reason"))
	put("requestClientApplication", v.personal(personalAgent))
	put("dvchost", v.o.str("node"))
	put("cat", v.kind())
	for i, c := range []struct{ label, value string }{
		{"factors", v.o.str("factors")}, {"method", v.o.str("method")}, {"requestId", v.o.str("request_id")},
		{"hash", hex.EncodeToString(v.Hash)}, {"ratePolicy", v.o.str("rate_policy")}, {"details", flat(v.o.obj("details"))},
	} {
		if c.value != "" {
			n := strconv.Itoa(i + 1)
			put("cs"+n+"Label", c.label)
			put("cs"+n, c.value)
		}
	}
	return b.String()
}

// printable replaces control characters by a space. Line feeds and carriage returns stay: they are
// escaped later.
func printable(r rune) rune {
	if r == '\n' || r == '\r' {
		return r
	}
	return blank(r)
}

func blank(r rune) rune {
	if obs.IsControl(r) {
		return ' '
	}
	return r
}

func ipv4(s string) string {
	if strings.Contains(s, ":") {
		return ""
	}
	return s
}

func flat(o object) string {
	if len(o) == 0 {
		return ""
	}
	return string(canonical(o))
}
