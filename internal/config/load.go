package config

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Names that start with UNHIDRA_ and are not options.
const (
	prefix       = "UNHIDRA_"
	fileName     = "UNHIDRA_CONFIG"
	testPrefix   = "UNHIDRA_TEST_"         // of the project's own tests
	password     = "UNHIDRA_PASSWORD"      // of unhidra chat and unhidra user
	token        = "UNHIDRA_TOKEN"         // of unhidra chat
	wifiPassword = "UNHIDRA_WIFI_PASSWORD" // of unhidra device provision
)

// byDefault is the origin of a value that nobody has set.
const byDefault = "default"

// Flags holds the values of flags, raw, by the option's name.
type Flags map[string]string

// NewFlags adds --config to fs, and a flag for every option that has one, or only
// those that are named. A name that no option has is a mistake of the caller's.
func NewFlags(fs *flag.FlagSet, only ...string) Flags {
	f := Flags{}
	fs.Func("config", "file of settings, KEY=value (UNHIDRA_CONFIG)", func(s string) error { f[fileName] = s; return nil })
	for _, o := range new(Config).options() {
		if o.flag == "" || len(only) > 0 && !slices.Contains(only, o.flag) {
			continue
		}
		usage := strings.ReplaceAll(o.doc, "`", "") + " (" + o.env + ")"
		fs.Func(o.flag, usage, func(s string) error { f[o.env] = s; return nil })
	}
	for _, name := range only {
		if fs.Lookup(name) == nil {
			panic("config: no option has the flag --" + name)
		}
	}
	return f
}

// A value is a raw value and where it is from.
type value struct{ raw, origin string }

// Load returns the configuration, or every complaint about it at once.
// An empty value counts as none.
func Load(environ []string, flags Flags) (Config, error) {
	var c Config
	options := c.options()
	env := map[string]string{}
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok && v != "" {
			env[k] = v
		}
	}
	values := map[string]value{}
	var errs []error
	complain := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	path := flags[fileName]
	if path == "" {
		path = env[fileName]
	}
	if path != "" {
		errs = append(errs, readFile(path, options, values))
	}
	for _, k := range slices.Sorted(maps.Keys(env)) {
		switch {
		case checkKnown(options, k):
			set(values, k, value{env[k], "environment"}, complain)
		case serviceLink(k, env[k]): // before it is called a mistake
		case slices.Contains([]string{fileName, password, token, wifiPassword}, k), strings.HasPrefix(k, testPrefix):
		case strings.HasPrefix(k, prefix):
			complain("%s: there is no such setting%s", k, suggest(options, k))
		}
	}
	for _, o := range options {
		if raw := flags[o.env]; raw != "" {
			values[o.env] = value{raw, "--" + o.flag}
		}
	}
	for _, o := range options {
		s, err := o.apply(values)
		if err != nil {
			complain("%s (%s): %w", o.env, s.Origin, err)
		}
		c.settings = append(c.settings, s)
	}
	if err := errors.Join(errs...); err != nil {
		return Config{}, err
	}
	if c.ShutdownTimeout <= c.Drain {
		return Config{}, fmt.Errorf(
			"UNHIDRA_SHUTDOWN_TIMEOUT (%s) must be longer than UNHIDRA_DRAIN (%s), or sockets are cut off", c.ShutdownTimeout,
			c.Drain)
	}
	if c.NATS.Servers != "" && c.DatabaseURL == "" {
		return Config{}, errors.New("NATS_URL joins several nodes, which need one PostgreSQL; set DATABASE_URL as well")
	}
	if err := errors.Join(c.complete(), c.Mail.complete(), c.Captcha.complete(), c.Audit.complete(),
		c.Retention.complete(), c.Readings.complete(), c.S3.complete(), c.completeLinks(), c.completeAssistant(),
		c.Backup.complete(c.DatabaseURL != "", c.S3)); err != nil {
		return Config{}, err
	}
	if c.AuthAddr == "" && c.Has(RoleAuth) && !c.Has(RoleGateway) {
		c.AuthAddr = "0.0.0.0:9200"
	}
	return c, nil
}

// apply sets o to its value, or to its default.
func (o option) apply(values map[string]value) (Setting, error) {
	v, given := values[o.env]
	if !given {
		v = value{o.def, byDefault}
	}
	if f, ok := values[o.env+"_FILE"]; ok && o.secret {
		b, err := os.ReadFile(f.raw)
		if err != nil {
			return Setting{o.env, "", f.origin}, fmt.Errorf("%s_FILE: %w", o.env, err)
		}
		v = value{strings.TrimRight(string(b), "\r\n"), f.origin + ", " + f.raw}
	}
	s := Setting{o.env, v.raw, v.origin}
	if o.secret {
		s.Value = Secret(v.raw).String()
	}
	return s, o.set(v.raw)
}

// set records a value, which replaces that of an earlier source whichever of
// the two names it came by.
func set(values map[string]value, name string, v value, complain func(string, ...any)) {
	other := name + "_FILE"
	if base, ok := strings.CutSuffix(name, "_FILE"); ok {
		other = base
	}
	if o, ok := values[other]; ok {
		if source(o.origin) == source(v.origin) {
			complain("%s and %s are both set in the %s; use one", other, name, source(v.origin))
		}
		delete(values, other)
	}
	values[name] = v
}

func source(origin string) string {
	if origin == "environment" {
		return origin
	}
	return "file"
}

// readFile reads KEY=value lines. Lines that start with # are comments; a value
// may be in double quotes.
func readFile(path string, options []option, values map[string]value) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%s: %w", fileName, err)
	}
	var errs []error
	complain := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	seen := map[string]int{}
	n := 0
	text := strings.TrimPrefix(string(b), "\ufeff") // editors of Windows begin a file so
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, v, ok := strings.Cut(line, "=")
		k, v = strings.TrimSpace(k), strings.TrimSpace(v)
		if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
			v = v[1 : len(v)-1]
		}
		switch {
		case !ok:
			complain("%s:%d: not of the form KEY=value", path, n) // the line itself may be a secret
		case !checkKnown(options, k):
			complain("%s:%d: %s: there is no such setting%s", path, n, k, suggest(options, k))
		case seen[k] > 0:
			complain("%s:%d: %s is set in line %d already", path, n, k, seen[k])
		case v != "":
			seen[k] = n
			set(values, k, value{v, fmt.Sprintf("%s:%d", path, n)}, complain)
		}
	}
	return errors.Join(errs...)
}

// Kubernetes tells each pod of every Service by variables that begin with its name,
// and container links of Docker and Compose do it alike. For a Service named unhidra,
// or unhidra-auth, they look like settings.
var (
	linkName = regexp.MustCompile(
		`^UNHIDRA_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR|PORT_START|PORT_END))?)?)$`)
	linkURL = regexp.MustCompile(`^(tcp|udp|sctp)://`)
)

// serviceLink reports whether a variable is one of these. UNHIDRA_PORT alone is one
// only with a URL: with a number somebody means GATEWAY_PORT.
func serviceLink(name, value string) bool {
	if !linkName.MatchString(name) {
		return false
	}
	return !strings.HasSuffix(name, "_PORT") || strings.HasSuffix(name, "_SERVICE_PORT") || linkURL.MatchString(value) ||
		strings.Contains(name, "_TCP_") || strings.Contains(name, "_UDP_") || strings.Contains(name, "_SCTP_")
}

func checkKnown(options []option, name string) bool {
	return slices.ContainsFunc(options, func(o option) bool {
		return o.env == name || o.secret && o.env+"_FILE" == name
	})
}

// suggest names the option that someone may have meant.
func suggest(options []option, name string) string {
	best, least := "", 4
	for _, o := range options {
		if d := distance(o.env, name); d < least {
			best, least = o.env, d
		}
	}
	if best == "" {
		return "; `unhidra config` lists them all"
	}
	return "; did you mean " + best + "?"
}

// distance is how many letters must change to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
