// Package config reads every setting of the server from defaults, a file, the
// environment and flags, in that order: the later wins. One table (options.go)
// is behind the parsing, `unhidra config`, --help and docs/config.md.
package config

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config is every setting of the server. It is read once, in main, and passed
// on by value: no package reads the environment itself.
type Config struct {
	Name                string // of the server, as people see it
	Roles               []string
	DataDir             string
	DBPath              string // of SQLite; empty: unhidra.db in DataDir
	DatabaseURL         Secret // of PostgreSQL; empty: SQLite
	DatabaseConnections int    // to PostgreSQL, at most
	NATS                NATS   // none: one process
	S3                  S3     // none: files are in Files(), or in PostgreSQL
	BindAddr            string // host that the gateway listens on; empty: all
	GatewayPort         int
	AuthAddr            string   // empty: none
	OperatorAddr        string   // empty: none
	OperatorHosts       []string // names that it is asked by, beside addresses and names without a dot
	MQTT                MQTT
	DeviceCA            string // file; empty: devices have keys alone
	PublicURL           string // empty: by the certificate's domain, or localhost
	TLS                 TLS

	ServerKey     Secret   // empty: made at the first start, kept in DataDir
	JWTSecret     Secret   // empty: derived from the server's key
	JWTSecretsOld []Secret // still accepted
	JWTAlg        string   // HS256, EdDSA
	Registration  string   // open, invite, closed
	SecondFactor  string   // who must have one: none, admins, everyone
	OIDC          OIDC
	SessionIdle   time.Duration // a session that is not used for so long ends
	SessionMax    time.Duration // every session ends after so long
	PasswordMin   int
	Mail          Mail
	Captcha       Captcha
	Audit         Audit

	Backup      Backup
	Retention   Retention
	Readings    Readings
	RemoteWrite RemoteWrite
	DiskReserve int // MiB of the data folder's disk that messages leave free; 0: none

	AllowedOrigins []string
	TrustedProxies []netip.Prefix
	// PrivateNetworks may be reached at addresses that users name.
	PrivateNetworks []netip.Prefix
	LinkPreviews    bool   // rooms may have previews of links
	SearchModel     string // the model by which search understands meaning; empty: search finds by words alone

	LoginPerMinute  int
	LoginBurst      int
	RegisterPerHour int
	IPPerMinute     int
	UserPerMinute   int
	MessagesPerSec  int
	ConnsPerAddr    int
	ConnsPerUser    int
	RequestsPerAddr int // answered at a time
	DevicesPerHour  int
	RoomsPerUser    int // 0: any number, as of the next two
	RoomsCreated    int
	RoomMembers     int
	RoomRequests    string
	UserStorage     int // MiB; 0: no bound, as of the next one
	FileSize        int // MiB
	FileStorage     int
	KeepFiles       int    // days; 0: as long as their messages
	Clamd           string // address; empty: files are not scanned
	ClamdAway       string
	FirmwareStorage int
	FirmwareLinks   string // URL of a CDN, without a slash at its end; LinksS3: presigned ones; empty: to this server
	FirmwareRate    int    // KiB a second
	FirmwareSite    int    // of one address
	FirmwareProduct int    // of one product
	RolloutEvery    time.Duration
	DevicesPerUser  int
	SendQueue       int
	ConnectionAge   time.Duration // 0: for ever
	Drain           time.Duration
	DrainDelay      time.Duration // before anything stops, not ready any more
	ShutdownTimeout time.Duration
	ML              ML
	Assistant       Assistant
	Log             Log
	Trace           Trace
	settings        []Setting
}

// OIDC is an OpenID provider that people may sign in with.
type OIDC struct {
	Issuer   string // empty: none
	ClientID string
	Secret   Secret
	Label    string
}

// ML says whether models run beside the server, and which.
type ML struct {
	On     bool
	Models string // folder; empty: models in the data folder
	Python string // program

	Sandbox string // best-effort, required or off
}

// ModelsDir returns the folder of models.
func (c Config) ModelsDir() string {
	if c.ML.Models != "" {
		return c.ML.Models
	}
	return filepath.Join(c.DataDir, "models")
}

// MQTT says where MQTT clients connect, beside the WebSocket at /mqtt.
type MQTT struct {
	Addr      string // plain; empty: none
	TLSAddr   string // with TLS; empty: none
	Cert, Key string // files, for TLSAddr alone; empty: the certificates of the public listener
	// ProxyProtocol says that trusted proxies put the client's address before the bytes.
	ProxyProtocol bool
	URL           string // what devices are told: mqtt://host:port or mqtts://host:port; empty: what the listeners say
}

// Roles that a process can have.
const (
	RoleAuth    = "auth"
	RoleGateway = "gateway"
	RoleWorker  = "worker"
)

// Has reports whether this process has the role.
func (c Config) Has(role string) bool {
	return slices.Contains(c.Roles, "all") || slices.Contains(c.Roles, role)
}

// Works reports whether this process does what happens in the background. With
// SQLite there is no other that could.
func (c Config) Works() bool { return c.Has(RoleWorker) || c.DatabaseURL == "" }

// Database returns the SQLite file, which counts only without DatabaseURL.
func (c Config) Database() string {
	if c.DBPath != "" {
		return c.DBPath
	}
	return filepath.Join(c.DataDir, "unhidra.db")
}

// ReadingsFile returns the SQLite file of what devices measure, which counts only without DatabaseURL.
func (c Config) ReadingsFile() string {
	return filepath.Join(filepath.Dir(c.Database()), "readings.db")
}

// KeyFile returns where the server's key is kept if none is given.
func (c Config) KeyFile() string { return filepath.Join(c.DataDir, "server.key") }

// URL returns where people reach the server, without a slash at the end.
func (c Config) URL() string {
	if c.PublicURL != "" {
		return c.PublicURL
	}
	return c.TLS.url(c.GatewayPort)
}

// OpenToAll reports whether whoever reaches this machine may register, and what they
// send crosses the network for all to read.
func (c Config) OpenToAll() bool {
	return c.Registration == "open" && !loopback(c.BindAddr) && !strings.HasPrefix(c.URL(), "https:")
}

// Settings returns every option with its effective value and origin, in the
// order of the documentation.
func (c Config) Settings() []Setting { return slices.Clone(c.settings) }

// IsDefault reports whether nobody has set the option with this name.
func (c Config) IsDefault(name string) bool {
	return slices.ContainsFunc(c.settings, func(s Setting) bool { return s.Name == name && s.Origin == byDefault })
}

// A Setting is the effective value of one option.
type Setting struct {
	Name   string
	Value  string // secrets are redacted
	Origin string // default, file:line, environment, --flag
}

// Secret is a string that does not print itself.
type Secret string

const redacted = "[redacted]"

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString keeps %#v from printing the secret.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// Format keeps every other verb from printing the secret.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText keeps encoders from printing the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the secret.
func (s Secret) Reveal() string { return string(s) }
